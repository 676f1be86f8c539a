"""Whether a training that is killed at any moment ends as if nothing had happened.

    python benchmarks/resume.py [--kills 20] [--epochs 6] [--seed N] [--params pretrain.views.size=24,…]

Each round runs `kedro run --env=test --pipelines=pretrain` from nothing, sends SIGKILL to it at a random moment of its
training (which writes a checkpoint after every step), types the same command again, and compares every tensor of
encoder and heads with those of an undisturbed run. A round whose run had ended before the signal came is done again.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).parents[1]
KEDRO = Path(sys.executable).with_name("kedro")
NAMES = ("encoder", "byol_heads")


def start(data_root: Path, pipelines: str, given: argparse.Namespace) -> subprocess.Popen[bytes]:
    settings = {"data_root": data_root, "pretrain.epochs": given.epochs, "pretrain.checkpoint.steps": 1}
    params = ",".join([*(f"{name}={value}" for name, value in settings.items()), *given.params])
    command = [KEDRO, "run", "--env=test", f"--pipelines={pipelines}", f"--params={params}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tensors(data_root: Path) -> dict[str, np.ndarray]:
    """All tensors that the newest run has saved; empty where it has saved none."""
    found: dict[str, np.ndarray] = {}
    for name in NAMES:
        versions = sorted((data_root / f"06_models/{name}.safetensors").glob("*/*.safetensors"))
        for key, array in load_file(versions[-1]).items() if versions else ():
            found[f"{name} {key}"] = array
    return found


def has_begun(data_root: Path) -> bool:
    return any((data_root / "06_models/checkpoints").glob("*/step-*"))


def wait_for_training(process: subprocess.Popen[bytes], data_root: Path) -> None:
    while process.poll() is None and not has_begun(data_root):
        time.sleep(0.01)


def same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def killed_and_resumed(
    ingested: Path, place: Path, seconds: float, given: argparse.Namespace
) -> tuple[bool, dict[str, np.ndarray]]:
    """Whether the kill met a living process, and the tensors after the same command was typed again."""
    shutil.copytree(ingested, place)
    process = start(place, "pretrain", given)
    wait_for_training(process, place)
    time.sleep(seconds)
    alive = process.poll() is None
    process.kill()
    process.wait()
    start(place, "pretrain", given).wait()
    return alive, tensors(place)


def undisturbed(ingested: Path, place: Path, given: argparse.Namespace) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds from the first checkpoint to the end, and the tensors."""
    shutil.copytree(ingested, place)
    process = start(place, "pretrain", given)
    wait_for_training(process, place)
    begun = time.monotonic()
    process.wait()
    return time.monotonic() - begun, tensors(place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--params", action="append", default=[], help="further parameters of the training")
    given = parser.parse_args()
    moments = random.Random(given.seed)  # nothing secret
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start(root / "ingested", "ingest", given).wait()
        seconds, expected = undisturbed(root / "ingested", root / "straight", given)
        print(f"undisturbed: {seconds:.1f} s from the first step to the end, {len(expected)} tensors", flush=True)
        kills = good = 0
        while kills < given.kills:
            moment = moments.uniform(0, seconds)
            living, found = killed_and_resumed(root / "ingested", root / "killed", moment, given)
            shutil.rmtree(root / "killed")
            if living:
                equal = same(found, expected)
                kills, good = kills + 1, good + equal
                print(f"killed after {moment:.2f} s: {'same' if equal else 'OTHER'}", flush=True)
        print(f"{good} of {kills} ended with the tensors of the undisturbed run")
    sys.exit(good != given.kills)


if __name__ == "__main__":
    main()
