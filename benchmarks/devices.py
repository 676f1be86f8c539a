"""The same training in one process and in several: throughput and results.

    python benchmarks/devices.py speed [--rounds 7] [--steps 2] [--size 96] [--batch 64]
    python benchmarks/devices.py parity [--steps 200] [--size 32] [--batch 64]

`speed`: one process with two threads, and two processes with one thread each. Both stay alive, and one of them waits
while the other trains, so that other load on the machine affects both. Prints medians and the median of the ratios.

`parity`: losses and features after a training in one process with two threads, in two processes and in four, compared
with one process with one thread. "changed weights" is one process with one thread whose weights differ by a relative
1e-7 at the start: what float32 itself leaves undetermined.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import yaml

from byol_kedro.byol.batches import HostImages
from byol_kedro.byol.distributed import Group
from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import train
from byol_kedro.parameters import Pretrain

RECIPE = Path(__file__).parents[1] / "conf/base/parameters_pretrain.yml"
CPU = torch.device("cpu")
KINDS = {"plain": {}, "accumulation": {"accumulation_steps": 2}, "lars": {"name": "lars", "lr": 0.3}}
OnStep = Callable[[int, Row | None], None]


def recipe(batch: int, steps: int, kind: str = "plain") -> Pretrain:
    values = yaml.safe_load(RECIPE.read_text())["pretrain"]
    changes = KINDS[kind]
    parts = changes.get("accumulation_steps", 1)
    values |= {"epochs": None, "steps": steps, "batch_size": batch // parts, "accumulation_steps": parts}
    values |= {"precision": "float32", "online_knn": {"evaluations": 0, "images": 1}}
    values["heads"] = {"hidden_dim": 512, "projection_dim": 128}
    values["optimizer"] |= {"lr": 0.06} | {key: changes[key] for key in ("name", "lr") if key in changes}
    return Pretrain.model_validate(values)


def pixels(count: int, size: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 3, 4, 4), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, 1, size // 4, size // 4), np.uint8))


def fit(group: Group, parameters: Pretrain, size: int, noise: float, on_step: OnStep) -> tuple[list[float], Any]:
    """Losses, and the features of images that are not trained on."""
    count = 8 * parameters.batch_size * parameters.accumulation_steps
    state, plan = initial_state(parameters, size, 0, CPU), Plan(parameters, count, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in state.network.parameters():
            parameter.mul_(1 + noise * torch.randn(parameter.shape, generator=generator))
    monitor, images = Monitor(CPU), HostImages([pixels(count, size)], CPU)
    train(state, images, plan, (0.5,) * 3, (0.25,) * 3, monitor=monitor, on_step=[on_step], group=group)
    held_out = torch.from_numpy(pixels(64, size, 1)).float().div(255).sub(0.5).div(0.25)
    with torch.inference_mode():
        return [row.loss for row in monitor.rows], state.network.encoder.eval()(held_out).numpy()


def enter(rank: int, size: int, threads: int, folder: str, work: Callable[..., None], arguments: tuple) -> None:
    torch.set_num_threads(threads)
    if size > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=size)
    work(Group(rank, size), *arguments)
    if size > 1:
        dist.destroy_process_group()


def run_speed(group: Group, given: argparse.Namespace, channel: Connection) -> None:
    """Train `given.steps` steps whenever the channel asks for it, and answer with their seconds."""
    begun = [0.0]

    def wait(done: int, _: Row | None) -> None:
        if done % given.steps:
            return
        if group.is_main:
            channel.send(time.perf_counter() - begun[0])
            channel.recv()
        group.largest(0)
        begun[0] = time.perf_counter()

    fit(group, recipe(given.batch, given.steps * (given.rounds + 3)), given.size, 0.0, wait)


def speed(given: argparse.Namespace) -> None:
    context, channels = torch.multiprocessing.get_context("spawn"), {}
    for size, threads in ((1, 2), (2, 1)):
        ours, theirs = context.Pipe()
        arguments = (size, threads, tempfile.mkdtemp(), run_speed, (given, theirs))
        torch.multiprocessing.spawn(enter, arguments, nprocs=size, join=False)
        channels[size] = ours
        ours.recv()  # the first steps are done
    rounds = []
    for number in range(given.rounds + 1):
        seconds = {}
        for size in (1, 2) if number % 2 else (2, 1):
            channels[size].send("go")
            seconds[size] = channels[size].recv()
        rounds.append(seconds)
    rates = [{size: given.steps * given.batch / each[size] for size in each} for each in rounds[1:]]
    ratios = sorted(rate[2] / rate[1] for rate in rates)
    one, two = (statistics.median(rate[size] for rate in rates) for size in (1, 2))
    print(f"resnet18, {given.size} px, batch {given.batch}, {given.rounds} rounds of {given.steps} steps")
    print(f"1 process × 2 threads {one:.1f} images/s, 2 processes × 1 thread {two:.1f} images/s")
    print(f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    for process in torch.multiprocessing.active_children():
        process.kill()


def run_parity(group: Group, given: argparse.Namespace, kind: str, noise: float, file: str) -> None:
    parameters = recipe(given.batch, given.steps, kind)
    losses, features = fit(group, parameters, given.size, noise, lambda _done, _row: None)
    if group.is_main:
        np.savez(file, losses=losses, features=features)


def parity(given: argparse.Namespace) -> None:
    cases = {
        "changed weights": (1, 1, 1e-7), "1 process × 2 threads": (1, 2, 0.0), "2 processes": (2, 1, 0.0),
        "4 processes": (4, 1, 0.0),
    }  # fmt: skip
    for kind in given.kinds:
        results = {}
        for name, (size, threads, noise) in {"reference": (1, 1, 0.0), **cases}.items():
            folder = tempfile.mkdtemp()
            arguments = (size, threads, folder, run_parity, (given, kind, noise, f"{folder}/result.npz"))
            torch.multiprocessing.spawn(enter, arguments, nprocs=size)
            results[name] = np.load(f"{folder}/result.npz")
        one = results.pop("reference")
        print(f"{kind}, {given.steps} steps, {given.size} px, batch {given.batch}: largest relative difference")
        for name, other in results.items():
            losses = np.abs(other["losses"] / one["losses"] - 1)
            features = np.abs(other["features"] - one["features"]).max() / np.abs(one["features"]).max()
            early = " ".join(f"{losses[:n].max():.1e}" for n in (5, 20, 50) if n < len(losses))
            print(f"  {name:22} loss {losses.max():.1e} (first 5, 20, 50 rows: {early}), features {features:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "parity"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--size", type=int, help="pixels")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    given = parser.parse_args()
    given.steps = given.steps or (2 if given.what == "speed" else 200)
    given.size = given.size or (96 if given.what == "speed" else 32)
    (speed if given.what == "speed" else parity)(given)


if __name__ == "__main__":
    main()
