"""Compares the sources of image files: the same images as a folder, a table, tar files and Parquet files.

    python benchmarks/sources.py data/01_raw/images --side 96

writes the images of a folder (train/<class>/, test/<class>/, unlabeled/) in the other layouts and ingests each of them,
in turn and in processes of their own, `--rounds` times. It checks that pixels, labels and class names are identical,
and prints the median time, the median of the ratios of the speed to that of the folder in the same round, and the peak
memory of the parent process, packages included. Needs twice the size of the folder, and four times that of the result,
in --target.
"""

import argparse
import csv
import io
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from byol_kedro.sources.layout import find_files
from byol_kedro.sources.source import SPLITS

SHARD, GROUP = 5_000, 100  # images
KINDS = ("folder", "csv", "webdataset", "parquet")


def listed(root: Path) -> dict[str, list[tuple[Path, str]]]:
    """The files and classes of each split in the order in which the folder is read."""
    found, _ = find_files(root)
    return {
        split: [(root / file.name, file.name.split("/")[1] if split != "unlabeled" else "") for file in files]
        for split, files in found.items()
    }


def write_others(root: Path, target: Path) -> dict[str, Path]:
    """Write the other layouts; return the raw_root of each."""
    splits = listed(root)
    names = sorted({label for _, label in splits["train"]})
    places = {"folder": root} | {kind: target / kind for kind in KINDS[1:]}
    for kind in KINDS[1:]:
        places[kind].mkdir()
    with (places["csv"] / "images.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        rows.writerows([path.resolve(), label, split] for split in SPLITS for path, label in splits[split])
    info = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": info}})}
    for split, files in splits.items():
        for number, start in enumerate(range(0, len(files), SHARD)):
            some = files[start : start + SHARD]
            write_tar(places["webdataset"] / f"{split}-{number:06}.tar", some)
            table = pa.table(
                {
                    "image": [{"bytes": path.read_bytes(), "path": path.name} for path, _ in some],
                    "label": [names.index(label) if label else -1 for _, label in some],
                }
            )
            path = places["parquet"] / f"{split}-{number:05}.parquet"
            pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=GROUP)
    return places


def write_tar(path: Path, files: list[tuple[Path, str]]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, (file, label) in enumerate(files):
            for suffix, content in ((file.suffix, file.read_bytes()), (".cls", label.encode())):
                info = tarfile.TarInfo(f"{number:06}{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def ingest(kind: str, root: str, target: Path, side: int) -> None:
    """Ingest a source; print its seconds, its peak memory in bytes, and a fingerprint of each split."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415  # not needed by the parent
    from byol_kedro.datasets.raw import RawImages  # noqa: PLC0415
    from byol_kedro.parameters import Ingest  # noqa: PLC0415

    start = time.perf_counter()
    given = {"image_size": side, "test_fraction": 0.2, "folder": {"max_broken": 0.01}}
    parameters = Ingest.model_validate(given | {"photos": {"unlabeled": 0, "train": 1, "test": 1}})
    source = RawImages(kind, Path(root)).open(parameters, seed=0)
    datasets = {split: ImagesDataset(filepath=str(target / f"{split}.npy")) for split in SPLITS}
    for split, dataset in datasets.items():
        dataset.save(source.stream(split))
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    images = {split: dataset.load() for split, dataset in datasets.items()}
    fingerprints = {split: [one.fingerprint, one.class_names, len(one)] for split, one in images.items()}
    print(json.dumps([seconds, peak, fingerprints]))


def child(kind: str, root: Path, target: Path, side: int) -> list:
    command = [sys.executable, __file__, str(root), "--side", str(side), "--child", kind, "--target", str(target)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(target)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="folder of images")
    parser.add_argument("--side", type=int, default=96, help="image_size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--target", type=Path, default=None, help="where files are written")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        ingest(given.child, given.root, given.target, given.side)
        return
    with tempfile.TemporaryDirectory(dir=given.target) as name:
        places = write_others(Path(given.root), Path(name))
        results = [
            {kind: child(kind, places[kind], Path(name) / "out", given.side) for kind in KINDS}
            for _ in range(given.rounds)
        ]
    first = results[0]["folder"][2]
    assert all(one[2] == first for result in results for one in result.values()), "the images differ"
    print(f"identical in all sources: {', '.join(f'{count:,} {split}' for split, (*_, count) in first.items())}")
    for kind in KINDS:
        seconds = statistics.median(result[kind][0] for result in results)
        speed = statistics.median(result["folder"][0] / result[kind][0] for result in results)
        peak = max(result[kind][1] for result in results)
        print(f"{kind:11} {seconds:6.1f} s, speed {speed:.2f} of folder, {peak / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
