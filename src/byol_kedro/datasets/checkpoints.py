"""Checkpoints of trainings: a folder for each training, found by what decides its result, not versioned."""

import json
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

from byol_kedro.datasets.files import replacing
from byol_kedro.datasets.leftovers import remove_leftovers
from byol_kedro.datasets.locks import alone
from byol_kedro.datasets.tensors import Array, StoredArrays, Tensors, fingerprint, open_tensors
from byol_kedro.errors import UserError
from byol_kedro.log import get_logger

Identity = Mapping[str, Any]
WHAT = "training.json"
DIGEST = "digest"
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
    def alone(self) -> Iterator[None]:
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
                stack.enter_context(alone(self.path.with_name(f".{self.path.name}.lock"), told))
            yield

    def write(self, step: int, arrays: Mapping[str, Array], header: dict[str, str], keep: int) -> None:
        """Writes a checkpoint whole and to the disk, or leaves all as it was; then the last `keep` up to it stay.

        Raises:
            UserError: it cannot be written; the disk is full, for example.
        """
        try:
            if not (self.path / WHAT).exists():
                with replacing(self.path / WHAT) as temporary:
                    temporary.write_text(_as_json(self._identity), "utf-8")
            with replacing(self._file(step), sum(array.nbytes for array in arrays.values())) as temporary:
                save_file(dict(arrays), temporary, metadata={**header, DIGEST: _digest(arrays, header)})
            files = self._files()
            # A later step than the one just reached can only be a damaged checkpoint that was passed over.
            later = [path for path in files if _step(path) > step]
            for old in [*later, *files[len(later) + keep :]]:
                old.unlink(missing_ok=True)
            remove_leftovers(self.path)
        except (OSError, SafetensorError) as error:
            raise UserError(f"could not write a checkpoint under {self.path}: {error}") from error

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; a line for each that is not. None where there is none."""
        for path in self._files():
            content = _read(path)
            if content is not None:
                written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC).astimezone()
                return Checkpoint(_step(path), written, content)
            log.warning("the checkpoint %s is cut or corrupt and is passed over", path)
        return None

    def differences(self) -> str:
        """How this training differs from the one beside it that wrote last: `epochs (40 there, 80 here)`, …

        Empty where no other training has checkpoints here.
        """
        others = [path for path in self.path.parent.glob(f"*/{WHAT}") if path.parent != self.path]
        if not others:
            return ""
        theirs = json.loads(max(others, key=lambda path: path.parent.stat().st_mtime).read_text("utf-8"))
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
        """Newest first."""
        return sorted(self.path.glob("step-*.safetensors"), reverse=True)


class Checkpoints:
    """The checkpoints of all trainings of an environment, under one folder that may be deleted at any time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, identity: Identity) -> TrainingFolder:
        """The folder of the training that `identity` (JSON values) describes; it need not be there."""
        return TrainingFolder(self._root / sha256(_as_json(identity).encode()).hexdigest()[:16], identity)


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


def _digest(arrays: Mapping[str, Array], header: Mapping[str, str]) -> str:
    """sha256 (hex) over all arrays and the header."""
    return sha256(f"{fingerprint(arrays)}{json.dumps(dict(header), sort_keys=True)}".encode()).hexdigest()


def _read(path: Path) -> Tensors | None:
    """What was written, or None where it is not whole."""
    try:
        with open_tensors(path) as file:
            header, names = dict(file.metadata() or {}), list(file.keys())
        arrays = StoredArrays(path, names)
        digest = header.pop(DIGEST, "")
        return Tensors(arrays, header) if digest == _digest(arrays, header) else None
    except (OSError, SafetensorError, UserError):
        return None


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
