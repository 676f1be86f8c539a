"""Which errors are the user's to put right, and the line that says so."""

import errno
from collections.abc import Iterator
from pathlib import Path

from kedro.config import MissingConfigException
from kedro.framework.cli.utils import KedroCliError
from kedro.io import DatasetError, DatasetNotFoundError
from kedro.io.core import VersionNotFoundError

from byol_kedro.errors import StoppedError, UserError
from byol_kedro.files.integrity import DamagedError
from byol_kedro.pipeline_registry import PARTS, build_pipelines

# How Kedro begins when --nodes, --from-nodes, --to-outputs and the like name what is not there.
UNKNOWN_NAMES = ("Pipeline does not contain", "Pipeline contains no nodes")
# What it says when an entry of a catalog.yml is wrong.
WRONG_ENTRY = (
    "An exception occurred when parsing config for dataset", "is not a valid dataset configuration",
    "must only contain arguments valid for the constructor", "Failed to instantiate dataset",
    "Incorrect dataset configuration provided", "Unable to find credentials",
)  # fmt: skip
# How torch begins on a CPU; on a GPU it has a class of its own for it.
NO_MEMORY = ("[enforce fail at alloc_cpu.cpp", "DefaultCPUAllocator")
BAD_PATHS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR}
NO_FOLDER = "is not a valid directory: "  # what Kedro says before the path of an environment that is not there


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def as_user_error(error: BaseException) -> UserError | None:
    """What the user can mend in `error`, or has asked for by Ctrl-C, if that is what it is."""
    for cause in causes(error):
        if isinstance(cause, UserError):
            return _with_writer(cause) if isinstance(cause, DamagedError) else cause
        if isinstance(cause, KeyboardInterrupt):
            return StoppedError()
        told = _told(cause)
        if told is not None:
            return UserError(told)
    return None


def _told(cause: BaseException) -> str | None:
    """What the user can mend in an error that is none of ours."""
    text = " ".join(str(cause).split())
    if isinstance(cause, OSError) and cause.errno in BAD_PATHS and cause.filename:
        mend = "mend its mode or its owner, or " if isinstance(cause, PermissionError) else ""
        return f"{cause.filename}: {cause.strerror}; {mend}name another place"
    if _out_of_memory(cause):
        return (
            f"there is not enough memory ({text or 'no more is given'}); less is needed with a smaller "
            "pretrain.batch_size (with more pretrain.accumulation_steps), ingest.image_size or pretrain.encoder.name"
        )
    if isinstance(cause, MissingConfigException):
        return _missing_config(str(cause))
    named_wrong = isinstance(cause, ValueError) and text.startswith(UNKNOWN_NAMES)
    wrong_entry = isinstance(cause, DatasetError | KeyError) and any(words in text for words in WRONG_ENTRY)
    if named_wrong or wrong_entry or isinstance(cause, VersionNotFoundError | DatasetNotFoundError):
        return text
    return " ".join(cause.message.split()) if isinstance(cause, KedroCliError) else None


def _out_of_memory(cause: BaseException) -> bool:
    # By name, since torch takes seconds to import and need not be there.
    named = type(cause).__name__ == "OutOfMemoryError" or NO_MEMORY[0] in str(cause) or NO_MEMORY[1] in str(cause)
    refused = isinstance(cause, OSError) and cause.errno == errno.ENOMEM
    return isinstance(cause, MemoryError) or refused or (isinstance(cause, RuntimeError) and named)


def _missing_config(text: str) -> str:
    """With the environments that there are, where it is one that is missing; else Kedro's own sentence."""
    folder = Path(text.partition(NO_FOLDER)[2])
    if not folder.name or folder.name == "base" or not folder.parent.is_dir():
        return " ".join(text.split())
    known = sorted(path.name for path in folder.parent.iterdir() if path.is_dir() and path.name != "base")
    return f"--env {folder.name}: there is no environment conf/{folder.name}; expected one of {', '.join(known)}"


def _with_writer(error: DamagedError) -> UserError:
    """With the pipeline that is to be run again, where one writes the artifact."""
    pipelines = build_pipelines([*PARTS, "predict"])
    writers = (name for name, pipeline in pipelines.items() if error.entry in pipeline.all_outputs())
    writer = next(writers, None)
    return UserError(error.message_for(f"the pipeline {writer}")) if writer else error
