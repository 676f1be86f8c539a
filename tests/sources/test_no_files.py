"""Pipes, devices, sockets and folders in place of a file are refused without blocking."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from byol_kedro import load_encoder
from byol_kedro.datasets.pair_files import PairFileDataset, PairTensorsDataset
from byol_kedro.datasets.raw import RawImages
from byol_kedro.errors import UserError
from byol_kedro.files.atomic import replacing
from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.files.download import download
from byol_kedro.files.fetch import NEVER, fetch_and_unpack
from byol_kedro.files.user_files import is_regular
from byol_kedro.files.weights import read_weights
from byol_kedro.pipelines.extract.references import check_references
from byol_kedro.pipelines.pretrain.resume import file_hash
from byol_kedro.sources.cifar10 import BATCHES, CIFAR10
from byol_kedro.sources.stl10 import STL10
from tests.support.encoder_inputs import SETTINGS
from tests.support.image_datasets import ingest_parameters, write_stl10
from tests.support.image_folders import SIDE, write_tree
from tests.support.written_sources import pixels_of, write_npy

NOWHERE = "http://127.0.0.1:9/x"  # the port of "discard"; nothing listens there


@pytest.fixture(autouse=True)
def in_time():
    """Fail if a test blocks."""

    def stop(*_):
        raise AssertionError("blocked")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 10)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def listen(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "is a pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "socket": (listen, "is a socket"),
    "folder": (Path.mkdir, "is a folder"),
    "link": (lambda path: path.symlink_to("nowhere"), "is a link to nowhere, which does not exist"),
}


def opened(source: str, side: int = SIDE) -> Callable[[Path], object]:
    """Open a source, whose files may be in a folder inside `raw_root`."""
    above = {"stl10": 2, "cifar10": 2}.get(source, 1)
    return lambda path: RawImages(source, path.parents[above - 1], NEVER).open(ingest_parameters(side), 0)


def load(dataset: type) -> Callable[[Path], object]:
    def loaded(path: Path) -> object:
        try:
            return dataset(filepath=str(path)).load()
        except DatasetError as error:
            raise error.__cause__ or error from None

    return loaded


def write_arrays(folder: Path) -> None:
    write_npy(folder, train=pixels_of(6), train_labels=np.arange(6) % 2, test=pixels_of(2), test_labels=np.arange(2))
    (folder / "class_names.txt").write_text("a\nb\n")


def write_cifar10(folder: Path) -> None:
    (folder / CIFAR10.folder).mkdir()
    for name in (*BATCHES["train"], *BATCHES["test"]):
        np.zeros(3073, np.uint8).tofile(folder / CIFAR10.folder / f"{name}.bin")


def nothing(folder: Path) -> None:
    pass


def unpacked(path: Path) -> None:
    fetch_and_unpack(STL10, path.parent, NEVER)


def _whole(part: Path) -> Path:
    return part.with_suffix("")


# Setup, the file that is replaced, and what reads it.
READERS: dict[str, tuple[Callable[[Path], object], str, Callable[[Path], object]]] = {
    "init_from, its content": (nothing, "x.pth", lambda path: file_hash(str(path))),
    "weights": (nothing, "x.pth", lambda path: read_weights(path, "pretrain.init_from")),
    "weights of safetensors": (nothing, "x.safetensors", lambda path: read_weights(path, "pair_model.weights_from")),
    "references": (nothing, "x.pth", lambda path: check_references({"mine": f"resnet18@{path}"}, SETTINGS)),
    "pairs of text": (nothing, "pairs.txt", load(PairFileDataset)),
    "pairs of parquet": (nothing, "pairs.parquet", lambda path: load(PairFileDataset)(path.with_suffix(".txt"))),
    "pairs of tensors": (nothing, "pairs.pt", load(PairTensorsDataset)),
    "an array": (write_arrays, "train.npy", opened("array")),
    "an array that is optional": (write_arrays, "unlabeled.npy", opened("array")),
    "labels": (write_arrays, "train_labels.npy", opened("array")),
    "names of classes": (write_arrays, "class_names.txt", opened("array")),
    **{f"stl10's {name}": (write_stl10, f"{STL10.folder}/{name}", opened("stl10")) for name in STL10.members},
    **{
        f"cifar10's {name}": (write_cifar10, f"{CIFAR10.folder}/{name}", opened("cifar10", 32))
        for name in CIFAR10.members
    },
    "an archive": (nothing, STL10.name, unpacked),
    "the beginning of a download": (nothing, f"{STL10.name}.part", lambda path: download(NOWHERE, _whole(path), 9, "")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_other_kinds_of_files_are_refused(tmp_path, name, kind):
    surroundings, file, read = READERS[name]
    make, words = KINDS[kind]
    surroundings(tmp_path)
    path = tmp_path / file
    path.unlink(missing_ok=True)
    make(path)
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"{path} {words}" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_invalid_newest_encoder_is_not_replaced_by_an_older_one(tmp_path, kind):
    make, words = KINDS[kind]
    for version in ("2026-01-01T00.00.00.000Z", "2026-01-02T00.00.00.000Z"):
        (tmp_path / "encoder.safetensors" / version).mkdir(parents=True)
    (tmp_path / "encoder.safetensors/2026-01-01T00.00.00.000Z/encoder.safetensors").write_bytes(b"")
    make(tmp_path / "encoder.safetensors/2026-01-02T00.00.00.000Z/encoder.safetensors")
    with pytest.raises(UserError, match=f"^load_encoder: .*02T.*encoder.safetensors {words}"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"folder"}))
def test_encoder_of_another_kind_is_refused(tmp_path, kind):
    make, words = KINDS[kind]
    make(tmp_path / "x")
    with pytest.raises(UserError, match=f"^load_encoder: .*x {words}"):
        load_encoder(tmp_path / "x")


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"folder"}))
@pytest.mark.parametrize("test", [True, False])
def test_image_of_another_kind_is_skipped(tmp_path, kind, test):
    """Also if its content would determine what is held out."""
    root = write_tree(tmp_path / "raw", [f"train/{label}/{n}.png" for label in "ab" for n in range(5)])
    if test:
        write_tree(root, ["test/a/0.png"])
    KINDS[kind][0](root / "train/a/x.png")
    stream = RawImages("folder", root).open(ingest_parameters(SIDE, max_broken=0.5), 0).stream("train")
    assert "train/a/x.png" in stream.index.names
    with pytest.raises(UnreadableImage):
        decode(root / "train/a/x.png", SIDE)


@pytest.mark.parametrize("kind", ["pipe", "device", "socket", "folder"])
def test_special_files_are_not_replaced(tmp_path, kind):
    """For example by `kedro export --output /dev/null`."""
    KINDS[kind][0](tmp_path / "x")
    before = (tmp_path / "x").lstat()
    with (
        pytest.raises(UserError, match=r"x cannot be written: it is not a regular file"),
        replacing(tmp_path / "x") as temporary,
    ):
        temporary.write_text("new")
    assert (tmp_path / "x").lstat() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_is_regular_is_true_for_files_and_links(tmp_path):
    (tmp_path / "x").write_text("")
    (tmp_path / "link").symlink_to("x")
    assert is_regular(tmp_path / "x")
    assert is_regular(tmp_path / "link")
    assert not is_regular(tmp_path / "y")
    assert not is_regular(tmp_path / "x/y")
