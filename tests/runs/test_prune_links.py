"""`kedro results prune` removes no link targets, and no file that a kept run refers to."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from byol_kedro.runs.places import required_paths
from tests.support.pruned_runs import FIRST, ROWS, SECOND, THIRD, entries_of, files, prune, relative
from tests.support.run_builder import BYOL_LOGISTIC, RunBuilder, right, type_results


def version(runs: RunBuilder, run_id: str, entry: str = "encoder") -> Path:
    return runs.path(entry, run_id).parent


def linked(link: Path, target: Path) -> Path:
    """Move the file or folder `link` to `target` and replace it by a link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(link, target)
    link.symlink_to(target)
    return target


def replaced(link: Path, target: Path) -> None:
    """Replace `link` by a link to `target`."""
    shutil.rmtree(link) if link.is_dir() else link.unlink()
    link.symlink_to(target)


def test_only_the_link_is_removed(runs: RunBuilder, tmp_path: Path) -> None:
    outside = linked(version(runs, FIRST), tmp_path.with_name("outside") / "mine")
    before = files(outside)
    assert before
    lines = prune(runs)
    assert files(outside) == before
    assert entries_of(runs, FIRST) == set()
    assert not version(runs, FIRST).is_symlink()
    assert any(line.startswith("freed ") for line in lines)
    assert prune(runs)[0] == "nothing to remove"


def test_target_of_a_link_is_not_counted_as_freed(runs: RunBuilder, tmp_path: Path) -> None:
    linked(version(runs, FIRST), tmp_path.with_name("behind") / "mine").joinpath("large").write_bytes(bytes(10**6))
    line = next(line for line in prune(runs, "--dry-run") if line.startswith("would free "))
    assert int(line.partition("(")[2].partition(" bytes")[0]) < 10**6


def test_dangling_link_is_removed(runs: RunBuilder, tmp_path: Path) -> None:
    replaced(version(runs, FIRST), tmp_path / "gone")
    prune(runs)
    assert not version(runs, FIRST).is_symlink()


def test_link_to_itself_is_removed(runs: RunBuilder) -> None:
    replaced(version(runs, FIRST), version(runs, FIRST))
    prune(runs)
    assert not version(runs, FIRST).is_symlink()


def test_old_version_that_links_to_a_kept_one(runs: RunBuilder) -> None:
    replaced(version(runs, FIRST), version(runs, SECOND))
    before = files(version(runs, SECOND))
    assert before
    prune(runs)
    assert files(version(runs, SECOND)) == before
    assert entries_of(runs, FIRST) == set()


def test_old_file_that_links_to_a_kept_one(runs: RunBuilder) -> None:
    replaced(runs.path("encoder", FIRST), runs.path("encoder", SECOND))
    prune(runs)
    assert runs.path("encoder", SECOND).read_bytes() == b"something"
    assert entries_of(runs, FIRST) == set()


@pytest.mark.parametrize("what", [version, lambda runs, run_id: runs.path("encoder", run_id)], ids=["folder", "file"])
def test_link_target_of_a_kept_version_is_kept(runs: RunBuilder, what: Callable[[RunBuilder, str], Path]) -> None:
    replaced(what(runs, SECOND), what(runs, FIRST))
    lines = prune(runs)
    assert runs.path("encoder", SECOND).read_bytes() == b"something"
    assert entries_of(runs, FIRST) == {"encoder", "run_manifest"}
    assert f"kept from {FIRST}, because a kept run read it: encoder" in lines


def test_intermediate_link_of_a_kept_version_is_kept(runs: RunBuilder, tmp_path: Path) -> None:
    outside = linked(version(runs, FIRST), tmp_path.with_name("through") / "mine")
    replaced(version(runs, SECOND), version(runs, FIRST))
    prune(runs)
    assert version(runs, FIRST).readlink() == outside
    assert runs.path("encoder", SECOND).read_bytes() == b"something"


@pytest.mark.parametrize("levels", [1, 2], ids=["an entry's folder", "the folder of several entries"])
def test_versions_linked_out_of_data_root_are_kept(runs: RunBuilder, tmp_path: Path, levels: int) -> None:
    folder = version(runs, FIRST).parents[levels - 1]
    outside = linked(folder, tmp_path.with_name(f"shared{levels}") / folder.name)
    before = files(outside)
    lines = prune(runs)
    assert files(outside) == before
    assert lines[-1].startswith("kept ")
    assert " outside of data_root" in lines[-1]
    assert str(folder) in lines[-1]
    assert entries_of(runs, FIRST) >= {"encoder", "run_manifest"}
    assert "images_test" not in entries_of(runs, FIRST)
    assert prune(runs)[0] == "nothing to remove"
    assert files(outside) == before


