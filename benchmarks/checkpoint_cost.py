"""What one checkpoint costs of the time between two, for the network and the interval of conf/base.

    python benchmarks/checkpoint_cost.py [--rounds 7] [--folder DIR]

A checkpoint is a copy of all tensors, its hash, and a file that has reached the disk of `--folder`.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
import yaml

from byol_kedro.byol.device import resolve_device
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.snapshot import take_snapshot
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.step import train_step
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.parameters import Pretrain

RECIPE = Path(__file__).parents[1] / "conf/base/parameters_pretrain.yml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--folder", help="on the disk that is asked about")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    parameters = Pretrain.model_validate(yaml.safe_load(RECIPE.read_text())["pretrain"])
    device = resolve_device(given.device)
    state, monitor = initial_state(parameters, 96, 0, device), Monitor(device)
    first, second = torch.randn((2, 8, 3, 96, 96), device=device)
    train_step(state, [(first, second)], lr=0.05, tau=0.99)  # now the optimizer has a state too
    copies, wholes = [], []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        training = Checkpoints(Path(folder)).of({"benchmark": 1})
        for step in range(given.rounds):
            start = time.perf_counter()
            arrays, header = take_snapshot(state, monitor)
            copies.append(time.perf_counter() - start)
            training.write(step, arrays, header, parameters.checkpoint.keep)
            wholes.append(time.perf_counter() - start)
    size = sum(array.nbytes for array in arrays.values()) / 1e6
    copy, whole = statistics.median(copies), statistics.median(wholes)
    share = whole / (60 * parameters.checkpoint.minutes)
    print(f"{parameters.encoder.name}, heads {parameters.heads.hidden_dim}/{parameters.heads.projection_dim}, {device}")
    print(f"one checkpoint: {size:.0f} MB, {whole:.2f} s (of it {copy:.2f} s copying), medians of {given.rounds}")
    print(f"every {parameters.checkpoint.minutes:g} minutes: {share:.2%} of the time")


if __name__ == "__main__":
    main()
