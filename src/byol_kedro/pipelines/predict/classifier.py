"""The classifier that names the class of a new image: one of the registered probes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from byol_kedro.byol.finite import check_finite
from byol_kedro.datasets.tensors import Array, Tensors
from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes.base import PROBES, Features
from byol_kedro.parameters import Probes
from byol_kedro.pipelines.predict.known import KnownImages


@dataclass(frozen=True)
class Classifier:
    """`probabilities` maps features (n, D) float32 to (n, C) float32, in the order of `class_names`."""

    class_names: list[str]
    probabilities: Callable[[Features], Features]


def load_classifier(name: str, saved: Tensors, known: KnownImages, parameters: Probes, seed: int) -> Classifier | None:
    """Return the probe `name`, or None if there were not enough labels to fit it.

    A probe that saves arrays is read from `saved`. Any other is fitted to the labeled training images `known`.

    Raises:
        UserError: `saved` lacks the probe, or its arrays hold NaN or infinity.
    """
    probe = PROBES[name]
    if not probe.arrays:
        labeled = known.labels >= 0
        x, y = known.features[labeled], known.labels[labeled]
        if len(np.unique(y)) < 2:
            return None
        fitted = probe.fit(x, y, len(known.class_names), parameters.of(name), seed)
        return Classifier(known.class_names, partial(probe.predict, arrays=fitted.arrays))
    if not saved.arrays:
        return None
    names = {array: f"{name}.{array}" for array in probe.arrays}
    missing = [tensor for tensor in names.values() if tensor not in saved.keys()]  # noqa: SIM118  # Tensors is no dict
    if missing:
        raise UserError(
            f"probes of {saved.header.get('version', 'this run')} has no {missing[0]}: "
            "run the pipeline probes again, or choose another predict.probe"
        )
    arrays = {array: saved[tensor] for array, tensor in names.items()}
    check_finite(_of_known_classes(arrays), f"probes: {name}", "run the pipeline probes again")
    return Classifier(json.loads(saved.header["class_names"]), partial(probe.predict, arrays=arrays))


def _of_known_classes(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Remove the bias of classes without training images, which is -inf."""
    return {name: array[~np.isneginf(array)] if name == "bias" else array for name, array in arrays.items()}
