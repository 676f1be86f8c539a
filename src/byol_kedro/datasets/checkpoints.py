"""Checkpoints of trainings: a folder for each training, found by what decides its result, not versioned."""

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
WHAT = "training.json"
NAME = re.compile(r"step-\d{9,}\.safetensors")
SHOWN = 3  # more differences than this are counted, not listed
log = get_logger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: the optimizer's steps done, when it was written, and what was written."""

    step: int
    written: datetime
    content: Tensors


class TrainingFolder:
    """The checkpoints of one training."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self._identity = identity

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While the block runs, nobody else trains here: who comes second waits and says so.

        Where no lock can be had, no checkpoint can be written either, and the block runs as it is.
        """
        told = (
            f"another process is at this very training, with its checkpoints in {self.path}: waiting for it to end; "
            "Ctrl-C ends the waiting"
        )
        with ExitStack() as stack:
            with suppress(OSError):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(exclusive(self.path.with_name(f".{self.path.name}.lock"), told))
            yield

    def write(self, step: int, arrays: Mapping[str, Array], header: dict[str, str], keep: int) -> None:
        """Writes a checkpoint whole and to the disk, or leaves all as it was; then the last `keep` up to it stay.

        Raises:
            UserError: it cannot be written; the disk is full, for example.
        """
        try:
            if _identity_in(self.path / WHAT) is None:
                _remove_other_kinds(self.path / WHAT)
                with replacing(self.path / WHAT) as temporary:
                    temporary.write_text(_as_json(self._identity), "utf-8")
            path = self._file(step)
            _remove_other_kinds(path)
            with replacing(path, sum(array.nbytes for array in arrays.values())) as temporary:
                save_file(dict(arrays), temporary, metadata=sealed(header, arrays, _place(path)))
            files = self._files()
            # A later step than the one just reached can only be a damaged checkpoint that was passed over.
            later = [path for path in files if _step(path) > step]
            for old in [*later, *files[len(later) + keep :]]:
                if not old.is_dir():
                    old.unlink(missing_ok=True)
            remove_leftovers(self.path)
        except (OSError, SafetensorError) as error:
            raise UserError(f"could not write a checkpoint under {self.path}: {error}") from error

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; a line for each that is not. None where there is none."""
        for path in self._files():
            try:
                content = _read(path)
            except DamagedError as error:
                log.warning("the checkpoint %s is cut or corrupt and is passed over: it %s", path, error.fault)
            else:
                written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).astimezone()
                return Checkpoint(_step(path), written, content)
        return None

    def differences(self) -> str:
        """How this training differs from the one beside it that wrote last: `epochs (40 there, 80 here)`, …

        Empty where no other training has checkpoints here.
        """
        others = [path for path in self.path.parent.glob(f"*/{WHAT}") if path.parent != self.path]
        newest_first = sorted(others, key=lambda path: path.parent.stat().st_mtime, reverse=True)
        theirs = next((found for path in newest_first if (found := _identity_in(path)) is not None), None)
        if theirs is None:
            return ""
        ours = json.loads(_as_json(self._identity))
        odd = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
        told = [f"{name} ({_short(theirs.get(name))} there, {_short(ours.get(name))} here)" for name in odd]
        rest = [f"and {len(odd) - SHOWN} more"] if len(odd) > SHOWN else []
        return ", ".join(told[:SHOWN] + rest)

    def beside(self, changes: Identity) -> "TrainingFolder":
        """The folder of the training that differs from this one by `changes`."""
        return Checkpoints(self.path.parent).of({**self._identity, **changes})

    def clear(self) -> None:
        """Removes all checkpoints of this training."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _file(self, step: int) -> Path:
        return self.path / f"step-{step:09d}.safetensors"

    def _files(self) -> list[Path]:
        """Newest first; a copy by another name is none of them."""
        return sorted((path for path in self.path.glob("step-*") if NAME.fullmatch(path.name)), reverse=True)


class Checkpoints:
    """The checkpoints of all trainings of an environment, under one folder that may be deleted at any time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, identity: Identity) -> TrainingFolder:
        """The folder of the training that `identity` (JSON values) describes; it need not be there."""
        return TrainingFolder(self._root / _name_of(_as_json(identity).encode()), identity)


class CheckpointsDataset(AbstractDataset[Any, Checkpoints]):
    """Loads a handle on a folder; nothing is read before it is asked for."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Checkpoints:
        return Checkpoints(self._filepath)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        raise UserError(f"{self._filepath} is written by the training as it goes, never at its end")

    def _exists(self) -> bool:
        return True  # no folder is no checkpoint

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


def _as_json(identity: Identity) -> str:
    return json.dumps(dict(identity), sort_keys=True, indent=1)


def _name_of(identity: bytes) -> str:
    """Of the folder of a training."""
    return sha256(identity).hexdigest()[:16]


def _identity_in(path: Path) -> dict[str, Any] | None:
    """What the file tells of the training in its folder; None where it is missing, damaged, or of another training."""
    try:
        check_file(path)
        content = path.read_bytes()
    except (DamagedError, OSError):
        return None
    return dict(json.loads(content)) if _name_of(content) == path.parent.name else None


def _read(path: Path) -> Tensors:
    """What was written. DamagedError where it is not whole, or of another training or step."""
    with open_tensors(path) as file:
        stored, names = dict(file.metadata() or {}), list(file.keys())
    header = unsealed(path, stored, _place(path))
    check_arrays(path, header[FINGERPRINT])
    return Tensors(StoredArrays(path, names, header.pop(FINGERPRINT)), header)


def _place(path: Path) -> str:
    """Training and step."""
    return f"{path.parent.name}/{path.name}"


def _remove_other_kinds(path: Path) -> None:
    """A pipe, a device or a link to nothing has no place among checkpoints; a folder is left to the user."""
    if not path.is_file() and not path.is_dir():
        with suppress(OSError):  # the write that follows says why
            path.unlink()


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
