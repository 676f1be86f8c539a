"""Small images, networks and recipes for the tests of training."""

from typing import Any

import numpy as np
import torch

from byol_kedro.byol.state import TrainState, initial_state
from byol_kedro.parameters import Pretrain

CPU = torch.device("cpu")
SIZE = 16  # pixels
VIEW = {
    "scale": [0.3, 1.0],
    "ratio": [0.75, 1.3333],
    "hflip_prob": 0.5,
    "color_jitter_prob": 0.8,
    "brightness": 0.4,
    "contrast": 0.4,
    "saturation": 0.2,
    "hue": 0.1,
    "grayscale_prob": 0.2,
    "blur_prob": 0.5,
    "blur_sigma": [0.1, 2.0],
    "solarize_prob": 0.1,
}
RECIPE: dict[str, Any] = {
    "recipe": "test",
    "encoder": {"name": "test_resnet", "stem": "imagenet", "zero_init_residual": False},
    "heads": {"hidden_dim": 24, "projection_dim": 8},
    "views": {"size": None, "first": VIEW, "second": VIEW | {"solarize_prob": 0.2}},
    "normalize": True,
    "epochs": 2,
    "steps": None,
    "batch_size": 8,
    "accumulation_steps": 1,
    "optimizer": {
        "name": "sgd",
        "lr": 0.05,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "decay_norms_and_biases": False,
        "schedule": "cosine",
        "warmup": 0.25,
    },
    "tau": {"base": 0.9, "schedule": "cosine"},
    "precision": "float32",
    "compile": False,
    "online_knn": {"evaluations": 2, "images": 10},
    "checkpoint": {"minutes": 10, "steps": None, "keep": 2},
    "resume": True,
    "init_from": None,
    "continue_from": None,
}


def recipe(**changes: Any) -> Pretrain:
    """The small recipe; a dict changes some keys of a block."""
    merged = {k: {**RECIPE[k], **v} if isinstance(v, dict) else v for k, v in changes.items()}
    return Pretrain.model_validate(RECIPE | merged)


def small_state(seed: int = 0, **changes: Any) -> TrainState:
    return initial_state(recipe(**changes), SIZE, seed, CPU)


def images(count: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Smooth images of random colors, (count, 3, size, size) uint8, which can be told apart."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 3, 2, 2), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, 1, size // 2, size // 2), dtype=np.uint8))


def compile_without_compiler(monkeypatch) -> list[Any]:
    """Make torch.compile trace without a compiler; return the list of what it compiles."""
    real, calls = torch.compile, []

    def compile_(call: Any, **options: Any) -> Any:
        calls.append(call)
        return real(call, backend="aot_eager", **options)

    monkeypatch.setattr(torch, "compile", compile_)
    return calls


def two_views(count: int = 8, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn((2, count, 3, SIZE, SIZE), generator=generator)
    return first, second
