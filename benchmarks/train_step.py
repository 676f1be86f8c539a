"""The share of the networks' passes in a training step.

    python benchmarks/train_step.py [--rounds 7] [--size 96] [--views 64] [--precision bfloat16] [--batch 64]

Bare passes: forward and backward passes of both networks on prepared views. Whole step: the same with augmentation,
optimizer and target update. Rounds are paired, so that other load on the machine affects both. Prints medians and the
median of the ratios.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.precision import autocast_dtype, resolve_precision
from byol_kedro.byol.state import TrainState, initial_state
from byol_kedro.byol.step import Views, train_step
from byol_kedro.parameters import Pretrain

RECIPE = Path(__file__).parents[1] / "conf/base/parameters_pretrain.yml"


def bare_passes(state: TrainState, views: Views, dtype: torch.dtype | None) -> None:
    state.network.zero_grad(set_to_none=True)
    with torch.autocast(state.device.type, dtype=dtype, enabled=dtype is not None):
        loss, _ = state.network.loss(*views)
    loss.backward()


def whole_step(state: TrainState, images: torch.Tensor, parameters: Pretrain, dtype: torch.dtype | None) -> None:
    mean, std = torch.full((2, 3), 0.5, device=state.device)
    first, second = (
        augment(images, view, state.generator, size=parameters.views.size, mean=mean, std=std)
        for view in (parameters.views.first, parameters.views.second)
    )
    train_step(state, [(first, second)], lr=0.05, tau=0.99, dtype=dtype)


def seconds(work: Callable[[], None], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=96, help="pixels")
    parser.add_argument("--views", type=int, help="pixels; by default those of the images")
    parser.add_argument("--stem", default="imagenet")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    values = yaml.safe_load(RECIPE.read_text())["pretrain"]
    values["views"]["size"], values["encoder"]["stem"] = given.views, given.stem
    parameters = Pretrain.model_validate(values)
    device, side = resolve_device(given.device), given.views or given.size
    state = initial_state(parameters, given.size, 0, device)
    precision, _ = resolve_precision(given.precision, state.network.encoder, side)
    dtype = autocast_dtype(precision)
    images = torch.randint(0, 256, (given.batch, 3, given.size, given.size), dtype=torch.uint8, device=device)
    first, second = torch.randn((2, given.batch, 3, side, side), device=device)
    views = (
        first.contiguous(memory_format=torch.channels_last),
        second.contiguous(memory_format=torch.channels_last),
    )
    rounds = []
    for _ in range(given.rounds + 1):
        bare = seconds(lambda: bare_passes(state, views, dtype), device)
        step = seconds(lambda: whole_step(state, images, parameters, dtype), device)
        rounds.append((bare, step))
    rounds = rounds[1:]  # the first sets up buffers
    bare, step = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / s for b, s in rounds)
    print(
        f"{parameters.encoder.name}, stem {given.stem}, images of {given.size} px, views of {side} px, "
        f"batch {given.batch}, {precision}, {device}, {torch.get_num_threads()} threads"
    )
    print(f"bare passes {bare * 1000:.0f} ms, whole step {step * 1000:.0f} ms, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
