"""Summary of the ingested images."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from byol_kedro.byol.statistics import channel_statistics
from byol_kedro.datasets.images import Images
from byol_kedro.files.decode import narrow_text
from byol_kedro.log import counted, get_logger
from byol_kedro.sources.source import UNKNOWN_LABEL
from byol_kedro.sources.walk import ignored_text

SHOWN = 5  # classes in a message

logger = get_logger(__name__)


def log_summary(splits: Mapping[str, Images]) -> None:
    """Log how many images there are, how many were held out, and how many files were skipped or ignored."""
    counts = ", ".join(f"{len(images):,} {split}" for split, images in splits.items())
    test, both = splits["test"], len(splits["train"]) + len(splits["test"])
    held_out = f"no test split: {len(test):,} of {both:,} are held out as test" if test.held_out else ""
    broken = sum(len(images.broken) for images in splits.values())
    skipped = f"{broken:,} could not be read and are skipped, see data_summary" if broken else ""
    others = ignored_text(sum((Counter(images.ignored) for images in splits.values()), Counter()))
    logger.info("images: %s", "; ".join(filter(None, (counts, held_out, skipped, others))))
    _warn_of_empty_classes(splits["train"])
    if not len(test):
        logger.warning(
            "no test images, so the results on them are skipped; images are held out of classes with at least two "
            "different images"
        )
    for split, images in splits.items():
        if len(images.narrow):
            text, first = narrow_text(len(images.narrow), len(images)), images.names[images.narrow[0]]
            logger.warning("%s: %s; the first is %s", split, text, first)


def _warn_of_empty_classes(train: Images) -> None:
    """Warn of classes without training images, for example because labels start at 1 or files are unreadable."""
    names = train.class_names
    empty = [names[label] for label in np.setdiff1d(np.arange(len(names)), train.labels)]
    if empty:
        shown = ", ".join(empty[:SHOWN]) + (", …" if len(empty) > SHOWN else "")
        logger.warning(
            "%d of %s without training images, which cannot be learned: %s",
            len(empty),
            counted(len(names), "class", "classes"),
            shown,
        )


def describe(images: Images) -> dict[str, Any]:
    """Return count, size, classes, and mean and standard deviation of each channel in [0, 1] (empty if no images)."""
    count, channels, height, width = images.pixels.shape
    mean, deviation = channel_statistics([images.pixels])
    known = images.labels[images.labels != UNKNOWN_LABEL]
    per_class = np.bincount(known, minlength=len(images.class_names)).tolist()
    return {
        "count": count,
        "height": height,
        "width": width,
        "bytes": count * channels * height * width,
        "classes": dict(zip(images.class_names, per_class, strict=True)) if len(known) else {},
        "without_label": count - len(known),
        "folds": len(images.folds),
        "narrow_range": len(images.narrow),
        "broken": images.broken,
        "ignored": images.ignored,
        "mean": list(mean),
        "std": list(deviation),
        "source": images.source,
        "fingerprint": images.fingerprint,
    }
