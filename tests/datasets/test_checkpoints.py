"""Checkpoints of other trainings and damaged ones are ignored; intact ones are kept within the limit."""

import errno
import json
import shutil

import numpy as np
import pytest

from byol_kedro.datasets.checkpoints import Checkpoints, CheckpointsDataset
from byol_kedro.errors import UserError
from tests.support.damage import DAMAGE

WHAT = {"epochs": 80, "seed": 0, "views.first.scale": [0.08, 1.0]}
ARRAYS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(7)}


@pytest.fixture
def folder(tmp_path):
    return Checkpoints(tmp_path).of(WHAT)


def write(folder, step, keep=2, **header):
    folder.write(step, ARRAYS, {"step": str(step)} | header, keep)


def files(folder):
    return sorted(path.name for path in folder.path.iterdir() if path.suffix != ".json")


def test_checkpoint_round_trip(folder):
    write(folder, 12, note="é")
    found = folder.newest()
    assert found.step == 12
    assert found.content.header == {"step": "12", "note": "é"}
    assert {name: array.tolist() for name, array in found.content.arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }


def test_no_checkpoint_in_an_empty_folder(folder):
    assert folder.newest() is None


def test_only_the_newest_checkpoints_are_kept(folder):
    for step in (5, 40, 300):
        write(folder, step)
    assert folder.newest().step == 300
    assert files(folder) == ["step-000000040.safetensors", "step-000000300.safetensors"]


def test_checkpoint_of_another_training_is_ignored(tmp_path, folder, caplog):
    other = Checkpoints(tmp_path).of(WHAT | {"seed": 1})
    write(other, 9)
    write(folder, 1)
    shutil.copy(other.path / "step-000000009.safetensors", folder.path)
    assert folder.newest().step == 1
    assert (
        f"is '{other.path.name}/step-000000009.safetensors' according to its header, '{folder.path.name}/"
        in caplog.text
    )


def test_checkpoint_named_for_another_step_is_ignored(folder):
    write(folder, 1)
    shutil.copy(folder.path / "step-000000001.safetensors", folder.path / "step-000000009.safetensors")
    assert folder.newest().step == 1


def test_renamed_copy_is_kept(folder):
    write(folder, 1)
    copy = folder.path / "step-000000001 (copy).safetensors"
    shutil.copy(folder.path / "step-000000001.safetensors", copy)
    assert folder.newest().step == 1
    write(folder, 2, keep=1)
    assert copy.exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_newest_checkpoint_falls_back(folder, damage):
    write(folder, 1)
    write(folder, 2)
    DAMAGE[damage](folder.path / "step-000000002.safetensors")
    assert folder.newest().step == 1
    if damage == "a folder":
        (folder.path / "step-000000002.safetensors").rmdir()
    write(folder, 2)
    assert folder.newest().step == 2


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_identity_file_is_rewritten(tmp_path, folder, damage):
    write(folder, 1)
    DAMAGE[damage](folder.path / "training.json")
    other = Checkpoints(tmp_path).of(WHAT | {"epochs": 40})
    assert other.differences() == ""
    if damage == "a folder":
        (folder.path / "training.json").rmdir()
    write(folder, 2)
    assert other.differences() == "epochs (80 there, 40 here)"


def test_identity_file_of_another_training_is_ignored(tmp_path, folder):
    write(folder, 1)
    other, third = (Checkpoints(tmp_path).of(WHAT | {"seed": seed}) for seed in (1, 2))
    write(other, 1)
    shutil.copy(folder.path / "training.json", other.path)
    assert third.differences() == "seed (0 there, 2 here)"
    (folder.path / "training.json").unlink()
    assert third.differences() == ""


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def damage(path):
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)


def change_header(path):
    path.write_bytes(path.read_bytes().replace(b'"step":"2"', b'"step":"1"'))


