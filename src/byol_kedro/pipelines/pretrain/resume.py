"""The start of a training: from a checkpoint of the same training, from other weights, or from scratch."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from hashlib import file_digest, sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from byol_kedro import byol
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.pretrained_weights import load_matching
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
# These do not change the result.
NOT_IDENTIFYING = {"recipe", "online_knn", "checkpoint", "resume"}
# Replaced by the hash of the file and by numbers of steps.
RESOLVED = {"init_from", "epochs", "steps", "continue_from"}


def resume_or_initialize(folder: TrainingFolder, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    """Restore `state` and `monitor` from the newest checkpoint of this training, or initializes them.

    With `resume: false` the checkpoints of this training are removed first. In the lineage of `state` a training has
    the name of its folder. One line is logged unless the training starts from scratch.

    Raises:
        UserError: the file of `init_from` is missing, contains code or does not match the network, or there is no
            finished training of the length `continue_from`.
    """
    if not plan.parameters.resume:
        folder.clear()
    checkpoint = folder.newest()
    if checkpoint is not None:
        _resume(checkpoint, plan, state, monitor)
        return
    if plan.continue_from is not None:
        _continue_training(folder, plan, state, monitor)
        state.lineage = (*state.lineage, folder.path.name)
        return
    state.lineage = (folder.path.name,)
    differences = folder.differences() if plan.parameters.resume else ""
    if differences:
        logger.info(
            "the last training here differs in %s: its checkpoints are kept, this training starts from step 0 in %s",
            differences, folder.path,
        )  # fmt: skip
    initialize(state, plan.parameters)


def is_finished(folder: TrainingFolder, plan: Plan) -> bool:
    """Whether there is a checkpoint of the last step, which `resume_or_initialize` will use."""
    checkpoint = folder.newest() if plan.parameters.resume else None
    return checkpoint is not None and checkpoint.step == plan.steps


def restore_result(folder: TrainingFolder, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    """Restore the end of the training, which other processes have computed.

    Raises:
        UserError: it could not be written.
    """
    checkpoint = folder.newest()
    if checkpoint is None or checkpoint.step < plan.steps:
        last = f"the last one is of step {checkpoint.step:,}" if checkpoint else "there is none"
        raise UserError(
            f"pretrain: the checkpoint of the last step could not be written to {folder.path}, {last}; free some space "
            "and run the same command to resume from it"
        )
    restore_snapshot(checkpoint.content.arrays, checkpoint.content.header, state, monitor)


def _resume(checkpoint: Checkpoint, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    restore_snapshot(checkpoint.content.arrays, checkpoint.content.header, state, monitor)
    if state.step == plan.steps:
        logger.info(
            "this training is already finished (checkpoint of %s) and is reused; "
            "use --params pretrain.resume=false to train again",
            _time(checkpoint),
        )
    else:
        steps = f"step {state.step:,} of {plan.steps:,}"
        logger.info("resuming from %s (checkpoint of %s)", steps, _time(checkpoint))


def _continue_training(folder: TrainingFolder, plan: Plan, state: TrainState, monitor: Monitor) -> None:
    """Restore the end of a shorter training, to continue it along the schedules of this one."""
    given, unit = plan.parameters.continue_from, plan.parameters.unit
    assert given is not None
    assert plan.continue_from is not None
    checkpoint, length = _finished(folder, plan.continue_from), counted(given, unit.removesuffix("s"))
    if checkpoint is None:
        raise UserError(
            f"pretrain.continue_from: there is no finished training of {length} with otherwise equal parameters in "
            f"{folder.path.parent}; run it first, with pretrain.{unit}={given}"
        )
    restore_snapshot(checkpoint.content.arrays, checkpoint.content.header, state, monitor)
    logger.info("continuing the training of %s (checkpoint of %s)", length, _time(checkpoint))


def _finished(folder: TrainingFolder, steps: int) -> Checkpoint | None:
    """The end of the training of `steps` steps that is otherwise equal to the training of `folder`.

    A training without `continue_from` is preferred, then the one with the largest `continue_from`.
    """
    found = folder.siblings({"steps": steps}, "continue_from")
    for earlier in sorted(found, key=lambda value: (value is not None, -(value or 0))):
        checkpoint = found[earlier].newest()
        if checkpoint is not None and checkpoint.step == steps:
            return checkpoint
    return None


def initialize(state: TrainState, parameters: Pretrain) -> None:
    """Load the weights of `parameters.init_from`, if it is set.

    Raises:
        UserError: the file is missing, contains code or does not match the network.
    """
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
    loaded = load_matching(state.network, content, f"{INIT_FROM}: {path}")
    note = f"; {loaded.note}" if loaded.note else ""
    logger.info("initialized from %s: %s; random: %s%s", path, ", ".join(loaded.parts), loaded.random, note)


def file_hash(path: str | None) -> str | None:
    """The sha256 (hex) of the file at `path`, or None if there is no path.

    Raises:
        UserError: the file is missing, not a regular file, or cannot be read.
    """
    if path is None:
        return None
    if not is_regular(Path(path), INIT_FROM):
        raise UserError(f"{INIT_FROM}: {path} does not exist")
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{INIT_FROM}: {path} cannot be read: {error.strerror}") from error


def _time(checkpoint: Checkpoint) -> str:
    """`12:31`, with the date if that is not today."""
    written = checkpoint.written
    today = written.date() == datetime.now(tz=written.tzinfo).date()
    return written.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")


def training_identity(
    parameters: Pretrain, images_unlabeled: Images, images_train: Images, seed: int, device: torch.device
) -> dict[str, Any]:
    """Everything that determines the result of a training: JSON values by names such as `optimizer.lr`.

    The precision of `parameters` is not `auto`. Of `init_from`, the hash of the file counts, of lengths the steps.

    Raises:
        UserError: the file of `init_from` is missing, or there are fewer images than one step needs.
    """
    plan = Plan(parameters, len(images_unlabeled) + len(images_train), seed)
    return {
        **dict(_flat(parameters.model_dump(mode="json", exclude=NOT_IDENTIFYING | RESOLVED))),
        "images_unlabeled": images_unlabeled.fingerprint,
        "images_train": images_train.fingerprint,
        "image_size": images_train.pixels.shape[-1],
        # The same training, whether its length is in epochs or in steps.
        "steps": plan.steps,
        "continue_from": plan.continue_from,
        "init_from": file_hash(parameters.init_from),
        "seed": seed,
        "device": device.type,
        "code": f"{version('byol-kedro')}-{_code_hash()}",
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
def _code_hash() -> str:
    """A hash of byol/: the version number does not change with every change of the code."""
    digest = sha256()
    root = Path(byol.__file__).parent
    for name in sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py")):
        digest.update(name.encode() + b"\0" + (root / name).read_bytes())
    return digest.hexdigest()[:12]
