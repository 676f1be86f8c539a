"""Top-1 on the test images against the steps of a training, beside pixels, the untrained network and supervision.

    python benchmarks/curves.py --data-root data/folder --recipe "folder" --steps 12000 --output DIR [--seed 0]
    python benchmarks/curves.py --figure docs/curves.svg --title "Scenes, 96 px" --output DIR

`--data-root` holds images of `kedro run --pipelines=ingest`. A recipe is a folder of conf/ and parameters of pretrain
that replace its own, as in recipe_search.py. One training of `--steps` is evaluated after 1/32, 1/16, … of them with
logistic regression, 5-NN and logistic regression on ten labels a class; the rates are those of the whole training, so
that a training of fewer steps would be better at its end than this one is there. Killed or stopped, the same command
resumes it. `--references` adds PCA of the pixels, the untrained network, and the same network trained with all labels
and with ten a class, on as many images as BYOL. Each evaluation is a line of JSON in `curve.jsonl` below `--output`,
with the processor time of the training so far in seconds. A figure needs matplotlib.
"""

import argparse
import json
import time
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
import yaml
from kedro.io import Version

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.encoder import EncoderHeader, untrained_encoder
from byol_kedro.byol.features import encode
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.precision import resolve_precision
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.snapshot import restore_snapshot, take_snapshot
from byol_kedro.byol.state import TrainState, initial_state
from byol_kedro.byol.statistics import channel_statistics
from byol_kedro.byol.supervised import supervised_plan, train_supervised
from byol_kedro.byol.train import train
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.datasets.images import Images, ImagesDataset
from byol_kedro.evaluation.pca import fit_pca, project
from byol_kedro.evaluation.probes.few_labels import draw_labels, few_label_rows
from byol_kedro.evaluation.probes.logistic import fit_logistic
from byol_kedro.evaluation.probes.run import ProbeData, drop_unlabeled, evaluate
from byol_kedro.evaluation.scaler import Scaler
from byol_kedro.parameters import FewLabels, Pretrain, Probes
from byol_kedro.pipelines.pretrain.checkpointing import EXIT_BY_SIGNAL, StopRequest
from byol_kedro.pipelines.pretrain.resume import training_identity
from recipe_search import CONF, CPU, header_of, parameters_of

FEW, DRAWS, HALVINGS, PCA_COMPONENTS = 10, 10, 5, 256
SUPERVISED_DRAWS = 3
FEW_STEPS = 1000  # of the supervised training on ten labels a class
CHECKPOINT_SECONDS = 600
SHOWN = {"logistic": "logistic regression", "knn": "5-NN", "few": f"{FEW} labels a class"}
Row = dict[str, Any]


def load(data_root: Path, split: str) -> Images:
    path = PurePosixPath(data_root.resolve() / "02_intermediate" / f"images_{split}.npy")
    return ImagesDataset(filepath=str(path), version=Version(None, None)).load()


