"""Numbers about a split of images, read in pieces."""

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

SHOWN = 5  # classes that a line names

logger = get_logger(__name__)


def tell(splits: Mapping[str, Images]) -> None:
    """Says in one line how many images there are, what was held out or left out, and which files are none."""
    counts = ", ".join(f"{len(images):,} {split}" for split, images in splits.items())
    test, both = splits["test"], len(splits["train"]) + len(splits["test"])
    held_out = f"no test given: {len(test):,} of {both:,} are held out as test" if test.held_out else ""
    broken = sum(len(images.broken) for images in splits.values())
    left_out = f"{broken:,} could not be read and are left out: see data_summary" if broken else ""
    others = ignored_text(sum((Counter(images.ignored) for images in splits.values()), Counter()))
    logger.info("images: %s", "; ".join(filter(None, (counts, held_out, left_out, others))))
    _warn_of_empty_classes(splits["train"])
    if not len(test):
        logger.warning(
            "no test images: what is measured on them is left out; one is held out of each class of two different "
            "images or more"
        )
    for split, images in splits.items():
        if len(images.narrow):
            words, example = narrow_text(len(images.narrow), len(images)), images.names[images.narrow[0]]
            logger.warning("%s: %s; the first is %s", split, words, example)


def _warn_of_empty_classes(train: Images) -> None:
    """As labels that count from 1 on leave one, or images that could not be read."""
    names = train.class_names
    lacking = [names[label] for label in np.setdiff1d(np.arange(len(names)), train.labels)]
    if lacking:
        shown = ", ".join(lacking[:SHOWN]) + (", …" if len(lacking) > SHOWN else "")
        logger.warning(
            "no training image of %d of %s, which cannot be learned: %s",
            len(lacking),
            counted(len(names), "class", "classes"),
            shown,
        )


def describe(images: Images) -> dict[str, Any]:
    """Count, size, classes, channel mean and standard deviation (in [0, 1] units; none for no images)."""
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