def test_data_root_may_be_a_link(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    (tmp_path / "data").symlink_to(place)
    builder = RunBuilder(tmp_path / "data")
    for run_id in (FIRST, SECOND):
        builder.complete(run_id, ROWS)
        builder.write("encoder", run_id, b"something")
    prune(builder)
    assert entries_of(builder, FIRST) == set()
    assert "encoder" in entries_of(builder, SECOND)


@pytest.mark.parametrize("name", [f"{SECOND} copy", f"{SECOND} (1)", "zzz", f"{THIRD}.bak", "9"])
def test_copied_folder_is_ignored_with_a_warning(runs: RunBuilder, name: str, caplog) -> None:
    for folder in [version(runs, SECOND, entry) for entry in runs.entries]:
        shutil.copytree(folder, folder.with_name(name))
    prune(runs)
    assert entries_of(runs, SECOND) == set(runs.entries)
    assert all(folder.with_name(name).exists() for folder in [version(runs, SECOND, entry) for entry in runs.entries])
    (told,) = caplog.messages
    assert name in told
    assert f"and {len(runs.entries) - 1} more" in told


def test_two_prunes_at_once(runs: RunBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def beside_another(folder: Path) -> None:
        remove(folder)
        remove(folder)

    monkeypatch.setattr("byol_kedro.runs.prune.shutil.rmtree", beside_another)
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_version_whose_file_is_a_folder_is_removed(runs: RunBuilder) -> None:
    runs.path("encoder", FIRST).unlink()
    (runs.path("encoder", FIRST) / "inner").mkdir(parents=True)
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_invalid_version_in_a_manifest_is_ignored(runs: RunBuilder, tmp_path: Path) -> None:
    runs.complete(THIRD, ROWS, reads={"encoder": "../../..", "latents_train": f"{FIRST}/..", "no_entry": FIRST})
    prune(runs)
    assert entries_of(runs, FIRST) == set()


NAMED = {
    "pretrain.init_from": ("encoder", lambda path: {"pretrain": {"init_from": path}}),
    "pretrain.init_from, heads": ("byol_heads", lambda path: {"pretrain": {"init_from": path}}),
    "pair_model.weights_from": ("pair_model", lambda path: {"pair_model": {"weights_from": path}}),
    "references": ("encoder", lambda path: {"references": {"mine": f"resnet18@{path}"}}),
    "predict_root": ("images_test", lambda path: {"predict_root": path}),
    "deep": ("pca", lambda path: {"a": [{"b": [path]}]}),
}


def home(path: Path) -> str:
    return f"~/{os.path.relpath(path, Path.home())}"


@pytest.mark.parametrize("written", [str, relative, home])
@pytest.mark.parametrize("name", NAMED)
def test_file_in_the_parameters_of_a_kept_run_is_kept(
    runs: RunBuilder, name: str, written: Callable[[Path], object]
) -> None:
    entry, parameters = NAMED[name]
    runs.complete(THIRD, ROWS, parameters=parameters(str(written(runs.path(entry, FIRST)))))
    lines = prune(runs)
    assert entries_of(runs, FIRST) == {entry, "run_manifest"}
    assert f"kept from {FIRST}, because a kept run read it: {entry}" in lines


def test_other_file_in_the_folder_of_a_version_is_kept(runs: RunBuilder) -> None:
    beside = version(runs, FIRST) / "weights.pth"
    beside.write_bytes(b"weights")
    runs.complete(THIRD, ROWS, parameters={"pretrain": {"init_from": str(beside)}})
    prune(runs)
    assert beside.exists()


def test_file_named_through_a_link_is_kept(runs: RunBuilder, tmp_path: Path) -> None:
    link = tmp_path / "best.safetensors"
    link.symlink_to(runs.path("encoder", FIRST))
    runs.complete(THIRD, ROWS, parameters={"pretrain": {"init_from": str(link)}})
    prune(runs)
    assert link.read_bytes() == b"something"


def test_file_in_the_current_parameters_is_kept(runs: RunBuilder) -> None:
    params = f"data_root={runs.data_root},pair_model.weights_from={runs.path('pair_model', FIRST)}"
    outcome = type_results(runs.data_root, "prune", "--keep=1", "--env=test", f"--params={params}", place=False)
    assert outcome.exit_code == 0, outcome.output
    assert entries_of(runs, FIRST) == {"pair_model", "run_manifest"}


def test_inputs_of_a_kept_version_are_kept(runs: RunBuilder) -> None:
    between = "2026-03-02T11.00.00.000Z"
    runs.complete(between, ROWS, parameters={"pretrain": {"init_from": str(runs.path("encoder", FIRST))}})
    runs.write("encoder", between, b"something")
    runs.complete(THIRD, ROWS, reads={"encoder": between})
    prune(runs)
    assert entries_of(runs, between) == entries_of(runs, FIRST) == {"encoder", "run_manifest"}
    assert entries_of(runs, SECOND) == set()


def test_temporary_files_are_removed_except_in_a_dry_run(runs: RunBuilder) -> None:
    left = version(runs, SECOND, "predicted_images") / ".predicted_images.parquet.0123abcd.tmp"
    left.write_bytes(b"half of it")
    prune(runs, "--dry-run")
    assert left.exists()
    prune(runs)
    assert not left.exists()
    assert runs.path("predicted_images", SECOND).exists()


def test_parent_folder_in_a_parameter_keeps_nothing(runs: RunBuilder) -> None:
    runs.complete(
        THIRD, {BYOL_LOGISTIC: right(of=20, count=10)}, parameters={"raw_root": str(runs.data_root), "x": "/"}
    )
    prune(runs)
    assert entries_of(runs, FIRST) == entries_of(runs, SECOND) == set()


def test_required_paths_contain_links_and_targets(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "a/b").mkdir(parents=True)
    (root / "c").symlink_to("a/../a")
    (root / "d").symlink_to(root / "c/b")
    places = required_paths([root / "d/file"])
    assert places >= {root / "d", root / "c", root / "a/b/file", root / "a/b", root / "a"}
    assert root / "d/file" not in places