@pytest.mark.parametrize("harm", [cut, damage, change_header, lambda path: path.write_bytes(b"")])
def test_damaged_checkpoint_is_logged(folder, harm, caplog):
    write(folder, 1)
    write(folder, 2)
    before = (folder.path / "step-000000002.safetensors").read_bytes()
    harm(folder.path / "step-000000002.safetensors")
    assert (folder.path / "step-000000002.safetensors").read_bytes() != before
    assert folder.newest().step == 1
    assert len(caplog.messages) == 1
    assert "step-000000002.safetensors is damaged and ignored" in caplog.text


@pytest.mark.parametrize(("keep", "stay"), [(1, [60]), (2, [50, 60])])
def test_damaged_checkpoint_is_replaced(folder, keep, stay):
    write(folder, 50)
    write(folder, 100)
    cut(folder.path / "step-000000100.safetensors")
    assert folder.newest().step == 50
    write(folder, 60, keep=keep)
    assert folder.newest().step == 60
    assert files(folder) == [f"step-{step:09d}.safetensors" for step in stay]


@pytest.mark.parametrize("change", [{"epochs": 81}, {"seed": 1}, {"views.first.scale": [0.08, 0.9]}, {"tau.base": 0.9}])
def test_other_identity_has_no_checkpoint(tmp_path, folder, change):
    write(folder, 1)
    assert Checkpoints(tmp_path).of(WHAT | change).newest() is None
    assert Checkpoints(tmp_path).of(dict(reversed(WHAT.items()))).newest().step == 1


def test_differences_name_both_values(tmp_path, folder):
    write(folder, 1)
    other = Checkpoints(tmp_path).of(WHAT | {"epochs": 40, "tau.base": 0.9})
    assert other.differences() == "epochs (80 there, 40 here), tau.base (null there, 0.9 here)"


def test_many_differences_are_counted(tmp_path, folder):
    write(folder, 1)
    other = Checkpoints(tmp_path).of({name: name for name in "abcd"})
    assert other.differences().endswith(", and 4 more")


def test_no_differences_without_another_training(folder):
    write(folder, 1)
    assert folder.differences() == ""


def test_folder_contains_its_identity(folder):
    write(folder, 1)
    assert json.loads((folder.path / "training.json").read_text("utf-8")) == WHAT


def test_full_disk_keeps_the_older_checkpoint(folder, monkeypatch):
    write(folder, 1)

    def full(arrays, path, metadata):
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("byol_kedro.datasets.checkpoints.save_file", full)
    with pytest.raises(UserError, match="full"):
        write(folder, 2, keep=1)
    assert files(folder) == ["step-000000001.safetensors"]
    assert folder.newest().step == 1


def test_damaged_checkpoint_stays_until_replaced(folder, monkeypatch):
    write(folder, 1)
    write(folder, 3)

    def full(arrays, path, metadata):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("byol_kedro.datasets.checkpoints.save_file", full)
    with pytest.raises(UserError, match="full"):
        write(folder, 2)
    assert files(folder) == ["step-000000001.safetensors", "step-000000003.safetensors"]


def test_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "checkpoints").write_text("a file in the place of the folder")
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        write(Checkpoints(tmp_path / "checkpoints").of(WHAT), 1)


def test_leftovers_are_removed(folder):
    write(folder, 1)
    (folder.path / ".step-000000002.safetensors.0a1b.tmp").write_bytes(b"half of it")
    write(folder, 2)
    assert files(folder) == ["step-000000001.safetensors", "step-000000002.safetensors"]


def test_clear_removes_only_this_training(tmp_path, folder):
    other = Checkpoints(tmp_path).of(WHAT | {"seed": 1})
    write(folder, 1)
    write(other, 1)
    folder.clear()
    assert folder.newest() is None
    assert other.newest().step == 1


def test_catalog_entry_is_not_saved(tmp_path):
    dataset = CheckpointsDataset(filepath=str(tmp_path / "none yet"))
    assert dataset.exists()
    assert dataset.load().of(WHAT).newest() is None
    with pytest.raises(Exception, match="during the training"):
        dataset.save(1)
