"""A missing data set is downloaded once, verified and unpacked; files of the user are kept."""

import errno
import os
import shutil
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from byol_kedro.datasets.raw import RawImagesDataset
from byol_kedro.errors import UserError
from byol_kedro.files import download, fetch
from byol_kedro.files.archives import unpack
from byol_kedro.files.fetch import NEVER, fetch_and_unpack
from byol_kedro.files.progress_bar import ProgressBar
from byol_kedro.parameters import Ingest
from byol_kedro.sources import stl10
from tests.support.image_datasets import STL10_SIDE, files_under, pack_stl10, write_stl10
from tests.support.web import Answer, serve

NOWHERE = "http://127.0.0.1:9/stl10_binary.tar.gz"  # the port of "discard"; nothing listens there


@pytest.fixture(autouse=True)
def _no_waits_and_no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "FIRST_WAIT", 0)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "raw"


@pytest.fixture
def packed(tmp_path):
    """A small stl10_binary.tar.gz, and its description."""
    return pack_stl10(tmp_path / "made")


@pytest.fixture
def archive(packed):
    return packed[1]


@pytest.fixture
def web(packed):
    with serve(packed[0].read_bytes(), name=packed[0].name) as server:
        yield server


def error_of(archive, root, url):
    """Return the message of the error, which must leave no files."""
    before = files_under(root)
    with pytest.raises(UserError) as caught:
        fetch_and_unpack(archive, root, url)
    assert files_under(root) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def unpacked(archive):
    return {f"stl10_binary/{name}" for name in archive.members} | {"stl10_binary"}


def test_missing_stl10_is_downloaded_and_read(root, tmp_path, archive, web, monkeypatch):
    monkeypatch.setattr(stl10, "STL10", archive)
    handle = RawImagesDataset(source="stl10", filepath=str(root), url=web.url).load()
    source = handle.open(Ingest.model_construct(image_size=STL10_SIDE), seed=0)
    raw = np.fromfile(tmp_path / "made" / "stl10_binary" / "test_X.bin", dtype=np.uint8)
    read = np.concatenate(list(source.stream("test").batches()))
    np.testing.assert_array_equal(read, raw.reshape(-1, 3, STL10_SIDE, STL10_SIDE).swapaxes(2, 3))


def test_only_the_archive_is_kept(root, archive, web):
    fetch_and_unpack(archive, root, web.url)
    assert files_under(root) == unpacked(archive) | {archive.name}


def test_published_address_is_the_default(root, archive, web):
    own = archive.__class__(**(vars(archive) | {"url": web.url}))
    fetch_and_unpack(own, root, None)
    assert web.asked == [None]


def test_interrupted_download_is_resumed(root, archive, web):
    web.answers += [Answer(cut=1000), Answer(cut=2000)]
    fetch_and_unpack(archive, root, web.url)
    assert web.asked == [None, "bytes=1000-", "bytes=3000-"]
    assert unpacked(archive) <= files_under(root)


def test_download_is_logged(root, archive, web, caplog):
    caplog.set_level("INFO")
    fetch_and_unpack(archive, root, web.url)
    (line,) = (record.getMessage() for record in caplog.records if record.getMessage().startswith("downloading"))
    assert line.startswith("downloading stl10_binary.tar.gz (")
    assert " kB extracted)" in line
    assert line.endswith(f" from {web.url} to {root}")


def test_local_archive_needs_no_network(root, packed, archive):
    root.mkdir()
    shutil.copy(packed[0], root)
    fetch_and_unpack(archive, root, NOWHERE)
    assert files_under(root) == unpacked(archive) | {archive.name}


def test_file_address_is_not_copied(root, tmp_path, packed, archive):
    place = tmp_path / "mirror with spaces" / "another name.tgz"
    place.parent.mkdir()
    shutil.copy(packed[0], place)
    fetch_and_unpack(archive, root, place.as_uri())
    assert files_under(root) == unpacked(archive)
    assert place.exists()


def test_missing_file_address_is_named(root, tmp_path, archive):
    root.mkdir()
    assert f"{tmp_path / 'none.tar.gz'} does not exist" in error_of(archive, root, f"file://{tmp_path}/none.tar.gz")


def test_existing_files_are_not_downloaded(tmp_path, archive, web):
    """Also if they are files of the user with other sizes."""
    write_stl10(tmp_path / "own", count=30)
    before = files_under(tmp_path / "own")
    fetch_and_unpack(archive, tmp_path / "own", web.url)
    assert web.asked == []
    assert files_under(tmp_path / "own") == before


