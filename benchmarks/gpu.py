"""Speed of training on a GPU, by precision, with and without torch.compile, and by the location of the images.

    python benchmarks/gpu.py [--rounds 3] [--steps 50] [--size 96] [--batch 256] [--encoder resnet18] [--device auto]

The recipe is conf/base. Bare passes: forward and backward passes of both networks on prepared views. Training: the
whole loop. Each round does `--steps` of both, one after the other. The table has medians, and the estimated time of 80
epochs on STL-10's 105,000 images without kNN and checkpoints. To try it on a CPU: --steps 2 --rounds 1 --size 32
--batch 8.
"""

import argparse
import tempfile
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np
import torch
import yaml

from byol_kedro.byol.batches import CudaCopy, DeviceImages, HostImages, Images, PrefetchedImages
from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.precision import autocast_dtype
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import train
from byol_kedro.parameters import Pretrain
from train_step import RECIPE, bare_passes, seconds

IMAGES, EPOCHS = 105_000, 80
HALF = (0.5, 0.5, 0.5)
LR = 0.001  # low, since training on noise must not diverge


def recipe(given: argparse.Namespace, precision: str, *, compiled: bool) -> Pretrain:
    values = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["pretrain"]
    values |= {"batch_size": given.batch, "precision": precision, "compile": compiled}
    values["encoder"]["name"] = given.encoder
    values["optimizer"]["lr"] = LR
    return Pretrain.model_validate(values)


def measure(parameters: Pretrain, given: argparse.Namespace, images: Images, device: torch.device) -> list[str]:
    """Images a second of bare passes and of the training, the ratio of the two, minutes for 80 epochs."""
    torch.compiler.reset()
    state = initial_state(parameters, given.size, 0, device)
    dtype = autocast_dtype(parameters.precision)
    first, second = torch.randn((2, given.batch, 3, given.size, given.size), device=device)
    views = (
        first.contiguous(memory_format=torch.channels_last),
        second.contiguous(memory_format=torch.channels_last),
    )
    rounds = []
    for number in range(given.rounds + 1):
        plan = Plan(parameters.model_copy(update={"epochs": number + 1}), images.count, 0)
        bare = seconds(lambda: [bare_passes(state, views, dtype) for _ in range(given.steps)], device)
        loop = seconds(lambda plan=plan: train(state, images, plan, HALF, HALF), device)
        rounds.append((bare, loop))
    rounds = rounds[1:]  # the first compiles and sets up buffers
    seen = given.steps * given.batch
    speed = median(seen / loop for _, loop in rounds)
    ratio = median(bare / loop for bare, loop in rounds)
    bare = median(seen / bare for bare, _ in rounds)
    return [f"{bare:,.0f}", f"{speed:,.0f}", f"{ratio:.2f}", f"{IMAGES * EPOCHS / speed / 60:,.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--size", type=int, default=96, help="pixels")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    device = resolve_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    print(f"{given.encoder}, {given.size} px, batch {given.batch}, {name}, torch {torch.__version__}\n")
    print("| precision | compiled | images | bare, images/s | training, images/s | ratio | 80 epochs, minutes |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.npy"
        shape = (given.steps * given.batch, 3, given.size, given.size)
        np.save(path, np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        parts = [np.load(path, mmap_mode="r")]
        on_device = DeviceImages(parts, device)
        on_host = PrefetchedImages(parts, CudaCopy(device)) if device.type == "cuda" else HostImages(parts, device)
        cases = [(*case, on_device) for case in product(("float32", "bfloat16", "float16"), (False, True))]
        for precision, compiled, images in [*cases, ("bfloat16", False, on_host)]:
            row = measure(recipe(given, precision, compiled=compiled), given, images, device)
            place = "on the device" if images is on_device else "in a memory map"
            print("|", " | ".join([precision, "yes" if compiled else "no", place, *row]), "|", flush=True)


if __name__ == "__main__":
    main()
