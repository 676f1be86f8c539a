"""Ingests tar shards from an S3 server on this machine that breaks off every connection after some bytes.

    python benchmarks/sources_s3.py data/01_raw/images --count 100000

needs `pip install s3fs "moto[server]"`. The images of a folder (train/<class>/) are repeated until there are `--count`,
in shards of 10,000, the last of them for test. A proxy between the server, which is moto's, and the ingest breaks off
the connection whenever it has sent another `--megabytes`. Prints the number of images, how often a connection was
broken off, seconds, and the peak memory of the ingest's process, packages included. The shards are in memory.
"""

import argparse
import io
import itertools
import json
import resource
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

SERVER, PROXY = 5555, 5556  # ports
SHARD = 10_000
KEYS = {"key": "a", "secret": "b"}


class Proxy:
    """Passes bytes between the ingest and the server, and breaks off."""

    def __init__(self, limit: int) -> None:
        self.limit, self.sent, self.broken, self._lock = limit, 0, 0, threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", PROXY))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", SERVER))
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if is_answer and self._is_over(len(data)):
                    target.sendall(data[: len(data) // 2])
                    break
                target.sendall(data)
        except OSError:
            pass  # the other side has closed
        for side in (source, target):
            side.close()

    def _is_over(self, count: int) -> bool:
        with self._lock:
            self.sent += count
            over = self.sent >= self.limit * (self.broken + 1)
            self.broken += over
        return over


def upload(root: Path, count: int) -> None:
    import boto3  # noqa: PLC0415  # comes with moto

    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{SERVER}", aws_access_key_id="a", aws_secret_access_key="b",
        region_name="us-east-1",
    )  # fmt: skip
    client.create_bucket(Bucket="images")
    files = itertools.cycle(sorted(path for path in (root / "train").rglob("*") if path.is_file()))
    for start in range(0, count, SHARD):
        shard = io.BytesIO()
        with tarfile.open(fileobj=shard, mode="w") as tar:
            for number, path in enumerate(itertools.islice(files, min(SHARD, count - start))):
                for suffix, content in ((path.suffix, path.read_bytes()), (".cls", path.parent.name.encode())):
                    info = tarfile.TarInfo(f"{number:06}{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        split = "test" if start + SHARD >= count else "train"
        client.put_object(Bucket="images", Key=f"shards/{split}-{start:06}.tar", Body=shard.getvalue())


def ingest(side: int, target: Path) -> None:
    """Ingest the shards; print images, seconds, and peak memory in bytes."""
    from byol_kedro.datasets.images import ImagesDataset  # noqa: PLC0415  # not needed by the parent
    from byol_kedro.datasets.raw import RawImages  # noqa: PLC0415
    from byol_kedro.parameters import Ingest  # noqa: PLC0415
    from byol_kedro.sources.source import SPLITS  # noqa: PLC0415

    start = time.perf_counter()
    given = {"image_size": side, "test_fraction": 0.2, "folder": {"max_broken": 0.0}}
    parameters = Ingest.model_validate(given | {"photos": {"unlabeled": 0, "train": 1, "test": 1}})
    options = {**KEYS, "endpoint_url": f"http://127.0.0.1:{PROXY}"}
    source = RawImages("webdataset", "s3://images/shards", None, options).open(parameters, seed=0)
    datasets = {split: ImagesDataset(filepath=str(target / f"{split}.npy")) for split in SPLITS}
    for split, dataset in datasets.items():
        dataset.save(source.stream(split))
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([sum(len(dataset.load()) for dataset in datasets.values()), seconds, peak]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="folder of images")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32, help="image_size")
    parser.add_argument("--megabytes", type=int, default=50)
    parser.add_argument("--target", type=Path, default=None, help="where the result is written")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        ingest(given.side, given.target)
        return
    from moto.server import ThreadedMotoServer  # noqa: PLC0415  # optional

    server = ThreadedMotoServer(port=SERVER, verbose=False)
    server.start()
    upload(given.root, given.count)
    proxy = Proxy(given.megabytes * 1_000_000)
    with tempfile.TemporaryDirectory(dir=given.target) as name:
        words = [given.root, "--child", "--side", given.side, "--target", name]
        command = [sys.executable, __file__, *map(str, words)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    count, seconds, peak = json.loads(done.stdout.splitlines()[-1])
    print(f"{count:,} images in {seconds:.0f} s, {proxy.broken} connections broken off, {peak / 1e6:.0f} MB")
    server.stop()


if __name__ == "__main__":
    main()
