"""`kedro results prune` removes old runs and keeps everything that kept runs need."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from byol_kedro.runs.prune import freed_bytes
from tests.support.pruned_runs import FIRST, ROWS, SECOND, THIRD, entries_of, files, prune, relative
from tests.support.run_builder import RunBuilder, type_results


def test_old_run_is_removed_completely(runs: RunBuilder) -> None:
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_kept_run_is_complete(runs: RunBuilder) -> None:
    prune(runs)
    assert entries_of(runs, SECOND) == set(runs.entries)


def test_number_of_kept_runs(runs: RunBuilder) -> None:
    assert prune(runs, keep=2)[0] == "nothing to remove"
    assert entries_of(runs, FIRST) == set(runs.entries)


def test_versions_read_by_a_kept_run_are_kept_with_their_manifest(runs: RunBuilder) -> None:
    runs.complete(THIRD, ROWS, reads={"encoder": FIRST, "images_test": SECOND})
    lines = prune(runs)
    assert entries_of(runs, FIRST) == {"encoder", "run_manifest"}
    assert entries_of(runs, SECOND) == {"images_test", "run_manifest"}
    assert f"kept from {FIRST}, because a kept run read it: encoder" in lines


@pytest.mark.parametrize("written", [Path, relative])
def test_init_from_of_a_kept_run_is_kept(runs: RunBuilder, written: Callable[[Path], Path]) -> None:
    path = written(runs.path("encoder", FIRST))
    runs.complete(THIRD, ROWS, parameters={"pretrain": {"init_from": str(path)}})
    lines = prune(runs)
    assert entries_of(runs, FIRST) == {"encoder", "run_manifest"}
    assert entries_of(runs, SECOND) == set()
    assert f"kept from {FIRST}, because a kept run read it: encoder" in lines


def test_init_from_of_an_old_run_is_removed(runs: RunBuilder) -> None:
    pretrain = {"init_from": str(runs.path("encoder", FIRST))}
    runs.complete("2026-03-02T11.00.00.000Z", ROWS, parameters={"pretrain": pretrain})
    runs.complete(THIRD, ROWS)
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_second_prune_removes_nothing(runs: RunBuilder) -> None:
    runs.complete(THIRD, ROWS, reads={"encoder": FIRST})
    prune(runs)
    before = files(runs.data_root)
    assert prune(runs)[0] == "nothing to remove"
    assert files(runs.data_root) == before


def test_inputs_of_an_unfinished_run_are_kept(runs: RunBuilder) -> None:
    runs.died(THIRD, reads={"latents_train": FIRST})
    prune(runs)
    assert entries_of(runs, FIRST) == {"latents_train", "run_manifest"}
    assert entries_of(runs, THIRD) == {"run_manifest"}


def test_old_unfinished_run_is_removed(runs: RunBuilder) -> None:
    runs.path("results", FIRST).unlink()
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_nothing_is_removed_without_a_complete_run(tmp_path: Path) -> None:
    builder = RunBuilder(tmp_path)
    builder.died(FIRST)
    builder.died(SECOND)
    before = files(tmp_path)
    assert prune(builder)[0] == "nothing to remove"
    assert files(tmp_path) == before


def test_dry_run_removes_nothing(runs: RunBuilder) -> None:
    before = files(runs.data_root)
    dry = prune(runs, "--dry-run")
    assert files(runs.data_root) == before
    assert [line.replace("would free", "freed") for line in dry] == prune(runs)


def test_freed_bytes_are_printed(runs: RunBuilder) -> None:
    before = sum(map(len, files(runs.data_root).values()))
    line = next(line for line in prune(runs) if line.startswith("freed "))
    freed = before - sum(map(len, files(runs.data_root).values()))
    assert f"({freed} bytes)" in line
    assert "of 1 run (1 complete)" in line


def test_old_predictions_are_removed(runs: RunBuilder) -> None:
    asked = "2026-03-01T11.00.00.000Z"
    runs.died(asked, pipelines=["predict"], parameters={"predict_root": "/new"})
    runs.write("predicted_images", asked, b"something")
    lines = prune(runs, "--dry-run")
    assert f"{asked}  predictions of /new, 2 versions  kedro run" in lines[0]
    assert "(1 predictions, 1 complete)" in lines[2]
    prune(runs)
    assert entries_of(runs, asked) == set()


def test_folder_of_a_version_is_removed(runs: RunBuilder) -> None:
    sidecar = runs.path("images_test", FIRST).with_suffix(".json")
    sidecar.write_text("{}")
    prune(runs)
    assert not sidecar.exists()


def test_file_with_a_hard_link_elsewhere_frees_nothing(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "old/pixels").write_bytes(bytes(1000))
    os.link(tmp_path / "old/pixels", tmp_path / "new/pixels")
    assert freed_bytes([tmp_path / "old"]) == 0


def test_hard_links_are_counted_once(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "old/pixels").write_bytes(bytes(1000))
    os.link(tmp_path / "old/pixels", tmp_path / "new/pixels")
    assert freed_bytes([tmp_path / "old", tmp_path / "new"]) == 1000


def test_unversioned_files_are_kept(runs: RunBuilder) -> None:
    checkpoint = runs.path("encoder", FIRST).parents[2] / "checkpoints" / FIRST / "checkpoints"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"weights")
    prune(runs)
    assert checkpoint.exists()


def test_version_without_a_run_is_kept(runs: RunBuilder) -> None:
    path = runs.write("encoder", "2025-own", b"from elsewhere")
    prune(runs)
    assert path.exists()


def test_interrupted_prune_can_be_repeated(runs: RunBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, removed = shutil.rmtree, []

    def stop_at_the_third(folder: Path) -> None:
        if len(removed) == 2:
            raise PermissionError(13, "Permission denied")
        removed.append(folder)
        remove(folder)

    with monkeypatch.context() as patch:
        patch.setattr("byol_kedro.runs.prune.shutil.rmtree", stop_at_the_third)
        outcome = type_results(runs.data_root, "prune", "--keep=1")
    assert outcome.exit_code == 1
    assert "Permission denied" in outcome.lines[-1]
    assert "run_manifest" in entries_of(runs, FIRST)
    prune(runs)
    assert entries_of(runs, FIRST) == set()


def test_manifest_is_removed_last(runs: RunBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr("byol_kedro.runs.prune.shutil.rmtree", lambda folder: order.append(folder.parent.name))
    type_results(runs.data_root, "prune", "--keep=1")
    assert order[-1] == "run_manifest.json"
    assert len(order) == len(runs.entries)


def test_kept_run_without_manifest_is_an_error(runs: RunBuilder) -> None:
    shutil.rmtree(runs.path("run_manifest", SECOND).parent)
    before = files(runs.data_root)
    outcome = type_results(runs.data_root, "prune", "--keep=1")
    assert f"run {SECOND} has no run_manifest" in outcome.output
    assert files(runs.data_root) == before


def test_keep_zero_is_refused(runs: RunBuilder) -> None:
    outcome = type_results(runs.data_root, "prune", "--keep=0")
    assert outcome.exit_code == 2
    assert entries_of(runs, FIRST) == set(runs.entries)