class Curve:
    """Evaluates features and appends the rows to a file."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.unlabeled, self.train, self.test = (load(given.data_root, s) for s in ("unlabeled", "train", "test"))
        self.file = given.output / "curve.jsonl"
        self.key = {"recipe": given.recipe, "steps": given.steps, "seed": given.seed}
        self.probes = Probes.model_validate(
            yaml.safe_load((CONF / "base" / "parameters_probes.yml").read_text())["probes"]
        )
        self.few = FewLabels(counts=[FEW], draws=DRAWS, c=self.probes.few_labels.c)

    def known(self) -> set[tuple[str, int]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        rows = [json.loads(line) for line in lines]
        return {(row["features"], row["step"]) for row in rows if self.key.items() <= row.items()}

    def data(self, name: str, train_x: Any, test_x: Any) -> ProbeData:
        index = np.arange(len(self.test))
        return ProbeData(
            name, train_x, self.train.labels, test_x, self.test.labels, index, self.test.names, self.test.class_names
        )

    def add(self, name: str, step: int, train_x: Any, test_x: Any, cpu: float = 0) -> None:
        data, row = self.data(name, train_x, test_x), {**self.key, "features": name, "step": step, "cpu": round(cpu)}
        for metrics in evaluate(data, ("logistic", "knn"), self.probes, self.key["seed"]).rows:
            row[metrics["protocol"]] = [round(100 * metrics[key], 1) for key in ("top1", "ci_low", "ci_high")]
        few = few_label_rows(data, self.few, self.key["seed"])[0]
        row["few"] = [round(100 * each, 1) for each in few["top1"]]
        self.append(row)

    def append(self, row: Row) -> None:
        print(json.dumps(row), flush=True)
        with self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def add_network(self, name: str, step: int, network: torch.nn.Module, header: EncoderHeader, cpu: float) -> None:
        self.add(name, step, *(encode(network, each.pixels, header, CPU) for each in (self.train, self.test)), cpu)


def points_of(steps: int) -> list[int]:
    return [steps >> halvings for halvings in range(HALVINGS, -1, -1)]


def train_byol(curve: Curve, parameters: Pretrain, output: Path) -> None:
    """Train, from the last checkpoint if there is one, and evaluate at each point."""
    seed, size = curve.key["seed"], curve.train.pixels.shape[-1]
    state = initial_state(parameters, size, seed, CPU)
    plan = Plan(parameters, len(curve.unlabeled) + len(curve.train), seed)
    folder = Checkpoints(output / "checkpoints").of(
        training_identity(parameters, curve.unlabeled, curve.train, seed, CPU)
    )
    parts, monitor, cpu = [curve.unlabeled.pixels, curve.train.pixels], Monitor(CPU), 0.0
    checkpoint = folder.newest()
    if checkpoint is not None:
        restore_snapshot(checkpoint.content.arrays, checkpoint.content.header, state, monitor)
        cpu = json.loads(checkpoint.content.header["cpu"])
    header = header_of(parameters, plan, state, size, channel_statistics(parts))
    points, known = points_of(plan.steps), curve.known()
    started, written = time.process_time(), time.monotonic()

    def on_checkpoint(state: TrainState, monitor: Monitor) -> None:
        nonlocal cpu, started, written
        stopped, is_point = stop.received, state.step in points
        if not (is_point or stopped or time.monotonic() - written >= CHECKPOINT_SECONDS):
            return
        cpu, started = cpu + time.process_time() - started, time.process_time()
        arrays, values = take_snapshot(state, monitor)
        folder.write(state.step, arrays, {**values, "cpu": json.dumps(cpu)}, keep=1)
        if is_point and ("BYOL", state.step) not in known and not stopped:
            curve.add_network("BYOL", state.step, state.network.encoder, header, cpu)
        if stopped:
            raise SystemExit(EXIT_BY_SIGNAL + stopped)
        started, written = time.process_time(), time.monotonic()

    with StopRequest() as stop:
        if state.step in points and ("BYOL", state.step) not in known:  # stopped during an evaluation
            on_checkpoint(state, monitor)
        train(state, load_images(parts, CPU), plan, header.mean, header.std, monitor=monitor,
              on_checkpoint=on_checkpoint)  # fmt: skip


def add_references(curve: Curve, parameters: Pretrain) -> None:
    seed, size, known = curve.key["seed"], curve.train.pixels.shape[-1], curve.known()
    plan = Plan(parameters, len(curve.unlabeled) + len(curve.train), seed)
    parts = [curve.unlabeled.pixels, curve.train.pixels]
    header = header_of(parameters, plan, initial_state(parameters, size, seed, CPU), size, channel_statistics(parts))
    if ("untrained network", 0) not in known:
        curve.add_network("untrained network", 0, untrained_encoder(header), header, 0)
    if ("pixels, PCA", 0) not in known:
        pca = fit_pca(curve.train.pixels, PCA_COMPONENTS, seed)
        curve.add("pixels, PCA", 0, *(project(each.pixels, pca) for each in (curve.train, curve.test)))
    labels = curve.train.labels
    passes = plan.steps * plan.images_per_step
    labeled = np.flatnonzero(labels >= 0)
    if ("supervised", plan.steps) not in known:
        started = time.process_time()
        all_labels = supervised_plan(parameters, passes, len(labeled), seed)
        network = train_supervised(curve.train.pixels[labeled], labels[labeled], header, all_labels, CPU)
        curve.add_network("supervised", plan.steps, network, header, time.process_time() - started)
    if ("supervised, few", FEW_STEPS) not in known:
        curve.append(supervised_on_few(curve, parameters, header))


def supervised_on_few(curve: Curve, parameters: Pretrain, header: EncoderHeader) -> Row:
    """Train on ten labels a class, some draws of them; the classifier is logistic regression on the same labels."""
    y, top1 = drop_unlabeled(curve.data("", curve.train.pixels, curve.test.pixels)), []
    for draw in range(SUPERVISED_DRAWS):
        rows = draw_labels(y.train_y, FEW, (curve.key["seed"], draw))
        images, labels = y.train_x[rows], y.train_y[rows]
        passes = FEW_STEPS * min(parameters.batch_size, len(rows))
        plan = supervised_plan(parameters, passes, len(rows), draw)
        network = train_supervised(images, labels, header, plan, CPU)
        known, test = (encode(network, each, header, CPU) for each in (images, y.test_x))
        scaler = Scaler.fit(known)
        predicted = fit_logistic(scaler(known), labels, curve.few.c).predict(scaler(test))
        top1.append(round(100 * float(np.mean(predicted == y.test_y)), 1))
    return {**curve.key, "features": "supervised, few", "step": FEW_STEPS, "few": top1}


def mean_curves(rows: list[Row], probe: str) -> dict[str, list[tuple[int, float, float]]]:
    """Step, mean and standard deviation over seeds (or draws of labels) by features."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if probe in row:
            values = row[probe] if probe == "few" else row[probe][:1]
            found.setdefault(row["features"], {}).setdefault(row["step"], []).extend(values)
    return {
        name: [(step, float(np.mean(v)), float(np.std(v))) for step, v in sorted(steps.items())]
        for name, steps in found.items()
    }


