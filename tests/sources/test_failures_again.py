"""What could break: an image that could not be read once stays out though it can be read now, or moves others."""

import errno

import numpy as np
import pytest
from kedro.io import DatasetError

from byol_kedro.errors import UserError
from byol_kedro.files import user_files
from byol_kedro.files.decode import UnreadableImage
from byol_kedro.sources import folder as module
from byol_kedro.sources import hold_out
from tests.support.image_datasets import NEW, OLD, ingest_parameters
from tests.support.image_folders import SIDE, SPLITS, colors, decode_here, ingested, labeled_folder, write_tree

HALF = ingest_parameters(SIDE, max_broken=0.5)


class Net:
    """A folder on the net: files whose names are in `away` cannot be decoded, those in `closed` not even be opened."""

    def __init__(self, monkeypatch):
        self.away, self.closed, self.decoded = set(), set(), []
        self.reason = "Input/output error"
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(module, "decode_all", self._decode_all)
        self.close(hold_out, "open_regular")

    def close(self, place, name):
        """Lets a function of a path fail for what is closed."""
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
    """With a test folder."""
    train = [f"train/{label}/{n}.png" for label in "ab" for n in range(5)]
    return write_tree(tmp_path / "raw", [*train, "test/a/t.png"])


@pytest.fixture
def undivided(tmp_path):
    """Without one: a quarter of each class is held out."""
    return labeled_folder(tmp_path / "raw", per_class=8)


def ingest(root, version, **changes):
    return ingested("folder", root, root.parent / "out", version, **({"max_broken": 0.5} | changes))


def links(root, split, version):
    return (root.parent / f"out/{split}.npy" / version / f"{split}.npy").stat().st_nlink


def contents(images):
    return [(images[split].fingerprint, images[split].names) for split in SPLITS]


def test_what_could_not_be_read_once_is_there_when_it_can_be_read(root, net):
    net.away = {"b/2.png"}
    assert ingest(root, OLD)["train"].broken == {"train/b/2.png": "Input/output error"}
    net.away, net.decoded = set(), []
    images = ingest(root, NEW)["train"]
    assert colors(images) == list(range(10))
    assert not images.broken
    assert set(net.decoded) == {"b/2.png"}


def test_what_can_still_not_be_read_is_tried_alone_and_the_rest_linked(root, net):
    net.away = {"b/2.png"}
    ingest(root, OLD)
    net.decoded = []
    assert list(ingest(root, NEW)["train"].broken) == ["train/b/2.png"]
    assert net.decoded == ["b/2.png"]
    assert [links(root, split, NEW) for split in SPLITS] == [2, 2, 2]


def test_a_reason_is_that_of_now(root, net):
    net.away = {"b/2.png"}
    ingest(root, OLD)
    net.reason = "Connection timed out"
    assert ingest(root, NEW)["train"].broken == {"train/b/2.png": "Connection timed out"}


def test_a_link_whose_end_comes_back_is_followed(root, net):
    (root / "train/a/0.png").rename(root.parent / "0.png")
    (root / "train/a/0.png").symlink_to(root.parent / "1.png")
    assert ingest(root, OLD)["train"].broken == {"train/a/0.png": "No such file or directory"}
    (root.parent / "0.png").rename(root.parent / "1.png")
    assert colors(ingest(root, NEW)["train"]) == list(range(10))


def test_too_many_that_can_still_not_be_read_are_an_error_again(root, net):
    net.away = {"b/2.png", "b/3.png"}
    for version in (OLD, NEW):
        with pytest.raises(DatasetError) as caught:
            ingest(root, version, max_broken=0.1)
        assert "2 of 10 images for train" in str(caught.value.__cause__)


@pytest.mark.parametrize("how", ["away", "closed"])
def test_where_images_are_held_out_both_splits_are_as_if_it_had_never_failed(undivided, net, how):
    right = ingested("folder", undivided, undivided.parent / "right")
    for name in (f"{label}/{n}.png" for label in "ab" for n in range(8)):
        setattr(net, how, {name})
        out = undivided.parent / name
        one = ingested("folder", undivided, out, OLD, max_broken=0.5)
        assert list(one["train"].broken | one["test"].broken) == [f"train/{name}"]
        assert not set(one["train"].names) & set(one["test"].names)
        setattr(net, how, set())
        assert contents(ingested("folder", undivided, out, NEW, max_broken=0.5)) == contents(right)


def test_what_cannot_be_opened_to_be_held_out_is_not_decoded_either(undivided, net):
    """It would be in train though its content may belong to test."""
    net.closed = {"a/3.png"}
    stream = module.FolderSource(undivided, HALF, 0).stream("train")
    assert "train/a/3.png" in stream.index.names
    net.closed = set()
    assert UnreadableImage in map(type, stream.batches(np.arange(stream.count)))
    assert "a/3.png" not in net.decoded


def test_halves_that_can_still_not_be_decided_are_linked(undivided, net):
    net.closed = {"a/3.png"}
    ingest(undivided, OLD)
    net.decoded = []
    assert list(ingest(undivided, NEW)["train"].broken) == ["train/a/3.png"]
    assert [links(undivided, split, NEW) for split in SPLITS] == [2, 2, 2]
    assert net.decoded == []


def test_one_half_is_not_decided_anew_beside_one_that_is_kept(undivided, net):
    """Train is linked; of test one image came back, while one of train went away, without which it is divided else."""
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


def test_where_times_are_coarse_a_file_that_cannot_be_read_is_none_and_comes_back(root, net, monkeypatch):
    """The key of such a file would be that of any content."""
    monkeypatch.setattr(user_files, "COARSE", 1)
    net.close(module, "content_hash")
    net.closed = {"b/2.png"}
    stream = module.FolderSource(root, HALF, 0).stream("train")
    net.closed = set()  # a moment later it could be decoded
    assert UnreadableImage in map(type, stream.batches(np.arange(stream.count)))
    net.closed = {"b/2.png"}
    assert list(ingest(root, OLD)["train"].broken) == ["train/b/2.png"]
    net.closed = set()
    assert colors(ingest(root, NEW)["train"]) == list(range(10))
