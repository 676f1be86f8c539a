"""Convert errors that the user can fix to `UserError`."""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from kedro.config import MissingConfigException
from kedro.framework.cli.utils import KedroCliError
from kedro.io import DatasetError, DatasetNotFoundError
from kedro.io.core import VersionNotFoundError
from kedro.pipeline.pipeline import OutputNotUniqueError

from byol_kedro.errors import StoppedError, UserError
from byol_kedro.files.integrity import DamagedError
from byol_kedro.pipeline_registry import PARTS, build_pipelines
from byol_kedro.runs.versions import MANIFEST
from byol_kedro.suggestions import did_you_mean

# Kedro's messages for unknown nodes, tags and entries.
UNKNOWN_NAMES = ("Pipeline does not contain", "Pipeline contains no nodes")
UNKNOWN_ENTRIES = re.compile(r"'load_versions' keys \[(.+)\] are not found in the catalog")
# Kedro's messages for an invalid entry of catalog.yml.
WRONG_ENTRY = (
    "An exception occurred when parsing config for dataset", "is not a valid dataset configuration",
    "must only contain arguments valid for the constructor", "Failed to instantiate dataset",
    "Incorrect dataset configuration provided", "Unable to find credentials",
)  # fmt: skip
# torch's messages on a CPU; on a GPU it has its own class.
NO_MEMORY = ("[enforce fail at alloc_cpu.cpp", "DefaultCPUAllocator")
BAD_PATHS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR}
NO_FOLDER = "is not a valid directory: "  # Kedro's message for an unknown environment


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def as_user_error(error: BaseException) -> UserError | None:
    """Return the UserError that caused `error` or describes it; None if the user cannot fix it."""
    for cause in causes(error):
        if isinstance(cause, UserError):
            return _with_writer(cause) if isinstance(cause, DamagedError) else cause
        if isinstance(cause, KeyboardInterrupt):
            return StoppedError()
        message = _message(cause)
        if message is not None:
            return UserError(message)
    return None


def _message(cause: BaseException) -> str | None:
    """Return a message for an error of another package; None if the user cannot fix it."""
    text = " ".join(str(cause).split())
    if isinstance(cause, OSError) and cause.errno in BAD_PATHS and cause.filename:
        fix = "fix its permissions or " if isinstance(cause, PermissionError) else ""
        return f"{cause.filename}: {cause.strerror}; {fix}choose another path"
    if _out_of_memory(cause):
        return (
            f"out of memory{f' ({text})' if text else ''}; reduce pretrain.batch_size (with more "
            "pretrain.accumulation_steps), ingest.image_size or pretrain.heads.hidden_dim, or choose a smaller "
            "pretrain.encoder.name; after the training, reduce the sizes of the step that failed, such as "
            "pair_model.widths"
        )
    if isinstance(cause, MissingConfigException):
        return _missing_config(str(cause))
    unknown = UNKNOWN_ENTRIES.search(text) if isinstance(cause, DatasetError) else None
    if unknown:
        return _unknown_entries(unknown[1].split(", "))
    if isinstance(cause, OutputNotUniqueError):
        text += " An encoder is either trained or imported: leave out pretrain or import_encoder"
    named_wrong = isinstance(cause, ValueError) and text.startswith(UNKNOWN_NAMES)
    wrong_entry = isinstance(cause, DatasetError | KeyError) and any(message in text for message in WRONG_ENTRY)
    if (
        named_wrong
        or wrong_entry
        or isinstance(cause, VersionNotFoundError | DatasetNotFoundError | OutputNotUniqueError)
    ):
        return text
    return " ".join(cause.message.split()) if isinstance(cause, KedroCliError) else None


def _out_of_memory(cause: BaseException) -> bool:
    # Compared by name, to avoid importing torch.
    named = type(cause).__name__ == "OutOfMemoryError" or NO_MEMORY[0] in str(cause) or NO_MEMORY[1] in str(cause)
    refused = isinstance(cause, OSError) and cause.errno == errno.ENOMEM
    return isinstance(cause, MemoryError) or refused or (isinstance(cause, RuntimeError) and named)


def _missing_config(text: str) -> str:
    """Return a message with the existing environments for an unknown one, else Kedro's message."""
    folder = Path(text.partition(NO_FOLDER)[2])
    if not folder.name or folder.name == "base" or not folder.parent.is_dir():
        return " ".join(text.split())
    known = sorted(path.name for path in folder.parent.iterdir() if path.is_dir() and path.name != "base")
    return f"--env {folder.name}: there is no environment conf/{folder.name}; expected one of {', '.join(known)}"


def _unknown_entries(names: list[str]) -> str:
    """The message for `--load-versions` of entries that the catalog does not have."""
    known = {MANIFEST}.union(
        *(pipeline.datasets() for pipeline in build_pipelines([*PARTS, "curate", "predict", "explore"]).values())
    )
    entries = {name for name in known if not name.startswith("params:")}
    hint = did_you_mean(names[0], entries, "conf/base/catalog.yml lists all entries")
    return f"--load-versions: there is no catalog entry {names[0]!r}; {hint}"


def _with_writer(error: DamagedError) -> UserError:
    """Add the pipeline that writes the damaged artifact to the message."""
    pipelines = build_pipelines([*PARTS, "curate", "predict", "explore"])
    writers = (name for name, pipeline in pipelines.items() if error.entry in pipeline.all_outputs())
    writer = next(writers, None)
    return UserError(error.message_for(f"the pipeline {writer}")) if writer else error
