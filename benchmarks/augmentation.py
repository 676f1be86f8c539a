"""Random views per second on one core, as a Markdown table: `python benchmarks/augmentation.py [--size 96]`.

The distributions are the two views of conf/base with the same normalization, drawn per image unless a row says
otherwise. kornia and lightly are included if they can be imported. Times are CPU times of the thread, so that other
load matters less. In every round each implementation runs once; the table has medians.
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from torchvision.transforms import InterpolationMode, transforms, v2

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.augmentation.blur import kernel_size
from byol_kedro.parameters import View, Views

PARAMETERS = Path(__file__).parents[1] / "conf" / "base" / "parameters_pretrain.yml"
VIEWS = Views(**yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["pretrain"]["views"])
MEAN, STD = (0.45, 0.44, 0.41), (0.26, 0.26, 0.27)
BATCH, FEW = 256, 64  # images a round, in batches and one by one
CUBIC = InterpolationMode.BICUBIC

Implementation = tuple[int, Callable[[], object]]  # how many views a call makes, and the call


def jitter_of(view: View) -> dict[str, float]:
    return {name: getattr(view, name) for name in ("brightness", "contrast", "saturation", "hue")}


def ours(images: torch.Tensor, view: View) -> Implementation:
    generator = torch.Generator().manual_seed(0)
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return len(images), lambda: augment(images, view, generator, mean=mean, std=std)


def steps(view: View, size: int, t: ModuleType) -> list[Any]:
    """The transforms that both modules of torchvision have; `t` is the module."""
    blur = t.GaussianBlur(kernel_size(size), view.blur_sigma)
    return [
        t.RandomResizedCrop(size, view.scale, view.ratio, CUBIC),
        t.RandomHorizontalFlip(view.hflip_prob),
        t.RandomApply([t.ColorJitter(**jitter_of(view))], view.color_jitter_prob),
        t.RandomGrayscale(view.grayscale_prob),
        t.RandomApply([blur], view.blur_prob),
        t.RandomSolarize(128, view.solarize_prob),
    ]


def pil(images: torch.Tensor, view: View) -> Implementation:
    chain = [*steps(view, images.shape[-1], transforms), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    chain = transforms.Compose(chain)
    decoded = [Image.fromarray(np.asarray(image.permute(1, 2, 0))) for image in images[:FEW]]
    return FEW, lambda: torch.stack([chain(one) for one in decoded])


def tensors(images: torch.Tensor, view: View, *, batched: bool) -> Implementation:
    to_float = v2.ToDtype(torch.float32, scale=True)
    chain = v2.Compose([*steps(view, images.shape[-1], v2), to_float, v2.Normalize(MEAN, STD)])
    if batched:
        return len(images), lambda: chain(images)
    return FEW, lambda: torch.stack([chain(image) for image in images[:FEW]])


def kornia(images: torch.Tensor, view: View) -> Implementation:
    from kornia import augmentation as k  # noqa: PLC0415  (not among the project's dependencies)

    size = images.shape[-1]
    chain = k.AugmentationSequential(
        k.RandomResizedCrop((size, size), view.scale, view.ratio, resample="bicubic"),
        k.RandomHorizontalFlip(p=view.hflip_prob),
        k.ColorJitter(**jitter_of(view), p=view.color_jitter_prob),
        k.RandomGrayscale(p=view.grayscale_prob),
        k.RandomGaussianBlur((kernel_size(size),) * 2, view.blur_sigma, p=view.blur_prob),
        k.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=view.solarize_prob),
        k.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        same_on_batch=False,
    )
    return len(images), lambda: chain(images.float() / 255)


def lightly(images: torch.Tensor, view: View) -> Implementation:
    from lightly.transforms.byol_transform import BYOLView2Transform  # noqa: PLC0415  (as kornia)

    chain = BYOLView2Transform(
        images.shape[-1],
        cj_prob=view.color_jitter_prob,
        **{f"cj_{name[:n]}": value for (name, value), n in zip(jitter_of(view).items(), (6, 8, 3, 3), strict=True)},
        min_scale=view.scale[0],
        random_gray_scale=view.grayscale_prob,
        gaussian_blur=view.blur_prob,
        solarization_prob=view.solarize_prob,
        sigmas=view.blur_sigma,
        normalize={"mean": list(MEAN), "std": list(STD)},
    )
    decoded = [Image.fromarray(np.asarray(image.permute(1, 2, 0))) for image in images[:FEW]]
    return FEW, lambda: torch.stack([chain(one) for one in decoded])


def implementations(images: torch.Tensor, view: View) -> dict[str, Implementation]:
    entries = {
        "byol_kedro, batch": ours(images, view),
        "torchvision on PIL images": pil(images, view),
        "torchvision v2 on uint8 tensors": tensors(images, view, batched=False),
        "torchvision v2, batch, one draw for all of it": tensors(images, view, batched=True),
    }
    if find_spec("lightly"):
        entries["lightly on PIL images, bilinear crop"] = lightly(images, view)
    if find_spec("kornia"):
        entries["kornia, batch, one order of the jitter for all of it"] = kornia(images, view)
    return entries


def seconds_per_view(implementation: Implementation) -> float:
    count, call = implementation
    start = time.thread_time()
    call()
    return (time.thread_time() - start) / count


def measure(view: View, size: int, rounds: int) -> dict[str, list[float]]:
    images = torch.randint(0, 256, (BATCH, 3, size, size), generator=torch.Generator().manual_seed(0)).byte()
    entries = implementations(images, view)
    torch.manual_seed(0)
    results: dict[str, list[float]] = {name: [] for name in entries}
    for number in range(rounds + 1):
        for name, implementation in entries.items():
            seconds = seconds_per_view(implementation)
            if number:  # the first one warms up
                results[name].append(seconds)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"| {arguments.size} px, one core | view | views per second | ms per view | times slower than ours |")
    print("|---|---|---|---|---|")
    for label, view in (("first", VIEWS.first), ("second", VIEWS.second)):
        results = measure(view, arguments.size, arguments.rounds)
        base = next(iter(results.values()))
        for name, times in results.items():
            ratio = median(mine / our for mine, our in zip(times, base, strict=True))
            middle = median(times)
            print(f"| {name} | {label} | {1 / middle:,.0f} | {1000 * middle:.3f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
