"""Whether a training on two devices whose processes are killed ends as if nothing had happened.

    python benchmarks/worker_kills.py [--kills 5] [--epochs 30] [--seed N]

Runs `kedro run --env=test --pipelines=pretrain --params devices=2` (a checkpoint after every step) undisturbed, and
again with a SIGKILL to one of the two processes at random moments: mostly while they train, in one of four cases while
they start. Compares every tensor of encoder and heads bit for bit.
"""

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from resume import KEDRO, ROOT, same, tensors


def start(data_root: Path, epochs: int, kills: int, pipelines: str) -> subprocess.Popen[bytes]:
    settings = {"data_root": data_root, "devices": 2, "max_restarts": kills, "pretrain.epochs": epochs}
    settings |= {"pretrain.checkpoint.steps": 1, "pretrain.online_knn.evaluations": 1}
    params = ",".join(f"{name}={value}" for name, value in settings.items())
    command = [KEDRO, "run", "--env=test", f"--pipelines={pipelines}", f"--params={params}"]
    log = (data_root.parent / f"{data_root.name}.log").open("wb")
    return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def workers(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-ww", "--ppid", str(parent), "-o", "pid=,args="], check=False, capture_output=True, text=True
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if "spawn_main" in line]


def trains_since(data_root: Path, moment: float) -> bool:
    files = list((data_root / "06_models/checkpoints").glob("*/step-*.safetensors"))
    return any(file.stat().st_mtime > moment for file in files if file.exists())


def kill_one(process: subprocess.Popen[bytes], data_root: Path, since: float) -> str:
    """Kill one of the processes at a random moment; the text says which one and when. Empty if the run has ended."""
    starting = random.random() < 0.25
    while process.poll() is None and not (workers(process.pid) if starting else trains_since(data_root, since)):
        time.sleep(0.05)
    time.sleep(random.uniform(0, 8 if starting else 1))
    found = workers(process.pid)
    if process.poll() is not None or not found:
        return ""
    victim = random.choice(found)
    os.kill(victim, signal.SIGKILL)
    while victim in workers(process.pid) and process.poll() is None:
        time.sleep(0.05)
    return f"process {found.index(victim)} while they {'start' if starting else 'train'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        once, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        for place in (once, killed):
            start(place, given.epochs, 0, "ingest").wait()
        assert start(once, given.epochs, 0, "pretrain").wait() == 0, (Path(folder) / "undisturbed.log").read_text()
        process, done, since = start(killed, given.epochs, given.kills, "pretrain"), 0, time.time()
        while done < given.kills and process.poll() is None:
            what = kill_one(process, killed, since)
            since = time.time()
            if what:
                done += 1
                print(f"killed {what}", flush=True)
        code = process.wait()
        print((Path(folder) / "killed.log").read_text())
        equal = same(tensors(once), tensors(killed))
        print(f"{done} SIGKILLs, exit code {code}, tensors {'equal' if equal else 'differ'}")


if __name__ == "__main__":
    main()
