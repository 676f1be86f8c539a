"""`kedro results prune` removes nothing that lies elsewhere, and nothing that a kept run leads to or names."""

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
    """`link` leads to what lay in its place and lies at `target` now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(link, target)
    link.symlink_to(target)
    return target


def replaced(link: Path, target: Path) -> None:
    """`link` leads to `target` instead of what was there."""
    shutil.rmtree(link) if link.is_dir() else link.unlink()
    link.symlink_to(target)


def test_of_a_version_that_is_a_link_only_the_link_goes(runs: RunBuilder, tmp_path: Path) -> None:
    outside = linked(version(runs, FIRST), tmp_path.with_name("outside") / "mine")
    before = files(outside)
    assert before
    lines = prune(runs)
    assert files(outside) == before
    assert entries_of(runs, FIRST) == set()
    assert not version(runs, FIRST).is_symlink()
    assert any(line.startswith("freed ") for line in lines)
    assert prune(runs)[0] == "nothing to remove"


def test_what_lies_behind_a_link_is_not_counted_as_freed(runs: RunBuilder, tmp_path: Path) -> None:
    linked(version(runs, FIRST), tmp_path.with_name("behind") / "mine").joinpath("large").write_bytes(bytes(10**6))
    line = next(line for line in prune(runs, "--dry-run") if line.startswith("would free "))
    assert int(line.partition("(")[2].partition(" bytes")[0]) < 10**6


def test_a_link_into_nothing_goes(runs: RunBuilder, tmp_path: Path) -> None:
    replaced(version(runs, FIRST), tmp_path / "gone")
    prune(runs)
    assert not version(runs, FIRST).is_symlink()


def test_a_link_to_itself_goes(runs: RunBuilder) -> None:
    replaced(version(runs, FIRST), version(runs, FIRST))
    prune(runs)
    assert not version(runs, FIRST).is_symlink()


def test_an_old_version_that_links_to_a_kept_one_takes_nothing_from_it(runs: RunBuilder) -> None:
    replaced(version(runs, FIRST), version(runs, SECOND))
    before = files(version(runs, SECOND))
    assert before
    prune(runs)
    assert files(version(runs, SECOND)) == before
    assert entries_of(runs, FIRST) == set()


def test_an_old_file_that_links_to_a_kept_one_takes_nothing_from_it(runs: RunBuilder) -> None:
    replaced(runs.path("encoder", FIRST), runs.path("encoder", SECOND))
    prune(runs)
    assert runs.path("encoder", SECOND).read_bytes() == b"something"
    assert entries_of(runs, FIRST) == set()


@pytest.mark.parametrize("what", [version, lambda runs, run_id: runs.path("encoder", run_id)], ids=["folder", "file"])
def test_what_a_kept_version_links_to_stays(runs: RunBuilder, what: Callable[[RunBuilder, str], Path]) -> None:
    replaced(what(runs, SECOND), what(runs, FIRST))
    lines = prune(runs)
    assert runs.path("encoder", SECOND).read_bytes() == b"something"
    assert entries_of(runs, FIRST) == {"encoder", "run_manifest"}
    assert f"kept from {FIRST}, because a kept run read it: encoder" in lines


def test_a_link_that_a_kept_version_leads_through_stays(runs: RunBuilder, tmp_path: Path) -> None:
    outside = linked(version(runs, FIRST), tmp_path.with_name("through") / "mine")
    replaced(version(runs, SECOND), version(runs, FIRST))
    prune(runs)
    assert version(runs, FIRST).readlink() == outside
    assert runs.path("encoder", SECOND).read_bytes() == b"something"


@pytest.mark.parametrize("levels", [1, 2], ids=["an entry's folder", "the folder of several entries"])
def test_what_a_link_above_puts_outside_of_data_root_is_left_alone_and_told(
    runs: RunBuilder, tmp_path: Path, levels: int
) -> None:
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


def test_a_data_root_that_is_a_link_is_pruned_as_any_other(tmp_path: Path) -> None:
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
def test_a_copied_folder_is_no_run_and_a_line_says_so(runs: RunBuilder, name: str, caplog) -> None:
    for folder in [version(runs, SECOND, entry) for entry in runs.entries]:
        shutil.copytree(folder, folder.with_name(name))
    prune(runs)
    assert entries_of(runs, SECOND) == set(runs.entries)
    assert all(folder.with_name(name).exists() for folder in [version(runs, SECOND, entry) for entry in runs.entries])
    (told,) = caplog.messages
    assert name in told
    assert f"and {len(runs.entries) - 1} more" in told


def test_two_prunes_at_once_do_not_disturb_each_other(runs: RunBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def beside_another(folder: Path) -> None:
        remove(folder)
        remove(folder)

    monkeypatch.setattr("byol_kedro.runs.prune.shutil.rmtree", beside_another)
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_a_version_whose_file_is_a_folder_goes(runs: RunBuilder) -> None:
    runs.path("encoder", FIRST).unlink()
    (runs.path("encoder", FIRST) / "inner").mkdir(parents=True)
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_a_manifest_that_names_a_version_that_is_none_leads_nowhere(runs: RunBuilder, tmp_path: Path) -> None:
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
def test_a_file_that_any_parameter_of_a_kept_run_names_stays(
    runs: RunBuilder, name: str, written: Callable[[Path], object]
) -> None:
    entry, parameters = NAMED[name]
    runs.complete(THIRD, ROWS, parameters=parameters(str(written(runs.path(entry, FIRST)))))
    lines = prune(runs)
    assert entries_of(runs, FIRST) == {entry, "run_manifest"}
    assert f"kept from {FIRST}, because a kept run read it: {entry}" in lines


def test_a_file_beside_that_of_the_entry_is_named_too(runs: RunBuilder) -> None:
    beside = version(runs, FIRST) / "weights.pth"
    beside.write_bytes(b"weights")
    runs.complete(THIRD, ROWS, parameters={"pretrain": {"init_from": str(beside)}})
    prune(runs)
    assert beside.exists()


def test_a_file_that_is_named_by_a_link_elsewhere_stays(runs: RunBuilder, tmp_path: Path) -> None:
    link = tmp_path / "best.safetensors"
    link.symlink_to(runs.path("encoder", FIRST))
    runs.complete(THIRD, ROWS, parameters={"pretrain": {"init_from": str(link)}})
    prune(runs)
    assert link.read_bytes() == b"something"


def test_a_file_that_todays_parameters_name_stays(runs: RunBuilder) -> None:
    params = f"data_root={runs.data_root},pair_model.weights_from={runs.path('pair_model', FIRST)}"
    outcome = type_results(runs.data_root, "prune", "--keep=1", "--env=test", f"--params={params}", place=False)
    assert outcome.exit_code == 0, outcome.output
    assert entries_of(runs, FIRST) == {"pair_model", "run_manifest"}


def test_what_the_run_of_a_version_that_stays_was_made_from_stays(runs: RunBuilder) -> None:
    between = "2026-03-02T11.00.00.000Z"
    runs.complete(between, ROWS, parameters={"pretrain": {"init_from": str(runs.path("encoder", FIRST))}})
    runs.write("encoder", between, b"something")
    runs.complete(THIRD, ROWS, reads={"encoder": between})
    prune(runs)
    assert entries_of(runs, between) == entries_of(runs, FIRST) == {"encoder", "run_manifest"}
    assert entries_of(runs, SECOND) == set()


def test_what_killed_processes_left_of_a_kept_run_goes_but_not_in_a_dry_run(runs: RunBuilder) -> None:
    left = version(runs, SECOND, "predicted_images") / ".predicted_images.parquet.0123abcd.tmp"
    left.write_bytes(b"half of it")
    prune(runs, "--dry-run")
    assert left.exists()
    prune(runs)
    assert not left.exists()
    assert runs.path("predicted_images", SECOND).exists()


def test_a_parameter_that_names_a_folder_above_keeps_nothing(runs: RunBuilder) -> None:
    runs.complete(
        THIRD, {BYOL_LOGISTIC: right(of=20, count=10)}, parameters={"raw_root": str(runs.data_root), "x": "/"}
    )
    prune(runs)
    assert entries_of(runs, FIRST) == entries_of(runs, SECOND) == set()


def test_the_places_of_a_path_are_its_links_and_where_they_lead(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "a/b").mkdir(parents=True)
    (root / "c").symlink_to("a/../a")
    (root / "d").symlink_to(root / "c/b")
    places = required_paths([root / "d/file"])
    assert places >= {root / "d", root / "c", root / "a/b/file", root / "a/b", root / "a"}
    assert root / "d/file" not in places
