"""One of several processes of a training, on its own device; `launch` starts them.

It talks to the process that started it through a channel of JSON messages: `{"log": [logger, level, message]}` and
`{"step": done, "row": row of the history or null}`, both from the main process only.
"""

import dataclasses
import json
import logging
import os
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
import torch.distributed as dist

from byol_kedro.byol.distributed import Group
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import OnStep
from byol_kedro.datasets.checkpoints import TrainingFolder
from byol_kedro.datasets.events import EventFolder
from byol_kedro.errors import UserError
from byol_kedro.parameters import Pretrain
from byol_kedro.pipelines.pretrain.checkpointing import EXIT_BY_SIGNAL
from byol_kedro.pipelines.pretrain.mapped_images import map_images
from byol_kedro.pipelines.pretrain.trainer import Trainer

# The longest that a process waits for another one, which may be evaluating or writing a checkpoint.
TIMEOUT = timedelta(minutes=30)
# If one process ends, the others fail soon after it. They wait, so that the launcher finds the first one.
SECONDS_TO_FIND_THE_FIRST = 1.0


def work(job: Mapping[str, Any], channel: Connection) -> dict[str, int]:
    """Train as one process of the group that torch's elastic agent has started.

    Args:
        job: JSON values, from `launch.fit_in_processes`.
        channel: receives the messages of the main process.

    Returns:
        `stopped`: the number of the signal that stopped the training, or 0.
    """
    rank, requests = int(os.environ["RANK"]), _Requests(Path(job["stop"]), job["launcher"])
    # While it waits for the others, no handler of Python would run. Without one, SIGINT ends the process as a failed
    # one; after KeyboardInterrupt torch would take it for one that succeeded, and wait for its result.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    requests.end_if_orphaned()
    try:
        _train(job, channel, rank, requests)
    except SystemExit as stop:  # all processes agreed to stop after the same step
        return {"stopped": int(stop.code or 0) - EXIT_BY_SIGNAL}
    except BaseException as error:
        _write_error(Path(job["attempt"]), rank, error)
        time.sleep(SECONDS_TO_FIND_THE_FIRST)
        raise
    return {"stopped": 0}


def _train(job: Mapping[str, Any], channel: Connection, rank: int, requests: "_Requests") -> None:
    torch.set_num_threads(job["threads"])
    _forward_logs(channel if rank == 0 else None)
    device = torch.device(job["device"])
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=TIMEOUT)
    group = Group(rank, int(os.environ["WORLD_SIZE"]))
    parameters = Pretrain.model_validate(job["parameters"])
    unlabeled, train = map_images(job["images_unlabeled"]), map_images(job["images_train"])
    header = EncoderHeader.from_dict(job["header"])
    trainer = Trainer(
        plan=Plan(parameters, len(unlabeled) + len(train), job["seed"]),
        state=initial_state(parameters, header.image_size, job["seed"], device),
        monitor=Monitor(device),
        header=header,
        folder=TrainingFolder(Path(job["folder"]), job["identity"]),
        group=group,
    )
    events = None if job["events"] is None else EventFolder(Path(job["events"]))
    trainer.fit(unlabeled, train, events, progress=_sent(channel), stop=requests)
    dist.destroy_process_group()


class _Forward(logging.Handler):
    """Sends the log to the process that has the screen."""

    def __init__(self, channel: Connection) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        _send(self._channel, {"log": [record.name, record.levelno, record.getMessage()]})


def _forward_logs(channel: Connection | None) -> None:
    """Send this project's log to `channel`, or nowhere."""
    logger = logging.getLogger("byol_kedro")
    logger.handlers = [logging.NullHandler() if channel is None else _Forward(channel)]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _send(channel: Connection, message: dict[str, Any]) -> None:
    channel.send_bytes(json.dumps(message).encode())


@contextmanager
def _sent(channel: Connection) -> Iterator[OnStep]:
    """A callback of `train` that sends the progress."""

    def send(done: int, row: Row | None) -> None:
        _send(channel, {"step": done, "row": None if row is None else dataclasses.asdict(row)})

    yield send


class _Requests:
    """Requests to stop: SIGTERM, or a signal that the launcher received and wrote to a file."""

    def __init__(self, file: Path, launcher: int) -> None:
        self._file, self._launcher = file, launcher
        self._received: signal.Signals | None = None

    def __enter__(self) -> Self:
        """Start handling SIGTERM and SIGINT, which end the process until it trains."""
        signal.signal(signal.SIGTERM, self.record)
        signal.signal(signal.SIGINT, self.end_if_orphaned)
        return self

    def __exit__(self, *_: object) -> None:
        """Record it until the process ends."""

    @property
    def received(self) -> signal.Signals | None:
        """The signal, if there is one. A process whose launcher is gone ends here."""
        self.end_if_orphaned()
        if self._received is None and self._file.exists():
            self._received = signal.Signals(int(self._file.read_text()))
        return self._received

    def record(self, number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM, which schedulers send to all processes."""
        self._received = signal.Signals(number)

    def end_if_orphaned(self, *_: Any) -> None:
        """Handle SIGINT, which torch asks the system to send when the launcher ends, and a terminal to all."""
        if os.getppid() != self._launcher:
            os._exit(1)  # another run may go on with this training


def _write_error(attempt: Path, rank: int, error: BaseException) -> None:
    """Write what the launcher needs to name or to raise the error."""
    memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
    kind = "user" if isinstance(error, UserError) else "memory" if memory else "other"
    text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    content = {"rank": rank, "kind": kind, "text": text, "trace": traceback.format_exc(), "time": time.time()}
    (attempt / f"error-{rank}.json").write_text(json.dumps(content), "utf-8")
