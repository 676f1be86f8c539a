"""Training speed beside lightly's documented BYOL loop: the same network, the same JPEG files.

    pip install "byol-kedro[compare]"
    python benchmarks/peers.py --images FOLDER [--size 96] [--views 64] [--steps 20] [--rounds 5]

FOLDER contains image files, in subfolders or not. Each trainer runs in a process of its own, one after the other in
every round, so that other load on the machine affects all of them. lightly decodes and augments in as many DataLoader
workers as there are processors; this project decodes once, which is timed apart. Prints the medians over the rounds:
images/s after the first two steps, peak memory of a process and its workers, and the ratio to lightly within a round.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import torch
import yaml

from byol_kedro.byol.batches import load_images
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import train
from byol_kedro.files.decode import SUFFIXES
from byol_kedro.files.decoders import decode_all
from byol_kedro.parameters import Pretrain

RECIPE = Path(__file__).parents[1] / "conf/base/parameters_pretrain.yml"
BATCH, HIDDEN, PROJECTION, LR = 64, 512, 128, 0.06
WARM = 2  # steps before the clock starts
MEAN, STD = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
LIGHTLY = "lightly"
TRAINERS = (LIGHTLY, "float32", "bfloat16")


def lightly_steps(given: argparse.Namespace) -> Iterator[None]:
    """The loop of https://docs.lightly.ai/examples/byol.html, with this project's network and batch size."""
    from lightly.data import LightlyDataset  # noqa: PLC0415  # an extra
    from lightly.loss import NegativeCosineSimilarity  # noqa: PLC0415
    from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead  # noqa: PLC0415
    from lightly.models.utils import deactivate_requires_grad, update_momentum  # noqa: PLC0415
    from lightly.transforms.byol_transform import (  # noqa: PLC0415
        BYOLTransform,
        BYOLView1Transform,
        BYOLView2Transform,
    )

    normalize = {"mean": MEAN, "std": STD}
    transform = BYOLTransform(
        view_1_transform=BYOLView1Transform(input_size=given.views or given.size, normalize=normalize),
        view_2_transform=BYOLView2Transform(input_size=given.views or given.size, normalize=normalize),
    )
    loader = torch.utils.data.DataLoader(
        LightlyDataset(str(given.images), transform=transform),
        batch_size=BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=len(os.sched_getaffinity(0)),
    )

    def networks() -> tuple[torch.nn.Module, torch.nn.Module]:
        backbone = create_encoder("resnet18", "imagenet", False, 0)
        return backbone, BYOLProjectionHead(512, HIDDEN, PROJECTION)

    (backbone, projector), (target, target_projector) = networks(), networks()
    predictor = BYOLPredictionHead(PROJECTION, HIDDEN, PROJECTION)
    for module in (target, target_projector):
        deactivate_requires_grad(module)
    online = torch.nn.ModuleList([backbone, projector, predictor])
    optimizer = torch.optim.SGD(online.parameters(), lr=LR)
    criterion = NegativeCosineSimilarity()
    while True:
        for batch in loader:
            first, second = batch[0]
            update_momentum(backbone, target, m=0.996)
            update_momentum(projector, target_projector, m=0.996)
            predictions = [predictor(projector(backbone(view))) for view in (first, second)]
            with torch.no_grad():
                targets = [target_projector(target(view)) for view in (first, second)]
            loss = 0.5 * (criterion(predictions[0], targets[1]) + criterion(predictions[1], targets[0]))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            yield


def lightly_times(given: argparse.Namespace) -> list[float]:
    return [time.perf_counter() for _ in islice(lightly_steps(given), given.steps + WARM)]


def project_times(given: argparse.Namespace) -> list[float]:
    """The training loop of this project on images that were decoded before."""
    values = yaml.safe_load(RECIPE.read_text())["pretrain"]
    values |= {"batch_size": BATCH, "heads": {"hidden_dim": HIDDEN, "projection_dim": PROJECTION}}
    values |= {"precision": given.trainer, "epochs": None, "steps": given.steps + WARM}
    values["views"]["size"] = given.views
    values["optimizer"]["lr"] = LR
    parameters = Pretrain.model_validate(values)
    device, times = torch.device("cpu"), list[float]()
    images = load_images([np.load(given.pixels, mmap_mode="r")], device)
    state = initial_state(parameters, given.size, 0, device)
    plan = Plan(parameters, images.count, 0)
    train(state, images, plan, MEAN, STD, on_step=[lambda _done, _row: times.append(time.perf_counter())])
    return times


def measure(given: argparse.Namespace) -> dict[str, float]:
    """Images a second and peak memory in MB of one trainer, which runs in this process."""
    times = lightly_times(given) if given.trainer == LIGHTLY else project_times(given)
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    return {"speed": BATCH * given.steps / (times[-1] - times[WARM - 1]), "memory": peak}


def decode_images(given: argparse.Namespace, folder: Path) -> Path:
    files = sorted(path for path in given.images.rglob("*") if path.suffix.lower() in SUFFIXES)
    start = time.perf_counter()
    pixels = np.stack([image for image in decode_all(files, given.size) if isinstance(image, np.ndarray)])
    print(f"{len(files):,} files decoded once in {time.perf_counter() - start:.1f} s", flush=True)
    np.save(folder / "pixels.npy", pixels)
    return folder / "pixels.npy"


def compare(given: argparse.Namespace) -> None:
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        pixels = decode_images(given, Path(folder))
        for _ in range(given.rounds):
            rounds.append({})
            for trainer in TRAINERS:
                command = [sys.executable, *sys.argv, f"--trainer={trainer}", f"--pixels={pixels}"]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
                rounds[-1][trainer] = json.loads(output.splitlines()[-1])
    print(f"images of {given.size} px, views of {given.views or given.size} px, batch {BATCH}, {given.steps} steps")
    for trainer in TRAINERS:
        speed, memory = (median(each[trainer][name] for each in rounds) for name in ("speed", "memory"))
        ratio = median(each[trainer]["speed"] / each[LIGHTLY]["speed"] for each in rounds)
        print(f"{trainer}: {speed:.0f} images/s, {memory:.0f} MB, {ratio:.2f} × lightly")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--size", type=int, default=96, help="pixels")
    parser.add_argument("--views", type=int, help="pixels; by default those of the images")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trainer", choices=TRAINERS, help=argparse.SUPPRESS)
    parser.add_argument("--pixels", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.trainer is None:
        compare(given)
    else:
        print(json.dumps(measure(given)))


if __name__ == "__main__":
    main()
