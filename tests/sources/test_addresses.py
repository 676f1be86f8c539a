"""Images behind addresses of fsspec are those of the local files, whatever the connection does."""

import os

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from kedro.io import DatasetError

from byol_kedro.errors import UserError
from byol_kedro.files import remote
from byol_kedro.files.remote import RemoteError, RemotePath
from byol_kedro.sources import encoded
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SPLITS, decode_here, ingested, labeled_folder, write_image
from tests.support.shard_files import png, write_parquet, write_tar

KINDS = ["folder", "csv", "parquet", "webdataset"]


class FlakyFileSystem(MemoryFileSystem):
    """Fails every third time, answers with half of the bytes every other third time."""

    protocol = "flaky"
    store, pseudo_dirs = MemoryFileSystem.store, MemoryFileSystem.pseudo_dirs
    asked = 0

    @classmethod
    def _strip_protocol(cls, path):
        return MemoryFileSystem._strip_protocol(path.replace("flaky://", "memory://"))

    def cat_file(self, path, start=None, end=None, **kwargs):
        type(self).asked += 1
        if self.asked % 3 == 1:
            raise ConnectionResetError("reset by peer")
        content = super().cat_file(path, start, end, **kwargs)
        return content[: len(content) // 2] if self.asked % 3 == 2 and start is not None else content


fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(encoded, "decode_all", decode_here)
    monkeypatch.setattr(remote, "WAITS", (0.0,) * 4)
    MemoryFileSystem.store.clear()
    FlakyFileSystem.asked = 0
    yield
    MemoryFileSystem.store.clear()


def samples(images):
    """The files of a shard."""
    for number, (image, label) in enumerate(images):
        yield f"{number}.png", image
        yield f"{number}.cls", label.encode()


def write(kind, root):
    """The same images in any layout."""
    labeled_folder(root, 6)
    write_image(root / "test/b/0.png", 50)
    write_image(root / "unlabeled/0.png", 60)
    names = [*(f"train/{c}/{n}.png" for c in "ab" for n in range(6)), "test/b/0.png", "unlabeled/0.png"]
    rows = [(name, name.split("/")[1] if name[0] == "t" else "", name.split("/")[0]) for name in names]
    if kind == "csv":
        (root / "images.csv").write_text("path,label,split\n" + "".join(f"{','.join(row)}\n" for row in rows))
    for split in SPLITS:
        some = [((root / name).read_bytes(), label) for name, label, of in rows if of == split]
        if kind == "webdataset":
            write_tar(root / f"shards/{split}.tar", samples(some))
        if kind == "parquet":
            write_parquet(root / f"shards/{split}.parquet", [image for image, _ in some], [c or None for _, c in some])
    return root / "shards" if kind in ("webdataset", "parquet") else root


def upload(folder, name="bucket/images"):
    for path in folder.rglob("*"):
        if path.is_file():
            fsspec.filesystem("memory").pipe_file(f"/{name}/{path.relative_to(folder)}", path.read_bytes())
    return name


@pytest.mark.parametrize("scheme", ["memory", "flaky"])
@pytest.mark.parametrize("kind", KINDS)
def test_images_equal_those_of_local_files(tmp_path, kind, scheme, monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 1000)
    root = write(kind, tmp_path / "raw")
    expected = ingested(kind, root, tmp_path / "local")
    found = ingested(kind, f"{scheme}://{upload(root)}", tmp_path / "remote")
    for split in SPLITS:
        assert found[split].fingerprint == expected[split].fingerprint
        assert found[split].names == expected[split].names
        assert found[split].class_names == expected[split].class_names


@pytest.mark.parametrize("kind", KINDS)
def test_unchanged_files_are_linked_without_reading_images(tmp_path, monkeypatch, kind):
    address = f"memory://{upload(write(kind, tmp_path / 'raw'))}"
    ingested(kind, address, tmp_path / "out", OLD)
    monkeypatch.setattr(encoded, "decode_all", None)
    ingested(kind, address, tmp_path / "out", NEW)
    assert (tmp_path / f"out/train.npy/{NEW}/train.npy").stat().st_nlink == 2


def test_one_file_and_class_names_beside_it(tmp_path):
    shard = write_tar(tmp_path / "a.tar", samples([(png(n), str(n % 2)) for n in range(8)]))
    (tmp_path / "class_names.txt").write_text("dog\ncat\n")
    upload(tmp_path)
    images = ingested("webdataset", f"memory://bucket/images/{shard.name}", tmp_path / "out")
    assert images["train"].class_names == ["dog", "cat"]


def test_held_out_images_are_those_of_local_files(tmp_path):
    root = labeled_folder(tmp_path / "raw", 8)
    expected = ingested("folder", root, tmp_path / "local")
    found = ingested("folder", f"memory://{upload(root)}", tmp_path / "remote")
    assert found["test"].names == expected["test"].names


def test_missing_and_ignored_files_are_counted(tmp_path):
    root = write("csv", tmp_path / "raw")
    with (root / "images.csv").open("a") as file:
        file.write("gone.png,a,train\n")
    (root / "train/a/.hidden.png").write_bytes(b"")
    (root / "train/a/x.txt").write_bytes(b"")
    address = f"memory://{upload(root)}"
    assert ingested("csv", address, tmp_path / "a", max_broken=0.1)["train"].broken == {
        "gone.png": "No such file or directory"
    }
    assert ingested("folder", address, tmp_path / "b")["train"].ignored == {"hidden": 1, ".txt": 1}


def test_connection_that_stays_away_is_an_error(tmp_path, monkeypatch):
    address = f"flaky://{upload(write('webdataset', tmp_path / 'raw'))}"

    def fails(self, path, start=None, end=None):
        raise TimeoutError("no answer")

    monkeypatch.setattr(FlakyFileSystem, "cat_file", fails)
    with pytest.raises((UserError, DatasetError), match=r"test.tar cannot be read: no answer"):
        ingested("webdataset", address, tmp_path / "out")


def test_denied_access_is_one_line(tmp_path, monkeypatch):
    address = f"flaky://{upload(write('parquet', tmp_path / 'raw'))}"

    def denied(self, path, start=None, end=None):
        raise PermissionError("Forbidden")

    monkeypatch.setattr(FlakyFileSystem, "cat_file", denied)
    with pytest.raises(UserError, match=r"parquet cannot be read.*access denied \(Forbidden\)"):
        ingested("parquet", address, tmp_path / "out")


@pytest.mark.parametrize(
    ("kind", "address", "message"),
    [
        ("folder", "memory://nowhere", "no images found in memory://nowhere"),
        ("csv", "memory://nowhere", "has no .csv file"),
        ("csv", "memory://nowhere/x.csv", "memory://nowhere/x.csv cannot be read: No such file"),
        ("parquet", "memory://nowhere", "raw_root memory://nowhere does not exist"),
        ("webdataset", "memory://nowhere/x.tar", "raw_root memory://nowhere/x.tar does not exist"),
        ("stl10", "memory://nowhere", "source stl10 reads local files only"),
        ("folder", "nosuch://nowhere", "nosuch://nowhere cannot be opened: Protocol not known: nosuch"),
    ],
)
def test_errors_are_one_line(tmp_path, kind, address, message):
    with pytest.raises(UserError, match=message) as raised:
        ingested(kind, address, tmp_path / "out")
    assert "\n" not in str(raised.value)


def test_blocks_are_read_at_any_position(monkeypatch):
    monkeypatch.setattr(remote, "BLOCK", 100)
    content = np.random.default_rng(0).bytes(1234)
    fsspec.filesystem("memory").pipe_file("/x", content)
    with RemotePath("flaky://x").open() as file:
        for start, length in [(0, 10), (5, 200), (1200, 100), (0, 1234), (1300, 5), (99, 2)]:
            file.seek(start)
            assert file.read(length) == content[start : start + length]
        assert file.seek(-4, os.SEEK_END) == 1230
        assert file.read() == content[-4:]


def test_server_without_ranges_is_an_error(monkeypatch):
    fsspec.filesystem("memory").pipe_file("/x", bytes(50))
    monkeypatch.setattr(FlakyFileSystem, "cat_file", lambda self, path, start=None, end=None: bytes(50))
    with pytest.raises(RemoteError, match="50 bytes received, 10 expected"):
        RemotePath("flaky://x").read_block(0, 10)


def test_file_without_validators_counts_as_changed():
    assert remote._state({"size": 3}) != remote._state({"size": 3})
    assert remote._state({"size": 3, "ETag": '"a"'}) == remote._state({"size": 3, "ETag": '"a"'})
