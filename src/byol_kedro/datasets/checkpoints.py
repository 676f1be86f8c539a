"""Checkpoints of trainings: one folder per training, identified by everything that determines its result."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset
from safetensors import SafetensorError
from safetensors.numpy import save_file

from byol_kedro.datasets.tensors import Array, StoredArrays, Tensors
from byol_kedro.errors import UserError
from byol_kedro.files.atomic import replacing
from byol_kedro.files.integrity import DamagedError, check_file
from byol_kedro.files.leftovers import remove_leftovers
from byol_kedro.files.locks import exclusive
from byol_kedro.files.sealed import FINGERPRINT, check_arrays, open_tensors, sealed, unsealed
from byol_kedro.log import get_logger

Identity = Mapping[str, Any]
IDENTITY_FILE = "training.json"
NAME = re.compile(r"step-\d{9,}\.safetensors")
SHOWN = 3  # differences that are listed; the others are counted
log = get_logger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """An intact checkpoint: optimizer steps done, time of writing, and content."""

    step: int
    written: datetime
    content: Tensors


class TrainingFolder:
    """The checkpoints of one training."""

    def __init__(self, path: Path, identity: Identity) -> None:
        """Take the folder and the identity of the training; see `Checkpoints.of`."""
        self.path = path
        self.identity = identity

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait until no other process runs this training, and lock it during the block.

        If the lock file cannot be created, neither can checkpoints, and the block runs without a lock.
        """
        message = (
            f"another process runs the same training (checkpoints in {self.path}): waiting until it ends; "
            "press Ctrl-C to stop waiting"
        )
        with ExitStack() as stack:
            with suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(exclusive(self.path.with_name(f".{self.path.name}.lock"), message))
            yield

    def write(self, step: int, arrays: Mapping[str, Array], header: dict[str, str], keep: int) -> None:
        """Write a checkpoint atomically, and remove all but the last `keep` up to it.

        Raises:
            UserError: The file cannot be written, for example because the disk is full.
        """
        try:
            if _identity_in(self.path / IDENTITY_FILE) is None:
                _remove_other_kinds(self.path / IDENTITY_FILE)
                with replacing(self.path / IDENTITY_FILE) as temporary:
                    temporary.write_text(_as_json(self.identity), "utf-8")
            path = self._file(step)
            _remove_other_kinds(path)
            with replacing(path, sum(array.nbytes for array in arrays.values())) as temporary:
                save_file(dict(arrays), temporary, metadata=sealed(header, arrays, _place(path)))
            files = self._files()
            # A checkpoint of a later step can only be a damaged one that was ignored.
            later = [path for path in files if _step(path) > step]
            for old in [*later, *files[len(later) + keep :]]:
                if not old.is_dir():
                    old.unlink(missing_ok=True)
            remove_leftovers(self.path)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot write a checkpoint to {self.path}: {error}") from error

    def newest(self) -> Checkpoint | None:
        """Return the newest intact checkpoint, or None. Logs a warning for each damaged one."""
        for path in self._files():
            try:
                content = _read(path)
            except DamagedError as error:
                log.warning("the checkpoint %s is damaged and ignored: it %s", path, error.fault)
            else:
                written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).astimezone()
                return Checkpoint(_step(path), written, content)
        return None

    def differences(self) -> str:
        """Describe how this training differs from the most recent other one; empty if there is no other.

        For example `steps (440 there, 880 here)`.
        """
        others = [path for path in self.path.parent.glob(f"*/{IDENTITY_FILE}") if path.parent != self.path]
        newest_first = sorted(others, key=lambda path: path.parent.stat().st_mtime, reverse=True)
        theirs = next((found for path in newest_first if (found := _identity_in(path)) is not None), None)
        if theirs is None:
            return ""
        ours = json.loads(_as_json(self.identity))
        differing = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
        texts = [f"{name} ({_short(theirs.get(name))} there, {_short(ours.get(name))} here)" for name in differing]
        rest = [f"and {len(differing) - SHOWN} more"] if len(differing) > SHOWN else []
        return ", ".join(texts[:SHOWN] + rest)

    def siblings(self, changes: Identity, varying: str) -> "dict[Any, TrainingFolder]":
        """Return the folders of the trainings that differ from this one by `changes`, by their value of `varying`."""
        wanted = json.loads(_as_json({**self.identity, **changes, varying: None}))
        identities = filter(None, map(_identity_in, self.path.parent.glob(f"*/{IDENTITY_FILE}")))
        return {
            theirs[varying]: Checkpoints(self.path.parent).of(theirs)
            for theirs in identities
            if varying in theirs and {**theirs, varying: None} == wanted
        }

    def clear(self) -> None:
        """Remove all checkpoints of this training."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _file(self, step: int) -> Path:
        return self.path / f"step-{step:09d}.safetensors"

    def _files(self) -> list[Path]:
        """The checkpoints, newest first; copies with other names are ignored."""
        return sorted((path for path in self.path.glob("step-*") if NAME.fullmatch(path.name)), reverse=True)


class Checkpoints:
    """The checkpoints of all trainings of an environment, in one folder that may be deleted at any time."""

    def __init__(self, root: Path) -> None:
        """Take the folder, which need not exist."""
        self.root = root

    def size(self) -> int:
        """Return the number of bytes of all checkpoints that are there."""
        files = (path for path in self.root.glob("*/step-*") if NAME.fullmatch(path.name) and path.is_file())
        return sum(path.stat().st_size for path in files)

    def of(self, identity: Identity) -> TrainingFolder:
        """Return the folder of the training with this identity (JSON values); it need not exist."""
        return TrainingFolder(self.root / _name_of(_as_json(identity).encode()), identity)


class CheckpointsDataset(AbstractDataset[Any, Checkpoints]):
    """Loads `Checkpoints`; nothing is read on load."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the arguments of the catalog entry."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Checkpoints:
        """Return the folder."""
        return Checkpoints(self._filepath)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        """Raise UserError: checkpoints are written during the training."""
        raise UserError(f"{self._filepath} is written during the training and cannot be the output of a node")

    def _exists(self) -> bool:
        return True  # a missing folder has no checkpoints

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _as_json(identity: Identity) -> str:
    return json.dumps(dict(identity), sort_keys=True, indent=1)


def _name_of(identity: bytes) -> str:
    """The folder name of a training."""
    return sha256(identity).hexdigest()[:16]


def _identity_in(path: Path) -> dict[str, Any] | None:
    """The identity in a file; None if it is missing, damaged, or does not match its folder."""
    try:
        check_file(path)
        content = path.read_bytes()
    except (DamagedError, OSError):
        return None
    return dict(json.loads(content)) if _name_of(content) == path.parent.name else None


def _read(path: Path) -> Tensors:
    """Read a checkpoint. Raises DamagedError if it is damaged or of another training or step."""
    with open_tensors(path) as file:
        stored, names = dict(file.metadata() or {}), list(file.keys())
    header = unsealed(path, stored, _place(path))
    check_arrays(path, header[FINGERPRINT])
    return Tensors(StoredArrays(path, names, header.pop(FINGERPRINT)), header)


def _place(path: Path) -> str:
    """Training and step, as recorded in the header."""
    return f"{path.parent.name}/{path.name}"


def _remove_other_kinds(path: Path) -> None:
    """Remove a pipe, device or broken link in place of a checkpoint; a folder is kept."""
    if not path.is_file() and not path.is_dir():
        with suppress(OSError):  # the following write reports the error
            path.unlink()


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
