"""Time and memory of the pair model, as a markdown table: `python benchmarks/pair_model.py`.

Steps are those of `fit_pair_model` at the published widths and batch, beside the bare passes with Adam and beside the
loop that is usually written, a DataLoader over saved pairs. Rounds alternate, the medians are compared. The large run
has a process of its own, so that its peak memory is its own; imports are part of it.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import yaml
from kedro.io import Version
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from byol_kedro.datasets.tensors import Tensors, TensorsDataset, mapped
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.pair_model.baselines import predict_pairs
from byol_kedro.pair_model.model import PairModel
from byol_kedro.pair_model.pairs import SPLITS, ConcatArray, ImagePool, PairSet, pair_set, pair_table
from byol_kedro.pair_model.training import fit_pair_model
from byol_kedro.parameters import PairModelParams

PARAMETERS = Path(__file__).parents[1] / "conf" / "base" / "parameters_pair_model.yml"
LATENT = PairModelParams(**yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["pair_model"])
DIM, STEPS = 512, 100
IMAGES, PAIRS = 100_000, 100_000
NAMES = {"ours": "a step of 512 pairs", "bare": "the bare passes with Adam", "usual": "the usual DataLoader loop"}
WIDTHS = (DIM, *LATENT.widths, 16)


def problem(images: int, pairs: int) -> PairSet:
    """Noise: how long a step takes does not depend on what is learned."""
    generator = np.random.default_rng(0)
    left, right = generator.integers(0, images, (2, pairs))
    return PairSet(generator.standard_normal((images, DIM), np.float32), left, right, generator.random(pairs))


def network() -> nn.Sequential:
    layers = [layer for a, b in pairwise(WIDTHS) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def ours(pairs: PairSet) -> None:
    none = PairSet(pairs.features[:0], pairs.left[:0], pairs.right[:0], pairs.target[:0])
    fit_pair_model(pairs, none, Scaler.fit(pairs.features), LATENT.model_copy(update={"epochs": 1}), seed=0)


def bare(pairs: PairSet) -> None:
    """The passes over one batch that lies ready, and Adam."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=LATENT.lr, fused=True)
    x, target = torch.from_numpy(pairs.features[: 2 * LATENT.batch_size]), torch.rand(LATENT.batch_size)
    for _ in range(STEPS):
        step(optimizer, *model(x).chunk(2), target)


def usual(pairs: PairSet) -> None:
    """Both images' features of each pair saved, a DataLoader over them, the network called twice."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=LATENT.lr)
    tensors = (pairs.features[pairs.left], pairs.features[pairs.right], pairs.target.astype(np.float32))
    for x1, x2, target in DataLoader(TensorDataset(*map(torch.from_numpy, tensors)), LATENT.batch_size, shuffle=True):
        step(optimizer, model(x1), model(x2), target)


def step(optimizer: torch.optim.Optimizer, z1: torch.Tensor, z2: torch.Tensor, target: torch.Tensor) -> None:
    optimizer.zero_grad()
    F.l1_loss(torch.linalg.vector_norm(z1 - z2, dim=1), target).backward()
    optimizer.step()


def milliseconds(loops: dict[str, Callable[[PairSet], None]], rounds: int) -> dict[str, float]:
    pairs = problem(5_000, STEPS * LATENT.batch_size)
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop(pairs)
            if turn:  # the first one warms up
                seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(times) / STEPS for name, times in seconds.items()}


def large(folder: str) -> str:
    """100,000 images and pairs: features read from their file, the model fitted, tried, and all embedded."""
    dataset = TensorsDataset(filepath=f"{folder}/latents.safetensors", version=Version("a", "a"))
    start, before = time.perf_counter(), peak()
    stored = dataset.load()
    names = [f"train/{i}" for i in range(IMAGES)]
    generator = np.random.default_rng(0)
    left, right = generator.integers(0, IMAGES, (2, PAIRS))
    split = np.repeat(SPLITS, [PAIRS * 72 // 100, PAIRS * 8 // 100, PAIRS * 20 // 100])
    table = pair_table(names, left, right, generator.random(PAIRS), split)
    features = mapped(stored, "features")
    pool = ImagePool(names, ConcatArray([features]), features)
    sets = [pair_set(table, name, pool) for name in SPLITS]
    model, _ = fit_pair_model(*sets[:2], pool.scaler, LATENT, 0)
    predict_pairs(model, pool, *sets)
    del pool, sets  # as the runner does after their last node
    PairModel.from_arrays(model.to_arrays()).embed(features)
    seconds = time.perf_counter() - start
    return f"{seconds:.0f} s, {peak():.2f} GiB at its peak, {before:.2f} of them before any feature is read"


def peak() -> float:
    """GiB that this process has held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (30 if sys.platform == "darwin" else 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    times = milliseconds({"ours": ours, "bare": bare, "usual": usual}, rounds)
    print("| what | ms a step | against ours |\n|---|---|---|")
    for name, what in NAMES.items():
        print(f"| {what} | {times[name]:.2f} | {times[name] / times['ours']:.2f} |", flush=True)
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1) as pool:
        features = problem(IMAGES, 1).features
        TensorsDataset(filepath=f"{folder}/latents.safetensors", version=Version(None, "a")).save(
            Tensors({"features": features}, {})
        )
        print(f"| {IMAGES:,} images and pairs, {LATENT.epochs} epochs | {pool.apply(large, (folder,))} | |")


if __name__ == "__main__":
    main()
