"""What decides the result of a training: two trainings that agree in it may take each other's checkpoints."""

from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from byol_kedro import byol
from byol_kedro.byol.device import autocast_dtype
from byol_kedro.datasets.images import Images
from byol_kedro.parameters import Pretrain
from byol_kedro.pipelines.pretrain.start import file_mark

# Names, what is only watched, and what only says how a training is kept.
INDIFFERENT = {"recipe", "online_knn", "checkpoint", "resume"}
RESOLVED = {"precision", "fine_tune_from"}  # what they stand for matters, not how it was said


def identity_of(
    parameters: Pretrain, images_unlabeled: Images, images_train: Images, seed: int, device: torch.device
) -> dict[str, Any]:
    """JSON values by a name that says to a user what they are, as in `optimizer.lr`.

    Raises:
        UserError: the file of `fine_tune_from` is missing.
    """
    return {
        **dict(_flat(parameters.model_dump(mode="json", exclude=INDIFFERENT | RESOLVED))),
        "images_unlabeled": images_unlabeled.fingerprint,
        "images_train": images_train.fingerprint,
        "image_size": images_train.pixels.shape[-1],
        "fine_tune_from": file_mark(parameters.fine_tune_from),
        "seed": seed,
        "device": device.type,
        "precision": str(autocast_dtype(device, parameters.precision) or torch.float32),
        "code": f"{version('byol-kedro')}-{_code()}",
        "torch": version("torch"),
        "timm": version("timm"),
    }


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@cache
def _code() -> str:
    """A hash of the code that trains: a version number alone does not change with every change of it."""
    digest = sha256()
    for path in sorted(Path(byol.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
