"""Time and memory of the pair model, as a markdown table: `python benchmarks/pair_model.py`.

Steps of `fit_pair_model` at the published widths and batch size are compared with bare forward and backward passes with
Adam, and with a common training loop, a DataLoader over saved pairs. Rounds alternate; medians are compared. The large
run is in its own process, so that its peak memory is not that of the others; it includes imports.
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
PARAMS = PairModelParams(**yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["pair_model"])
DIM, STEPS = 512, 100
IMAGES, PAIRS = 100_000, 100_000
NAMES = {"ours": "a step of 512 pairs", "bare": "bare passes with Adam", "usual": "a DataLoader loop"}
WIDTHS = (DIM, *PARAMS.widths, 16)


def random_pairs(images: int, pairs: int) -> PairSet:
    """Noise, since the time of a step does not depend on the data."""
    generator = np.random.default_rng(0)
    left, right = generator.integers(0, images, (2, pairs))
    return PairSet(generator.standard_normal((images, DIM), np.float32), left, right, generator.random(pairs))


def network() -> nn.Sequential:
    """The layers of the pair model in plain torch."""
    layers = [layer for a, b in pairwise(WIDTHS) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def ours(pairs: PairSet) -> None:
    """One epoch of `fit_pair_model`."""
    none = PairSet(pairs.features[:0], pairs.left[:0], pairs.right[:0], pairs.target[:0])
    fit_pair_model(pairs, none, Scaler.fit(pairs.features), PARAMS.model_copy(update={"epochs": 1}), seed=0)


def bare(pairs: PairSet) -> None:
    """Forward and backward passes of one prepared batch, with Adam."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=PARAMS.lr, fused=True)
    x, target = torch.from_numpy(pairs.features[: 2 * PARAMS.batch_size]), torch.rand(PARAMS.batch_size)
    for _ in range(STEPS):
        step(optimizer, *model(x).chunk(2), target)


def usual(pairs: PairSet) -> None:
    """A DataLoader over the saved features of both images; two calls of the network per step."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=PARAMS.lr)
    tensors = (pairs.features[pairs.left], pairs.features[pairs.right], pairs.target.astype(np.float32))
    for x1, x2, target in DataLoader(TensorDataset(*map(torch.from_numpy, tensors)), PARAMS.batch_size, shuffle=True):
        step(optimizer, model(x1), model(x2), target)


def step(optimizer: torch.optim.Optimizer, z1: torch.Tensor, z2: torch.Tensor, target: torch.Tensor) -> None:
    """One optimizer step on the L1 loss of the distances."""
    optimizer.zero_grad()
    F.l1_loss(torch.linalg.vector_norm(z1 - z2, dim=1), target).backward()
    optimizer.step()


def milliseconds(loops: dict[str, Callable[[PairSet], None]], rounds: int) -> dict[str, float]:
    """Median time of a step for each loop."""
    pairs = random_pairs(5_000, STEPS * PARAMS.batch_size)
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop(pairs)
            if turn:  # the first round is a warm-up
                seconds[name].append(time.perf_counter() - start)
    return {name: 1000 * statistics.median(times) / STEPS for name, times in seconds.items()}


def large(folder: str) -> str:
    """100,000 images and pairs: read the features, fit the model, predict the test pairs, embed all images."""
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
    model, _ = fit_pair_model(*sets[:2], pool.scaler, PARAMS, 0)
    predict_pairs(model, pool, *sets)
    del pool, sets  # as the runner releases them after their last node
    PairModel.from_arrays(model.to_arrays()).embed(features)
    seconds = time.perf_counter() - start
    return f"{seconds:.0f} s, {peak():.2f} GiB peak memory, {before:.2f} GiB before reading features"


def peak() -> float:
    """Peak memory of this process in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (30 if sys.platform == "darwin" else 20)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    times = milliseconds({"ours": ours, "bare": bare, "usual": usual}, rounds)
    print("| what | ms per step | relative to ours |\n|---|---|---|")
    for name, what in NAMES.items():
        print(f"| {what} | {times[name]:.2f} | {times[name] / times['ours']:.2f} |", flush=True)
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(1) as pool:
        features = random_pairs(IMAGES, 1).features
        TensorsDataset(filepath=f"{folder}/latents.safetensors", version=Version(None, "a")).save(
            Tensors({"features": features}, {})
        )
        print(f"| {IMAGES:,} images and pairs, {PARAMS.epochs} epochs | {pool.apply(large, (folder,))} | |")


if __name__ == "__main__":
    main()
