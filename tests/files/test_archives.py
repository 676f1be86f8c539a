"""Only the expected members of an archive are extracted, and other archives are refused."""

import gzip
import hashlib
import io
import os
import tarfile

import pytest

from byol_kedro.errors import UserError
from byol_kedro.files.archives import Archive, Member, unpack

FILES = {"a.bin": b"first" * 100, "b.txt": b"second"}


def archive_of(files, **changes):
    """Describe an archive of `files`; only folder and members matter for extraction."""
    members = {name: Member(len(data), hashlib.md5(data).hexdigest()) for name, data in files.items()} | changes
    return Archive("http://127.0.0.1/data.tar.gz", size=0, md5="", folder="data", members=members)


def entry(name, kind=tarfile.REGTYPE, target="", data=b""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(data)
    return info, io.BytesIO(data)


def write(path, files, *others, folder="data"):
    """A tar.gz of `files` in `folder`, and of the `others`."""
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(entry(folder, tarfile.DIRTYPE)[0])
        for info, data in [*(entry(f"{folder}/{name}", data=data) for name, data in files.items()), *others]:
            tar.addfile(info, data)


@pytest.fixture
def packed(tmp_path):
    """The path of the archive, outside the folder that it is extracted to."""
    return tmp_path / "packed.tar.gz"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def error_of(archive, packed, root):
    before = sorted(root.rglob("*"))
    with pytest.raises(UserError) as caught:
        unpack(archive, packed, root)
    assert sorted(root.rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_only_members_are_extracted(packed, root):
    write(packed, FILES | {"readme.html": b"extra", "more/a.bin": b"extra"})
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES
    assert names_in(root) == ["data"]


@pytest.mark.parametrize("name", ["../a.bin", "data/../../a.bin", "data/../a.bin", "/a.bin", "../data/a.bin", "a.bin"])
def test_path_traversal_is_ignored(packed, root, name):
    write(packed, FILES, entry(name, data=b"e" * 500))
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES
    assert names_in(root.parent) == ["packed.tar.gz", "root"]
    assert names_in(root) == ["data"]


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "a.bin"),
        (tarfile.LNKTYPE, "data/a.bin"),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.DIRTYPE, ""),
    ],
)
def test_special_member_is_refused(packed, root, kind, target):
    write(packed, {"a.bin": FILES["a.bin"]}, entry("data/b.txt", kind, target))
    # The size is that of the entry, so that its kind is what counts.
    assert "data/b.txt is not a regular file" in error_of(archive_of(FILES, **{"b.txt": Member(0)}), packed, root)


def test_link_in_place_of_the_folder_is_not_followed(packed, root, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with tarfile.open(packed, "w:gz") as tar:
        for info, data in [
            entry("data", tarfile.SYMTYPE, str(elsewhere)),
            *(entry(f"data/{name}", data=data) for name, data in FILES.items()),
        ]:
            tar.addfile(info, data)
    unpack(archive_of(FILES), packed, root)
    assert not list(elsewhere.iterdir())
    assert contents(root / "data") == FILES


def test_missing_member_is_named(packed, root):
    write(packed, {"a.bin": FILES["a.bin"]})
    assert "b.txt not found in the archive" in error_of(archive_of(FILES), packed, root)


def test_members_of_another_folder_are_ignored(packed, root):
    write(packed, FILES, folder="other")
    assert "a.bin, b.txt not found" in error_of(archive_of(FILES), packed, root)


def test_leading_dot_is_ignored(packed, root):
    write(packed, FILES, folder="./data")
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES


def test_member_of_another_size_is_refused(packed, root):
    write(packed, FILES | {"b.txt": b"second, and longer"})
    assert "data/b.txt is not a regular file of 6 bytes" in error_of(archive_of(FILES), packed, root)


def test_member_with_another_md5_is_refused(packed, root):
    write(packed, FILES | {"b.txt": b"SECOND"})
    assert "data/b.txt has MD5 " in error_of(archive_of(FILES), packed, root)


def test_member_without_md5_is_accepted(packed, root):
    write(packed, FILES)
    unpack(archive_of(FILES, **{"b.txt": Member(6)}), packed, root)
    assert contents(root / "data") == FILES


@pytest.mark.parametrize("kept", [0, 1, 50, 150])
def test_truncated_archive_is_refused(packed, root, kept):
    write(packed, FILES | {"c.bin": os.urandom(1000)})
    os.truncate(packed, kept)
    assert "truncated or not a tar.gz" in error_of(archive_of(FILES), packed, root)


def test_corrupt_archive_is_refused(packed, root):
    files = {"c.bin": os.urandom(400_000)}
    write(packed, files)
    data = bytearray(packed.read_bytes())
    data[200_000:270_000] = b"\xff" * 70_000  # longer than what cannot be compressed and is stored as it is
    packed.write_bytes(data)
    assert "truncated or not a tar.gz" in error_of(archive_of(files), packed, root)


def test_archive_with_trailing_garbage_is_refused(packed, root):
    files = {"c.bin": os.urandom(400_000)}
    write(packed, files)
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes())[:200_000]) + b"something else")
    assert "truncated or not a tar.gz" in error_of(archive_of(files), packed, root)


def test_other_files_are_refused(packed, root):
    packed.write_bytes(b"<html>" * 100)
    assert "truncated or not a tar.gz" in error_of(archive_of(FILES), packed, root)


def test_leftovers_are_removed(packed, root):
    (root / ".data.unpacking").mkdir()
    (root / ".data.unpacking" / "half").write_bytes(b"half")
    write(packed, FILES)
    unpack(archive_of(FILES), packed, root)
    assert names_in(root) == ["data"]
    assert contents(root / "data") == FILES


def test_existing_folder_is_completed(packed, root):
    (root / "data").mkdir()
    (root / "data" / "a.bin").write_bytes(FILES["a.bin"])
    (root / "data" / "mine").write_bytes(b"mine")
    write(packed, FILES)
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES | {"mine": b"mine"}


def test_different_existing_file_is_not_overwritten(packed, root):
    (root / "data").mkdir()
    own = b"mine!" * 100
    (root / "data" / "a.bin").write_bytes(own)
    write(packed, FILES)
    assert "data: b.txt is missing, and a.bin differs from that in" in error_of(archive_of(FILES), packed, root)
    assert contents(root / "data") == {"a.bin": own}


def test_existing_files_are_not_touched(packed, root):
    (root / "data").mkdir()
    (root / "data" / "a.bin").write_bytes(FILES["a.bin"])
    before = (root / "data" / "a.bin").stat()
    write(packed, FILES)
    unpack(archive_of(FILES), packed, root)
    assert (root / "data" / "a.bin").stat() == before


def test_full_disk_leaves_nothing(packed, root, monkeypatch):
    write(packed, FILES)
    monkeypatch.setattr("byol_kedro.files.archives.fsync", lambda path: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        unpack(archive_of(FILES), packed, root)
    assert not list(root.iterdir())