def draw_figure(files: list[Path], titles: list[str], target: Path) -> None:
    from matplotlib import rcParams  # noqa: PLC0415  # only a figure needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    rcParams["svg.hashsalt"] = "curves"  # the same figure gives the same file
    colors = {"BYOL": "#0072b2", "untrained network": "#767676", "pixels, PCA": "#b8860b",
              "supervised": "#009e73", "supervised, few": "#009e73"}  # fmt: skip
    figure = Figure(figsize=(10, 3.2 * len(files)), layout="constrained")
    axes = figure.subplots(len(files), len(SHOWN), squeeze=False, sharex="row")
    for across, file, title in zip(axes, files, titles, strict=True):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        for axis, (probe, label) in zip(across, SHOWN.items(), strict=True):
            for name, points in mean_curves(rows, probe).items():
                steps, mean, std = (np.array(values) for values in zip(*points, strict=True))
                if name == "BYOL":
                    axis.plot(steps, mean, marker="o", markersize=3, color=colors[name], label=name)
                    axis.fill_between(steps, mean - std, mean + std, color=colors[name], alpha=0.2, linewidth=0)
                else:
                    axis.axhline(mean[-1], linestyle="--", linewidth=1, color=colors[name])
                    axis.annotate(name, (0.01, mean[-1]), xycoords=("axes fraction", "data"), fontsize=8,
                                  va="bottom", color=colors[name])  # fmt: skip
            axis.set(title=f"{title}: {label}", xlabel="steps", xscale="log")
            axis.title.set_fontsize(9)
            axis.grid(alpha=0.2)
        across[0].set_ylabel("top-1, %")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


def resolved(parameters: Pretrain, image_size: int) -> Pretrain:
    """The parameters with the precision that this processor trains in."""
    encoder = initial_state(parameters, image_size, 0, CPU).network.encoder
    precision, _ = resolve_precision(parameters.precision, encoder, parameters.views.size or image_size)
    return parameters.model_copy(update={"precision": precision})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--recipe", default="folder")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--references", action="store_true")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="a folder; several for a figure")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--title", nargs="+", help="of each folder")
    given = parser.parse_args()
    if given.figure:
        draw_figure([folder / "curve.jsonl" for folder in given.output], given.title, given.figure)
        return
    (given.output,) = given.output
    given.output.mkdir(parents=True, exist_ok=True)
    curve = Curve(given)
    parameters = resolved(parameters_of(given.recipe, given.steps), curve.train.pixels.shape[-1])
    if given.references:
        add_references(curve, parameters)
    else:
        train_byol(curve, parameters, given.output)


if __name__ == "__main__":
    main()
