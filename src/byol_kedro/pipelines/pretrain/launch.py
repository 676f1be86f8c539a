"""Starts the processes of a training with torch's elastic agent, from inside the node, and restarts them.

This process trains nothing. It shows the progress and the log of the main process, and reads the result from the last
checkpoint. So for Kedro a training is one call, on however many devices.
"""

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import active_children, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from byol_kedro.byol.monitor import Row
from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.images import Images
from byol_kedro.errors import UserError
from byol_kedro.log import counted, get_logger
from byol_kedro.pipelines.pretrain.checkpointing import EXIT_BY_SIGNAL, StopRequest
from byol_kedro.pipelines.pretrain.mapped_images import describe
from byol_kedro.pipelines.pretrain.progress import ProgressReport
from byol_kedro.pipelines.pretrain.resume import restore_result
from byol_kedro.pipelines.pretrain.trainer import Trainer
from byol_kedro.pipelines.pretrain.worker import work

logger = get_logger(__name__)

POLL_SECONDS = 0.1
AGENT_LOGS = ("torch.distributed.elastic", "torch.multiprocessing")


@dataclass(frozen=True)
class Processes:
    """`number` processes on devices of one kind, which are started again up to `max_restarts` times if one ends."""

    number: int
    device: torch.device
    max_restarts: int


def fit_in_processes(
    trainer: Trainer,
    images_unlabeled: Images,
    images_train: Images,
    events: EventFolder | None,
    processes: Processes,
) -> None:
    """Train in several processes to the end of the plan, from the newest checkpoint if there is one.

    Args:
        trainer: its state, which may be on the CPU, and its monitor receive the result.
        images_unlabeled: as for `Trainer.fit`.
        images_train: as for `Trainer.fit`.
        events: as for `Trainer.fit`.
        processes: number and device of the processes.

    Raises:
        UserError: as `Trainer.fit`; or processes end too often, or the last checkpoint could not be written.
        SystemExit: A signal stopped the training.
        RuntimeError: a process ends too often with an error that the user cannot fix; it has the traceback.
        MemoryError: a process has too little memory.
    """
    with TemporaryDirectory(prefix="byol_kedro-") as name, StopRequest() as stop, _quiet_agent():
        folder = Path(name)
        job: dict[str, Any] = {
            "parameters": trainer.plan.parameters.model_dump(mode="json"),
            "seed": trainer.plan.seed,
            "header": trainer.header.to_dict(),
            "folder": str(trainer.folder.path),
            "identity": dict(trainer.folder.identity),
            "images_unlabeled": describe(images_unlabeled, folder / "unlabeled"),
            "images_train": describe(images_train, folder / "train"),
            "events": None if events is None else str(events.root),
            "device": processes.device.type,
            "threads": _threads(processes.number),
            "launcher": os.getpid(),
            "stop": str(folder / "stop"),
        }
        for restarts in count():
            attempt = folder / f"attempt-{restarts}"
            attempt.mkdir()
            if restarts:  # with resume=false too, the checkpoints are now of this run
                job["parameters"] |= {"resume": True}
            failed = _Attempt(trainer, processes, job | {"attempt": str(attempt)}, stop).run()
            if failed is None:
                break
            _restart_or_raise(failed, attempt, trainer, processes, restarts, stop)
    restore_result(trainer.folder, trainer.plan, trainer.state, trainer.monitor)


