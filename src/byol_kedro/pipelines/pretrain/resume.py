"""How a training begins, and which checkpoint it may take: one of the same recipe."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from byol_kedro import byol
from byol_kedro.byol.device import autocast_dtype
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.pretrained_weights import take_over
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.snapshot import restore_snapshot
from byol_kedro.byol.state import TrainState
from byol_kedro.datasets.checkpoints import Checkpoint, TrainingFolder
from byol_kedro.datasets.images import Images
from byol_kedro.errors import UserError
from byol_kedro.files.user_files import is_regular
from byol_kedro.files.weights import read_weights
from byol_kedro.log import counted, get_logger
from byol_kedro.parameters import Pretrain

logger = get_logger(__name__)

INIT_FROM = "pretrain.init_from"
# Names, what is only watched, and what only says how a training is kept.
INDIFFERENT = {"recipe", "online_knn", "checkpoint", "resume"}
RESOLVED = {"precision", "init_from"}  # what they stand for matters, not how it was said


def begin(folder: TrainingFolder, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    """Brings `state` and `monitor` to where the training begins, and says so in a line where that is not step 0.

    With `resume: false` the checkpoints of this training are removed first. In the lineage of `state` a training has
    the name of its folder.

    Raises:
        UserError: the file of `init_from` is missing, holds code, or does not fit the network; there is no
            finished training of `continue_from_epochs` epochs.
    """
    if not plan.parameters.resume:
        folder.clear()
    checkpoint = folder.newest()
    if checkpoint is not None:
        _go_on(checkpoint, plan, state, monitor)
        return
    if plan.parameters.continue_from_epochs is not None:
        _continue(folder, plan, state, monitor)
        state.lineage = (*state.lineage, folder.path.name)
        return
    state.lineage = (folder.path.name,)
    differences = folder.differences() if plan.parameters.resume else ""
    if differences:
        logger.info(
            "the last training here differs in %s: its checkpoints are left alone, this one starts anew in %s",
            differences, folder.path,
        )  # fmt: skip
    initialize(state, plan.parameters)


def _go_on(checkpoint: Checkpoint, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    restore_snapshot(checkpoint.content.arrays, checkpoint.content.header, state, monitor)
    if state.step == plan.steps:
        logger.info(
            "this training is finished (checkpoint of %s) and is taken as it is; "
            "--params pretrain.resume=false trains anew",
            _time(checkpoint),
        )
    else:
        steps = f"step {state.step:,} of {plan.steps:,}"
        logger.info("goes on from %s (checkpoint of %s)", steps, _time(checkpoint))


def _continue(folder: TrainingFolder, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    """Goes on from the end of a shorter training, along the schedules of this one."""
    epochs = plan.parameters.continue_from_epochs
    assert epochs is not None
    checkpoint = _finished(folder, epochs, epochs * plan.steps_an_epoch)
    if checkpoint is None:
        raise UserError(
            f"pretrain.continue_from_epochs: there is no finished training of {counted(epochs, 'epoch')}, otherwise "
            f"like this one, under {folder.path.parent}; run it first, with pretrain.epochs={epochs}"
        )
    restore_snapshot(checkpoint.content.arrays, checkpoint.content.header, state, monitor)
    logger.info("continues the training of %s (checkpoint of %s)", counted(epochs, "epoch"), _time(checkpoint))


def _finished(folder: TrainingFolder, epochs: int, steps: int) -> Checkpoint | None:
    """The end of the training of `epochs` epochs that is otherwise like the one of `folder`.

    One trained from the start goes before those that were continued themselves; of these the one that was continued
    from the most epochs goes first.
    """
    for earlier in (None, *reversed(range(1, epochs))):
        checkpoint = folder.sibling({"epochs": epochs, "continue_from_epochs": earlier}).newest()
        if checkpoint is not None and checkpoint.step == steps:
            return checkpoint
    return None


def initialize(state: TrainState, parameters: Pretrain) -> None:
    """Takes over the weights of `parameters.init_from`, if it is given. Raises UserError as `begin` does."""
    if parameters.init_from is None:
        return
    path = Path(parameters.init_from)
    content, header = read_weights(path, INIT_FROM)
    for key, ours in (("architecture", parameters.encoder.name), ("stem", parameters.encoder.stem)):
        if header.get(key, ours) != ours:
            raise UserError(
                f"{INIT_FROM}: the encoder in {path} has {key} {header[key]}, this training {ours}; "
                f"set pretrain.encoder.{'name' if key == 'architecture' else key}={header[key]}"
            )
    taken = take_over(state.network, content, f"{INIT_FROM}: {path}")
    told = f"; {taken.told}" if taken.told else ""
    logger.info("starts from %s: %s are taken over; anew starts %s%s", path, ", ".join(taken.parts), taken.anew, told)


def file_mark(path: str | None) -> str | None:
    """sha256 (hex) of the file at `path`; None for none. Raises UserError where it is missing or no regular file."""
    if path is None:
        return None
    if not is_regular(Path(path), INIT_FROM):
        raise UserError(f"{INIT_FROM}: {path} cannot be read: there is no such file")
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{INIT_FROM}: {path} cannot be read: {error.strerror}") from error


def _time(checkpoint: Checkpoint) -> str:
    """`12:31`, with the date where that is not today."""
    written = checkpoint.written
    today = written.date() == datetime.now(tz=written.tzinfo).date()
    return written.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def identity_of(
    parameters: Pretrain, images_unlabeled: Images, images_train: Images, seed: int, device: torch.device
) -> dict[str, Any]:
    """JSON values by a name that says to a user what they are, as in `optimizer.lr`.

    Raises:
        UserError: the file of `init_from` is missing.
    """
    return {
        **dict(_flat(parameters.model_dump(mode="json", exclude=INDIFFERENT | RESOLVED))),
        "images_unlabeled": images_unlabeled.fingerprint,
        "images_train": images_train.fingerprint,
        "image_size": images_train.pixels.shape[-1],
        "init_from": file_mark(parameters.init_from),
        "seed": seed,
        "device": device.type,
        "precision": str(autocast_dtype(device, parameters.precision) or torch.float32),
        "code": f"{version('byol-kedro')}-{_code()}",
        "torch": version("torch"),
        "timm": version("timm"),
    }


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@cache
def _code() -> str:
    """A hash of the code that trains: a version number alone does not change with every change of it."""
    digest = sha256()
    root = Path(byol.__file__).parent
    for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py")):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()[:12]
