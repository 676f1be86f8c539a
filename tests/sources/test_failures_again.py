"""Images that were unreadable are tried again, without moving other images between splits."""

import errno

import numpy as np
import pytest
from kedro.io import DatasetError

from byol_kedro.errors import UserError
from byol_kedro.files import user_files
from byol_kedro.files.decode import UnreadableImage
from byol_kedro.sources import encoded as module
from byol_kedro.sources import hold_out
from byol_kedro.sources.folder import FolderSource
from tests.support.image_datasets import NEW, OLD, ingest_parameters
from tests.support.image_folders import SIDE, SPLITS, colors, decode_here, ingested, labeled_folder, write_tree

HALF = ingest_parameters(SIDE, max_broken=0.5)


class Net:
    """A network folder: files in `away` cannot be decoded, files in `closed` cannot be opened."""

    def __init__(self, monkeypatch):
        self.away, self.closed, self.decoded = set(), set(), []
        self.reason = "Input/output error"
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(module, "decode_all", self._decode_all)
        self.close(hold_out, "open_regular")

    def close(self, place, name):
        """Make a function of a path fail for files in `closed`."""
        really = getattr(place, name)

        def function(path):
            if self._name(path) in self.closed:
                raise OSError(errno.EIO, self.reason)
            return really(path)

        self._monkeypatch.setattr(place, name, function)

    @staticmethod
    def _name(path):
        return "/".join(path.parts[-2:])

    def _decode_all(self, paths, size):
        for path in paths:
            self.decoded.append(self._name(path))
            gone = self._name(path) in self.away | self.closed
            yield UnreadableImage(self.reason) if gone else next(decode_here([path], size))


@pytest.fixture
def net(monkeypatch):
    return Net(monkeypatch)


@pytest.fixture
def root(tmp_path):
    """A folder with test images."""
    train = [f"train/{label}/{n}.png" for label in "ab" for n in range(5)]
    return write_tree(tmp_path / "raw", [*train, "test/a/t.png"])


@pytest.fixture
def undivided(tmp_path):
    """A folder without test images, where a quarter of each class is held out."""
    return labeled_folder(tmp_path / "raw", per_class=8)


def ingest(root, version, **changes):
    return ingested("folder", root, root.parent / "out", version, **({"max_broken": 0.5} | changes))


def links(root, split, version):
    return (root.parent / f"out/{split}.npy" / version / f"{split}.npy").stat().st_nlink


def contents(images):
    return [(images[split].fingerprint, images[split].names) for split in SPLITS]


def test_image_that_became_readable_is_added(root, net):
    net.away = {"b/2.png"}
    assert ingest(root, OLD)["train"].broken == {"train/b/2.png": "Input/output error"}
    net.away, net.decoded = set(), []
    images = ingest(root, NEW)["train"]
    assert colors(images) == list(range(10))
    assert not images.broken
    assert set(net.decoded) == {"b/2.png"}


def test_only_unreadable_images_are_tried_again(root, net):
    net.away = {"b/2.png"}
    ingest(root, OLD)
    net.decoded = []
    assert list(ingest(root, NEW)["train"].broken) == ["train/b/2.png"]
    assert net.decoded == ["b/2.png"]
    assert [links(root, split, NEW) for split in SPLITS] == [2, 2, 2]


def test_reason_is_updated(root, net):
    net.away = {"b/2.png"}
    ingest(root, OLD)
    net.reason = "Connection timed out"
    assert ingest(root, NEW)["train"].broken == {"train/b/2.png": "Connection timed out"}


def test_link_to_a_restored_target_is_followed(root, net):
    (root / "train/a/0.png").rename(root.parent / "0.png")
    (root / "train/a/0.png").symlink_to(root.parent / "1.png")
    assert ingest(root, OLD)["train"].broken == {"train/a/0.png": "No such file or directory"}
    (root.parent / "0.png").rename(root.parent / "1.png")
    assert colors(ingest(root, NEW)["train"]) == list(range(10))


def test_too_many_unreadable_images_are_refused_again(root, net):
    net.away = {"b/2.png", "b/3.png"}
    for version in (OLD, NEW):
        with pytest.raises(DatasetError) as caught:
            ingest(root, version, max_broken=0.1)
        assert "2 of 10 images for train" in str(caught.value.__cause__)


@pytest.mark.parametrize("how", ["away", "closed"])
def test_held_out_splits_recover_after_a_failure(undivided, net, how):
    right = ingested("folder", undivided, undivided.parent / "right")
    for name in (f"{label}/{n}.png" for label in "ab" for n in range(8)):
        setattr(net, how, {name})
        out = undivided.parent / name
        one = ingested("folder", undivided, out, OLD, max_broken=0.5)
        assert list(one["train"].broken | one["test"].broken) == [f"train/{name}"]
        assert not set(one["train"].names) & set(one["test"].names)
        setattr(net, how, set())
        assert contents(ingested("folder", undivided, out, NEW, max_broken=0.5)) == contents(right)


def test_undecided_image_is_not_decoded(undivided, net):
    """It would be in train although its content may belong to test."""
    net.closed = {"a/3.png"}
    stream = FolderSource(undivided, HALF, 0).stream("train")
    assert "train/a/3.png" in stream.index.names
    net.closed = set()
    assert UnreadableImage in map(type, stream.batches(np.arange(stream.count)))
    assert "a/3.png" not in net.decoded


def test_undecided_splits_are_linked(undivided, net):
    net.closed = {"a/3.png"}
    ingest(undivided, OLD)
    net.decoded = []
    assert list(ingest(undivided, NEW)["train"].broken) == ["train/a/3.png"]
    assert [links(undivided, split, NEW) for split in SPLITS] == [2, 2, 2]
    assert net.decoded == []


def test_splits_are_never_decided_differently(undivided, net):
    """Train would be linked; one image of test is readable again, and one of train is not, which changes the split."""
    right = ingested("folder", undivided, undivided.parent / "right")
    net.away = {right["test"].names[0].removeprefix("train/")}
    assert ingest(undivided, OLD)["test"].broken
    net.away, net.closed = set(), {right["train"].names[0].removeprefix("train/")}
    with pytest.raises(DatasetError) as caught:
        ingest(undivided, NEW)
    assert isinstance(caught.value.__cause__, UserError)
    assert "run ingest again" in str(caught.value.__cause__)
    assert not (undivided.parent / f"out/test.npy/{NEW}").exists()
    net.closed = set()
    assert contents(ingest(undivided, "2026-01-03T00.00.00.000Z")) == contents(right)


def test_unreadable_file_with_coarse_times_comes_back(root, net, monkeypatch):
    """Its key would be the same for every content."""
    monkeypatch.setattr(user_files, "COARSE", 1)
    net.close(module, "content_hash")
    net.closed = {"b/2.png"}
    stream = FolderSource(root, HALF, 0).stream("train")
    net.closed = set()  # a moment later it could be decoded
    assert UnreadableImage in map(type, stream.batches(np.arange(stream.count)))
    net.closed = {"b/2.png"}
    assert list(ingest(root, OLD)["train"].broken) == ["train/b/2.png"]
    net.closed = set()
    assert colors(ingest(root, NEW)["train"]) == list(range(10))
