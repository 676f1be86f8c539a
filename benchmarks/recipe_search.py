"""Compare recipes by their features on a validation part of the training images; no test image is read.

    python benchmarks/recipe_search.py --data-root data/folder --steps 2000 --output search.jsonl \
        --recipe "folder views.size=64" --recipe "folder views.size=64 optimizer.lr=0.06" [--seeds 0 1] [--points 4]

`--data-root` holds images of `kedro run --pipelines=ingest`. A recipe is a folder of conf/ and parameters of pretrain
that replace its own. Each recipe is trained for the same number of steps on all training images, labeled or not. Then
logistic regression and 5-NN are fitted on four fifths of at most 6,000 labeled ones, and tested on the last fifth, on
which C is chosen, too. Prints a line of JSON for each evaluation (before the first step, and `--points` times), with
the processor time of the training in seconds, and appends it to `--output`. What is in this file is not repeated.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.byol.features import encode
from byol_kedro.byol.networks import feature_dim
from byol_kedro.byol.precision import resolve_precision
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState, initial_state
from byol_kedro.byol.statistics import channel_statistics
from byol_kedro.byol.train import train
from byol_kedro.evaluation.probes.base import stratified_split
from byol_kedro.evaluation.probes.knn import knn_probabilities
from byol_kedro.evaluation.probes.logistic import fit_logistic
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.parameters import Pretrain

CONF = Path(__file__).parents[1] / "conf"
CPU = torch.device("cpu")
CS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
LABELED, VALIDATION, NEIGHBORS = 6_000, 0.2, 5


def merge(values: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(name), dict):
            merge(values[name], value)
        else:
            values[name] = value


def parameters_of(recipe: str, steps: int) -> Pretrain:
    env, *changes = recipe.split()
    values: dict[str, Any] = {}
    for folder in dict.fromkeys(("base", env)):
        merge(values, yaml.safe_load((CONF / folder / "parameters_pretrain.yml").read_text())["pretrain"])
    for change in changes:
        name, _, value = change.partition("=")
        *blocks, last = name.split(".")
        block = values
        for each in blocks:
            block = block[each]
        block[last] = yaml.safe_load(value)
    return Pretrain.model_validate(values | {"epochs": None, "steps": steps})


def header_of(
    parameters: Pretrain, plan: Plan, state: TrainState, image_size: int, statistics: tuple[Sequence[float], ...]
) -> EncoderHeader:
    """The header of an encoder that is evaluated here, without where its images come from."""
    mean, std = statistics
    return EncoderHeader(
        architecture=parameters.encoder.name, stem=parameters.encoder.stem,
        zero_init_residual=parameters.encoder.zero_init_residual, image_size=image_size,
        feature_dim=feature_dim(state.network.encoder), mean=tuple(mean), std=tuple(std), data="", data_fingerprint="",
        recipe=parameters.recipe, epochs=plan.epochs, steps=plan.steps, batch_size=plan.images_per_step,
        projection_dim=parameters.heads.projection_dim, hidden_dim=parameters.heads.hidden_dim, seed=plan.seed,
    )  # fmt: skip


@dataclass(frozen=True)
class Data:
    parts: list[np.ndarray]
    pixels: np.ndarray  # labeled images, for the probes
    labels: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, data_root: Path) -> "Data":
        folder = data_root / "02_intermediate"
        newest = {
            name: max((folder / f"{name}.npy").glob(f"*/{name}.npy")) for name in ("images_unlabeled", "images_train")
        }
        parts = [np.load(path, mmap_mode="r") for path in newest.values()]
        labels = np.array(json.loads(newest["images_train"].with_suffix(".json").read_text())["labels"])
        chosen = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(labels >= 0))[:LABELED])
        return cls(parts, np.array(parts[1][chosen]), labels[chosen], *channel_statistics(parts))


def scores(state: TrainState, header: EncoderHeader, data: Data) -> dict[str, float]:
    """Top-1 in % on the validation part."""
    x, y = encode(state.network.encoder, data.pixels, header, CPU), data.labels
    fit, validation = stratified_split(y, VALIDATION, 0)
    scaled = Scaler.fit(x[fit])(x)
    predicted = [fit_logistic(scaled[fit], y[fit], c).predict(scaled[validation]) for c in CS]
    known, classes, queries = (torch.from_numpy(each) for each in (x[fit], y[fit], x[validation]))
    nearest = knn_probabilities(known, classes, queries, NEIGHBORS, int(y.max()) + 1).argmax(dim=1).numpy()
    return {
        "logistic": round(100 * max(float(np.mean(each == y[validation])) for each in predicted), 1),
        "knn": round(100 * float(np.mean(nearest == y[validation])), 1),
    }


def evaluations(recipe: str, seed: int, given: argparse.Namespace, data: Data) -> list[dict[str, Any]]:
    parameters, size = parameters_of(recipe, given.steps), data.pixels.shape[-1]
    state = initial_state(parameters, size, seed, CPU)
    view_size = parameters.views.size or size
    precision, _ = resolve_precision(parameters.precision, state.network.encoder, view_size)
    plan = Plan(parameters.model_copy(update={"precision": precision}), sum(map(len, data.parts)), seed)
    header = header_of(parameters, plan, state, size, (data.mean, data.std))
    rows: list[dict[str, Any]] = []
    cpu, started = 0.0, time.process_time()

    def evaluate() -> None:
        nonlocal cpu, started
        cpu += time.process_time() - started
        row = {"recipe": recipe, "seed": seed, "steps": given.steps, "step": state.step, "precision": precision}
        rows.append(row | {"cpu": round(cpu), **scores(state, header, data)})
        print(json.dumps(rows[-1]), flush=True)
        started = time.process_time()

    def on_step(done: int, _row: Any) -> None:
        if done * given.points // plan.steps > (done - 1) * given.points // plan.steps:
            evaluate()

    evaluate()
    train(state, load_images(data.parts, CPU), plan, data.mean, data.std, on_step=[on_step])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--points", type=int, default=4, help="evaluations of each training")
    parser.add_argument("--recipe", action="append", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    data = Data.read(given.data_root)
    lines = given.output.read_text().splitlines() if given.output.exists() else []
    done = {(row["recipe"], row["seed"], row["steps"]) for row in map(json.loads, lines)}
    for recipe in given.recipe:
        for seed in given.seeds:
            if (recipe, seed, given.steps) in done:
                continue
            rows = [json.dumps(row) + "\n" for row in evaluations(recipe, seed, given, data)]
            with given.output.open("a") as file:
                file.writelines(rows)


if __name__ == "__main__":
    main()
