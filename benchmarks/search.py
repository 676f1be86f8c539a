"""Measures the exact search: time and memory for features in a file.

python benchmarks/search.py --images 1000000
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from byol_kedro.evaluation.search import search

BLOCK = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--queries", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the features are written; a temporary folder by default")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path, rng = Path(folder) / "features", np.random.default_rng(0)
        with path.open("wb") as file:
            for start in range(0, args.images, BLOCK):
                rows = min(BLOCK, args.images - start)
                file.write(rng.standard_normal((rows, args.features), np.float32).tobytes())
        known = np.memmap(path, np.float32, "r", 0, (args.images, args.features))
        queries = rng.standard_normal((args.queries, args.features), np.float32)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(args.repeats):
            start_time, cpu = time.perf_counter(), time.process_time()
            search([known], queries, 24)
            print(f"{time.perf_counter() - start_time:.2f} s, {time.process_time() - cpu:.2f} s of CPU")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"peak memory {peak / 1024:.0f} MB, before the search {before / 1024:.0f} MB")


if __name__ == "__main__":
    main()