def _threads(number: int) -> int:
    """Threads of each process: OMP_NUM_THREADS, or an equal part of those of this process."""
    threads = torch.get_num_threads()
    return threads if "OMP_NUM_THREADS" in os.environ else max(1, threads // number)


@dataclass
class _Attempt:
    """The processes from their start to their end."""

    trainer: Trainer
    processes: Processes
    job: dict[str, Any]
    stop: StopRequest
    stopped: int = field(default=0, init=False)
    failed: Exception | None = field(default=None, init=False)

    def run(self) -> Exception | None:
        """Run them, and return the error of the agent if one of them failed.

        Raises:
            SystemExit: A signal stopped the training.
        """
        receive, send = get_context("spawn").Pipe(duplex=False)
        # In the main thread the agent would replace the signal handlers.
        agent = threading.Thread(target=self._launch, args=(send,), name="launch")
        others = set(active_children())
        agent.start()
        try:
            where = f"{self.processes.device.type.upper()} in {self.processes.number} processes"
            # In the end all writers are gone, and the last message may be cut.
            with ProgressReport(self.trainer.plan, where) as progress, suppress(EOFError, OSError):
                while agent.is_alive() or receive.poll():
                    self._pass_on_stop()
                    if receive.poll(POLL_SECONDS):
                        _show(json.loads(receive.recv_bytes()), progress)
        except BaseException:
            for process in set(active_children()) - others:
                process.kill()
            raise
        finally:
            agent.join()
            receive.close()
        if self.stopped:
            raise SystemExit(EXIT_BY_SIGNAL + self.stopped)
        return self.failed

    def _launch(self, send: Connection) -> None:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=self.processes.number,
            run_id=Path(self.job["attempt"]).name,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,  # the agent would restart without saying which process ended
            monitor_interval=POLL_SECONDS,
            start_method="spawn",
            logs_specs=DefaultLogsSpecs(log_dir=self.job["attempt"], redirects=Std.ALL),
        )
        try:
            results = elastic_launch(config, work)(self.job, send)
            self.stopped = max(result["stopped"] for result in results.values())
        except Exception as error:  # noqa: BLE001  # raised in the other thread
            self.failed = error
        finally:
            send.close()

    def _pass_on_stop(self) -> None:
        file = Path(self.job["stop"])
        if self.stop.received is not None and not file.exists():
            temporary = file.with_suffix(".new")
            temporary.write_text(str(int(self.stop.received)))
            temporary.replace(file)


def _show(message: dict[str, Any], progress: ProgressReport) -> None:
    if "log" in message:
        name, level, text = message["log"]
        get_logger(name).log(level, "%s", text)
    else:
        progress(message["step"], None if message["row"] is None else Row(**message["row"]))


def _restart_or_raise(
    failed: Exception, attempt: Path, trainer: Trainer, processes: Processes, restarts: int, stop: StopRequest
) -> None:
    """Log that all processes start again, or raise the reason why they do not."""
    last = trainer.folder.newest()
    kept = f"the checkpoint of step {last.step:,}" if last else "step 0"
    if stop.received is not None:
        logger.info("stopped by %s; run the same command to resume from %s", stop.received.name, kept)
        raise SystemExit(EXIT_BY_SIGNAL + stop.received)
    if not isinstance(failed, ChildFailedError):
        raise failed
    ended = _first_to_end(failed, attempt)
    if ended.kind == "user":
        raise UserError(ended.text)
    if ended.kind == "memory":
        raise MemoryError(ended.text)
    name = f"process {ended.rank} of {processes.number}"
    if restarts < processes.max_restarts:
        logger.warning(
            "%s %s; all are started again from %s (restart %d of %d)",
            name, ended.text, kept, restarts + 1, processes.max_restarts,
        )  # fmt: skip
    elif ended.trace:
        raise RuntimeError(f"{name}: {ended.trace}") from failed
    else:
        raise UserError(
            f"pretrain: {name} {ended.text} after {counted(restarts, 'restart')}; run the same command to resume from "
            f"{kept}"
        )


@dataclass(frozen=True)
class _Ended:
    """A process that ended too early: its rank, the kind of its error, what happened to it, the traceback if any."""

    rank: int
    kind: str
    text: str
    trace: str = ""


def _first_to_end(failed: ChildFailedError, attempt: Path) -> _Ended:
    """The process that ended first; the others may have ended because of it."""
    rank, failure = next(iter(failed.failures.items()))
    written = [json.loads(file.read_text("utf-8")) for file in attempt.glob("error-*.json")]
    for error in sorted(written, key=lambda error: (error["kind"] == "other", error["time"])):
        if error["kind"] != "other":
            return _Ended(error["rank"], error["kind"], error["text"])
        if failure.exitcode >= 0:
            return _Ended(error["rank"], "other", f"failed with {error['text']}", error["trace"])
    if failure.exitcode < 0:
        return _Ended(rank, "other", f"was killed by {signal.Signals(-failure.exitcode).name}")
    return _Ended(rank, "other", f"ended with exit code {failure.exitcode}")


@contextmanager
def _quiet_agent() -> Iterator[None]:
    """Hide the agent's log, which repeats each failure with the traceback of this process."""
    logs, handler = [logging.getLogger(name) for name in AGENT_LOGS], logging.NullHandler()
    before = [log.propagate for log in logs]
    for log in logs:
        log.addHandler(handler)
        log.propagate = False
    try:
        yield
    finally:
        for log, propagate in zip(logs, before, strict=True):
            log.propagate = propagate
            log.removeHandler(handler)
