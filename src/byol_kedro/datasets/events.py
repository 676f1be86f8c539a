"""TensorBoard event files: one folder per training, not versioned, because a resumed training adds to its own.

The project does not read them; they may be deleted at any time.
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
    """Writes the events of one training. Each call flushes the file; a full disk does not stop the training."""

    def __init__(self, writer: "SummaryWriter") -> None:
        """Wrap a writer of TensorBoard."""
        self._writer = writer
        self._broken = False

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curve of each name; NaN, which means not measured, is skipped."""
        for name, value in values.items():
            if not math.isnan(value):
                self._try(self._writer.add_scalar, name, value, step)
        self._try(self._writer.flush)

    def image(self, name: str, step: int, pixels: npt.NDArray[np.uint8]) -> None:
        """Add an image (H, W, 3) uint8."""
        self._try(self._writer.add_image, name, pixels, step, dataformats="HWC")
        self._try(self._writer.flush)

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):  # already logged
            self._writer.close()

    def _try(self, write: Callable[..., None], *args: Any, **kwargs: Any) -> None:
        if self._broken:
            return
        try:
            write(*args, **kwargs)
        except OSError as error:
            self._broken = True
            logger.warning("TensorBoard: cannot write events, the training continues without them: %s", error)


class EventFolder:
    """The event files of all trainings of an environment."""

    def __init__(self, root: Path) -> None:
        """Take the folder that has a subfolder per training."""
        self.root = root

    def has_events(self, name: str) -> bool:
        """Return whether the training `name` has event files."""
        return any((self.root / name).glob("events.*"))

    @contextmanager
    def writer(self, name: str, *, done: int) -> Iterator[EventWriter]:
        """Open a writer. Events of later steps, from an earlier process, are purged.

        Needs the extra `tensorboard`, which is checked with the parameters.

        Args:
            name: Name of the training.
            done: Steps that the training has done.

        Raises:
            UserError: The file cannot be written.
        """
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  # an optional package, slow to import

        try:
            writer = EventWriter(SummaryWriter(str(self.root / name), purge_step=done + 1))
        except OSError as error:
            raise UserError(f"TensorBoard: cannot write to {self.root / name}: {error}") from error
        try:
            yield writer
        finally:
            writer.close()


class EventsDataset(AbstractDataset[Any, EventFolder]):
    """Loads an `EventFolder`; nothing is created on load."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the arguments of the catalog entry."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> EventFolder:
        """Return the folder."""
        return EventFolder(self._filepath)

    def save(self, data: Any) -> NoReturn:  # noqa: ARG002  # Kedro's interface
        """Raise UserError: events are written during the training."""
        raise UserError(f"{self._filepath} is written during the training and cannot be the output of a node")

    def _exists(self) -> bool:
        return True  # a missing folder has no events

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
