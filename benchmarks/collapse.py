"""Training curves of a healthy and of a collapsing training.

    python benchmarks/collapse.py [--epochs 4] [--every 56]

Trains the recipe of conf/sample on the built-in photographs twice: unchanged, and without the predictor, which prevents
BYOL from a collapse (2006.07733, §5). Prints both curves side by side, for docs/recipes.md.
"""

import argparse
import dataclasses
import math
import tempfile
from pathlib import Path

import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from torch import nn

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.monitor import Row
from byol_kedro.byol.optimizer import create_optimizer
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import TrainState, initial_state
from byol_kedro.byol.train import train
from byol_kedro.datasets.images import Images
from byol_kedro.parameters import Pretrain
from byol_kedro.pipelines.pretrain.artifacts import encoder_header
from byol_kedro.pipelines.pretrain.online_eval import online_evaluation

ROOT = Path(__file__).parents[1]
SEED = 0


def sample(data_root: str, epochs: int) -> tuple[Images, Images, Pretrain]:
    """Images without and with labels, and the recipe of conf/sample."""
    bootstrap_project(ROOT)
    given = {"data_root": data_root, "pretrain": {"epochs": epochs}}
    with KedroSession.create(ROOT, env="sample", runtime_params=given) as session:
        session.run(pipeline_names=["ingest"])
    with KedroSession.create(ROOT, env="sample", runtime_params=given) as session:
        context = session.load_context()
        images = (context.catalog.load(name) for name in ("images_unlabeled", "images_train"))
        return *images, Pretrain.model_validate(context.params["pretrain"])


def without_predictor(state: TrainState, parameters: Pretrain) -> TrainState:
    state.network.predictor = nn.Sequential()
    return dataclasses.replace(state, optimizer=create_optimizer(state.network, parameters.optimizer))


def curve(unlabeled: Images, labeled: Images, parameters: Pretrain, *, predictor: bool) -> list[Row]:
    plan = Plan(parameters, len(unlabeled) + len(labeled), SEED)
    state = initial_state(parameters, labeled.pixels.shape[-1], SEED, torch.device("cpu"))
    header = encoder_header(state, plan, unlabeled, labeled)
    if not predictor:
        state = without_predictor(state, parameters)
    images = load_images([unlabeled.pixels, labeled.pixels], state.device)
    evaluate = online_evaluation(labeled, parameters.online_knn, header, SEED, state.device)
    return train(state, images, plan, header.mean, header.std, evaluate=evaluate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--every", type=int, default=56, help="steps between two lines")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        unlabeled, labeled, parameters = sample(folder, given.epochs)
        healthy, collapsed = (curve(unlabeled, labeled, parameters, predictor=p) for p in (True, False))
    print("| step | loss | feature std | effective rank | kNN | loss | feature std | effective rank | kNN |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for pair in zip(healthy, collapsed, strict=True):
        if pair[0].step % given.every == 0:
            cells = [cell for row in pair for cell in (f"{row.loss:.3f}", f"{row.feature_std:.4f}", *measured(row))]
            print(f"| {pair[0].step} | {' | '.join(cells)} |")


def measured(row: Row) -> tuple[str, str]:
    """Effective rank and kNN top-1, if the row has them."""
    return ("", "") if math.isnan(row.effective_rank) else (f"{row.effective_rank:.1f}", f"{row.knn_top1:.1%}")


if __name__ == "__main__":
    main()
