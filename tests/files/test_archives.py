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
    """Describes an archive of `files`; unpacking looks at nothing but its folder and members."""
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
    """Where the archive lies, apart from where it is unpacked."""
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


def test_the_members_and_nothing_else_are_unpacked(packed, root):
    write(packed, FILES | {"readme.html": b"extra", "more/a.bin": b"extra"})
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES
    assert names_in(root) == ["data"]


@pytest.mark.parametrize("name", ["../a.bin", "data/../../a.bin", "data/../a.bin", "/a.bin", "../data/a.bin", "a.bin"])
def test_a_name_that_leads_elsewhere_is_not_followed(packed, root, name):
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
def test_a_member_that_is_no_plain_file_is_refused(packed, root, kind, target):
    write(packed, {"a.bin": FILES["a.bin"]}, entry("data/b.txt", kind, target))
    # The size is that of the entry, so that its kind is what counts.
    assert "data/b.txt is not a regular file" in error_of(archive_of(FILES, **{"b.txt": Member(0)}), packed, root)


def test_a_link_in_place_of_the_folder_is_not_followed(packed, root, tmp_path):
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


def test_a_missing_member_is_named(packed, root):
    write(packed, {"a.bin": FILES["a.bin"]})
    assert "b.txt not found in the archive" in error_of(archive_of(FILES), packed, root)


def test_members_in_another_folder_are_not_those_expected(packed, root):
    write(packed, FILES, folder="other")
    assert "a.bin, b.txt not found" in error_of(archive_of(FILES), packed, root)


def test_a_name_with_a_dot_before_it_is_the_same(packed, root):
    write(packed, FILES, folder="./data")
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES


def test_a_member_of_another_size_is_refused_before_it_is_written(packed, root):
    write(packed, FILES | {"b.txt": b"second, and longer"})
    assert "data/b.txt is not a regular file of 6 bytes" in error_of(archive_of(FILES), packed, root)


def test_a_member_of_another_md5_is_refused(packed, root):
    write(packed, FILES | {"b.txt": b"SECOND"})
    assert "data/b.txt has MD5 " in error_of(archive_of(FILES), packed, root)


def test_a_member_whose_md5_is_not_known_is_taken(packed, root):
    write(packed, FILES)
    unpack(archive_of(FILES, **{"b.txt": Member(6)}), packed, root)
    assert contents(root / "data") == FILES


@pytest.mark.parametrize("kept", [0, 1, 50, 150])
def test_an_archive_that_is_cut_is_one_line(packed, root, kept):
    write(packed, FILES | {"c.bin": os.urandom(1000)})
    os.truncate(packed, kept)
    assert "truncated or not a tar.gz" in error_of(archive_of(FILES), packed, root)


def test_an_archive_that_is_spoilt_far_inside_is_one_line(packed, root):
    files = {"c.bin": os.urandom(400_000)}
    write(packed, files)
    data = bytearray(packed.read_bytes())
    data[200_000:270_000] = b"\xff" * 70_000  # longer than what cannot be compressed and is stored as it is
    packed.write_bytes(data)
    assert "truncated or not a tar.gz" in error_of(archive_of(files), packed, root)


def test_an_archive_that_goes_on_as_something_else_is_one_line(packed, root):
    files = {"c.bin": os.urandom(400_000)}
    write(packed, files)
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes())[:200_000]) + b"something else")
    assert "truncated or not a tar.gz" in error_of(archive_of(files), packed, root)


def test_what_is_no_archive_is_one_line(packed, root):
    packed.write_bytes(b"<html>" * 100)
    assert "truncated or not a tar.gz" in error_of(archive_of(FILES), packed, root)


def test_what_a_killed_process_left_is_cleared_away(packed, root):
    (root / ".data.unpacking").mkdir()
    (root / ".data.unpacking" / "half").write_bytes(b"half")
    write(packed, FILES)
    unpack(archive_of(FILES), packed, root)
    assert names_in(root) == ["data"]
    assert contents(root / "data") == FILES


def test_a_folder_that_is_there_is_completed_and_other_files_in_it_stay(packed, root):
    (root / "data").mkdir()
    (root / "data" / "a.bin").write_bytes(FILES["a.bin"])
    (root / "data" / "mine").write_bytes(b"mine")
    write(packed, FILES)
    unpack(archive_of(FILES), packed, root)
    assert contents(root / "data") == FILES | {"mine": b"mine"}


def test_a_file_of_ones_own_is_not_overwritten_though_it_has_the_name_and_size_of_a_member(packed, root):
    (root / "data").mkdir()
    own = b"mine!" * 100
    (root / "data" / "a.bin").write_bytes(own)
    write(packed, FILES)
    assert "data: b.txt is missing, and a.bin differs from that in" in error_of(archive_of(FILES), packed, root)
    assert contents(root / "data") == {"a.bin": own}


def test_what_is_there_already_is_not_touched(packed, root):
    (root / "data").mkdir()
    (root / "data" / "a.bin").write_bytes(FILES["a.bin"])
    before = (root / "data" / "a.bin").stat()
    write(packed, FILES)
    unpack(archive_of(FILES), packed, root)
    assert (root / "data" / "a.bin").stat() == before


def test_a_full_disk_leaves_nothing(packed, root, monkeypatch):
    write(packed, FILES)
    monkeypatch.setattr("byol_kedro.files.archives.fsync", lambda path: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        unpack(archive_of(FILES), packed, root)
    assert not list(root.iterdir())
