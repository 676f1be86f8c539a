"""TensorBoard's event files: a folder for each training, not versioned, since a training that goes on adds to its own.

Nothing in the project reads them: they may be deleted at any time.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt
from kedro.io import AbstractDataset

from byol_kedro.errors import UserError
from byol_kedro.log import get_logger

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

logger = get_logger(__name__)


class EventWriter:
    """What one training shows; all of it is in the file when a call returns. No training dies of a full disk."""

    def __init__(self, writer: "SummaryWriter") -> None:
        self._writer = writer
        self._broken = False

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point at `step` of the curve of each name; NaN, which stands for what was not measured, is left out."""
        for name, value in values.items():
            if not math.isnan(value):
                self._try(self._writer.add_scalar, name, value, step)
        self._try(self._writer.flush)

    def image(self, name: str, step: int, pixels: npt.NDArray[np.uint8]) -> None:
        """`pixels`: (H, W, 3) uint8."""
        self._try(self._writer.add_image, name, pixels, step, dataformats="HWC")
        self._try(self._writer.flush)

    def close(self) -> None:
        with suppress(OSError):  # it has been told
            self._writer.close()

    def _try(self, write: Callable[..., None], *given: Any, **named: Any) -> None:
        if self._broken:
            return
        try:
            write(*given, **named)
        except OSError as error:
            self._broken = True
            logger.warning("TensorBoard: no more events of this training, which goes on: %s", error)


class EventFolder:
    """The event files of all trainings of an environment."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def holds(self, name: str) -> bool:
        """Whether the training `name` has event files."""
        return any((self.root / name).glob("events.*"))

    @contextmanager
    def writer(self, name: str, *, done: int) -> Iterator[EventWriter]:
        """A writer for the training `name` that has `done` steps behind it.

        What an earlier process wrote of later steps is void: TensorBoard shows each step once. Needs the extra
        `tensorboard`, which the check of the parameters has asked for.

        Raises:
            UserError: no file can be written there.
        """
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (an extra, and slow to import)

        try:
            writer = EventWriter(SummaryWriter(str(self.root / name), purge_step=done + 1))
        except OSError as error:
            raise UserError(f"TensorBoard: could not write to {self.root / name}: {error}") from error
        try:
            yield writer
        finally:
            writer.close()


class EventsDataset(AbstractDataset[Any, EventFolder]):
    """Loads a handle on a folder; nothing is made before it is asked for."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> EventFolder:
        return EventFolder(self._filepath)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        raise UserError(f"{self._filepath} is written by the training as it goes, never at its end")

    def _exists(self) -> bool:
        return True  # no folder is no events

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
