"""How good a recipe's features are after a number of passes over the images.

    python benchmarks/recipe.py --env sample --epochs 3 --warmup 0.166 --seeds 0 1 2 --raw-root FOLDER [--image-size 32]

FOLDER holds images in STL-10's layout (`stl10_binary/`). For each seed: ingest, pretraining from nothing, baselines,
probes, in a folder of its own that is removed afterwards. Prints top-1 on the test images.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PIPELINES = "ingest,pretrain,extract,baselines,probes"
SHOWN = ("linear_adam", "logistic", "knn")


def probe_metrics(env: str, settings: dict[str, Any]) -> dict[str, Any]:
    params = ",".join(f"{name}={value}" for name, value in settings.items())
    command = [Path(sys.executable).with_name("kedro"), "run", f"--env={env}", f"--pipelines={PIPELINES}"]
    subprocess.run([*command, "--params", params], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (path,) = Path(settings["data_root"]).glob("07_model_output/probe_metrics.json/*/*.json")
    return json.loads(path.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="sample", help="the recipe: a folder of conf/")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--warmup", type=float, help="part of the steps; by default the recipe's")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--raw-root", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=32, help="pixels")
    given = parser.parse_args()
    for seed in given.seeds:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            settings = {
                "source": "stl10",
                "raw_root": given.raw_root.resolve(),
                "data_root": folder,
                "ingest.image_size": given.image_size,
                "pretrain.epochs": given.epochs,
                "seed": seed,
            }
            if given.warmup is not None:
                settings["pretrain.optimizer.warmup"] = given.warmup
            rows = {row["protocol"]: row for row in probe_metrics(given.env, settings)["rows"]}
        top1 = ", ".join(f"{name} {rows[name]['top1']:.1%}" for name in SHOWN)
        minutes = (time.perf_counter() - start) / 60
        print(f"{given.env}, {given.epochs} epochs, seed {seed}: {top1}; {minutes:.0f} minutes", flush=True)


if __name__ == "__main__":
    main()