def test_incomplete_folder_is_completed(root, packed, archive, web):
    shutil.copytree(packed[0].parent / "stl10_binary", root / "stl10_binary")
    (root / "stl10_binary" / "unlabeled_X.bin").unlink()
    fetch_and_unpack(archive, root, web.url)
    assert files_under(root) == unpacked(archive) | {archive.name}


def test_files_of_the_user_are_never_mixed(root, archive, web):
    folder = write_stl10(root, count=30)
    (folder / "class_names.txt").unlink()
    message = error_of(archive, root, web.url)
    assert "class_names.txt is missing, and test_X.bin has 5760 bytes" in message
    assert "remove the folder to download it" in message
    assert web.asked == []


def test_never_forbids_downloads(root, archive):
    message = error_of(archive, root, NEVER)
    assert "raw_url: never forbids downloads; copy stl10_binary.tar.gz to" in message
    assert not root.exists()


def test_never_allows_a_local_archive(root, packed, archive):
    root.mkdir()
    shutil.copy(packed[0], root)
    fetch_and_unpack(archive, root, NEVER)
    assert unpacked(archive) <= files_under(root)


@pytest.mark.parametrize("change", [b"", b"more"])
def test_wrong_local_archive_is_kept_and_named(root, archive, change):
    root.mkdir()
    (root / archive.name).write_bytes(bytes(archive.size) + change)
    message = error_of(archive, root, NOWHERE)
    assert str(root / archive.name) in message
    assert "remove it to download that one" in message


def test_missing_archive_suggests_alternatives(root, archive, web):
    root.mkdir()
    web.answers += [Answer(404)]
    message = error_of(archive, root, web.url)
    assert "404 Not Found; or copy stl10_binary.tar.gz to" in message
    assert "raw_url=" in message


def test_wrong_download_leaves_nothing(root, archive, web):
    root.mkdir()
    web.answers += [Answer(body=bytes(archive.size))]
    assert "was removed" in error_of(archive, root, web.url)


def test_disk_space_is_checked_before_the_download(root, archive, web, monkeypatch):
    root.mkdir()
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=archive.size + archive.unpacked_size - 1)
    )
    assert "needed to download and extract" in error_of(archive, root, web.url)
    assert web.asked == []


def test_partial_file_counts_as_space(root, packed, archive, web, monkeypatch):
    root.mkdir()
    (root / f"{archive.name}.part").write_bytes(packed[0].read_bytes()[:1000])
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=archive.size - 1000 + archive.unpacked_size)
    )
    fetch_and_unpack(archive, root, web.url)
    assert web.asked == ["bytes=1000-"]


def test_full_disk_keeps_the_partial_file(root, archive, web, monkeypatch):
    web.answers += [Answer(cut=1000)]

    def full(bar, done):
        if done > 1000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "update", full)
        with pytest.raises(UserError, match="the disk or the quota is full"):
            fetch_and_unpack(archive, root, web.url)
    assert files_under(root) == {f"{archive.name}.part"}
    fetch_and_unpack(archive, root, web.url)
    assert files_under(root) == unpacked(archive) | {archive.name}


def test_root_that_cannot_be_created_is_one_line(tmp_path, archive):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/raw: Not a directory; choose another folder with --params raw_root="):
        fetch_and_unpack(archive, tmp_path / "file" / "raw", NOWHERE)


def test_concurrent_downloads_wait(root, archive, web, monkeypatch):
    calls = []
    monkeypatch.setattr(fetch, "unpack", lambda *given: (calls.append(given), unpack(*given)))
    web.answers += [Answer(cut=1000, hang=True)]
    both = [threading.Thread(target=fetch_and_unpack, args=(archive, root, web.url)) for _ in range(2)]
    for thread in both:
        thread.start()
    both[1].join(0.3)
    assert all(thread.is_alive() for thread in both)
    web.going.set()
    for thread in both:
        thread.join(20)
    assert web.asked == [None, "bytes=1000-"]
    assert len(calls) == 1
    assert files_under(root) == unpacked(archive) | {archive.name}


def test_kedro_run_downloads_missing_files(kedro_run, tmp_path, archive, web, monkeypatch):
    monkeypatch.setattr(stl10, "STL10", archive)
    params = f"source=stl10,raw_url={web.url},ingest.image_size={STL10_SIDE}"
    outcome = kedro_run("--pipelines=ingest", params=params)
    assert outcome.exit_code == 0, outcome.output
    assert (tmp_path / "raw" / "stl10_binary" / "train_X.bin").exists()
    assert len(list(tmp_path.glob("02_intermediate/images_train.npy/*/images_train.npy"))) == 1
