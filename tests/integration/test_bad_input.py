"""User errors are reported on one line and leave no partial outputs."""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.kedro_runs import ROOT, Outcome, artifacts, error_of, type_kedro_run

Run = Callable[..., Outcome]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("pretrian.epochs=3", "pretrian: there is no such parameter; did you mean pretrain?"),
        ("pretrain.epocs=3", "pretrain.epocs: there is no such parameter; did you mean pretrain.epochs?"),
        (
            "pretrain.views.first.hflip_prop=1",
            "hflip_prop: there is no such parameter; did you mean pretrain.views.first.hflip_prob?",
        ),
        ("sede=3", "sede: there is no such parameter; did you mean seed?"),
        ("pretrain.epochs=many", "pretrain.epochs: found 'many'"),
        ("pretrain.batch_size=1.5", "pretrain.batch_size: found 1.5"),
        ("pretrain.epochs=0", "pretrain.epochs: found 0, should be greater than 0"),
        ("pretrain.views.second.solarize_prob=1.2", "less than or equal to 1"),
        ("source=imagenet", "source: found 'imagenet', unknown source, expected one of array, cifar10, csv, folder"),
        ("raw_url=ftp://somewhere", "raw_url: found 'ftp://somewhere'"),
        ("device=tpu", "device: found 'tpu'"),
    ],
)
def test_a_wrong_parameter_is_named_for_every_pipeline(
    kedro_run: Run, tmp_path: Path, params: str, expected: str
) -> None:
    assert expected in error_of(kedro_run("--pipelines=report", params=params))
    assert not artifacts(tmp_path)


def test_an_unknown_pipeline_is_named_with_a_close_match(kedro_run: Run) -> None:
    assert "there is no pipeline 'evalute'; did you mean evaluate?" in error_of(kedro_run("--pipeline=evalute"))


def test_an_unknown_environment_is_named_with_the_existing_ones(kedro_run: Run) -> None:
    message = error_of(kedro_run("--env=nosuch"))
    assert message.startswith("Error: --env nosuch: there is no environment conf/nosuch; expected one of ")
    assert "sample, test" in message


def test_a_pipeline_that_cannot_be_imported_stops_the_run(
    kedro_run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "byol_kedro.pipelines.pretrain", None)
    assert "the pipelines cannot be imported" in error_of(kedro_run())
    assert not artifacts(tmp_path)


def test_evaluate_without_an_encoder_names_the_command(kedro_run: Run, tmp_path: Path) -> None:
    message = error_of(kedro_run("--pipeline=evaluate"))
    assert "nothing has been saved yet for data_summary, encoder, " in message
    assert f"kedro run --pipelines=ingest,pretrain --env=test --params=data_root={tmp_path}," in message
    assert not artifacts(tmp_path)


def test_all_pipelines_for_missing_inputs_are_named(kedro_run: Run) -> None:
    message = error_of(kedro_run("--pipelines=report"))
    assert "kedro run --pipelines=ingest,pretrain,extract,baselines,probes,pair_model " in message


def test_pipelines_for_existing_inputs_are_not_named(chain_copy: Path) -> None:
    for entry in ("latents_train", "probe_metrics"):
        (path,) = chain_copy.glob(f"*/{entry}.*")
        shutil.rmtree(path)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=report"))
    assert "kedro run --pipelines=extract,probes " in message


def test_a_missing_version_is_named_with_the_newest_one(chain_copy: Path) -> None:
    before = artifacts(chain_copy)
    message = error_of(
        type_kedro_run(chain_copy, "--pipelines=evaluate", "--load-versions=encoder:2001-01-01T00.00.00.000Z")
    )
    assert "encoder:2001-01-01T00.00.00.000Z: no such version" in message
    assert "newest versions: 20" in message
    assert artifacts(chain_copy) == before


def test_a_pinned_output_is_refused(kedro_run: Run, tmp_path: Path) -> None:
    message = error_of(kedro_run("--load-versions=encoder:2026-01-01T00.00.00.000Z"))
    assert "this run writes encoder itself" in message
    assert not artifacts(tmp_path)


def test_a_pinned_manifest_is_refused(chain_copy: Path) -> None:
    before = artifacts(chain_copy)
    (pinned,) = {path.parent.name for path in chain_copy.glob("*/run_manifest.json/*/*.json")}
    message = error_of(type_kedro_run(chain_copy, "--pipelines=report", f"--load-versions=run_manifest:{pinned}"))
    assert "this run writes run_manifest itself" in message
    assert artifacts(chain_copy) == before


def test_a_batch_larger_than_the_data_is_refused(chain_copy: Path) -> None:
    before = artifacts(chain_copy)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=pretrain", params="pretrain.batch_size=5000"))
    assert "5000" in message
    assert artifacts(chain_copy) == before


def test_features_of_another_encoder_are_refused(chain_copy: Path) -> None:
    assert type_kedro_run(chain_copy, "--pipelines=pretrain", params="seed=1").exit_code == 0
    before = artifacts(chain_copy)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=probes"))
    assert "do not match encoder" in message
    assert "run the pipeline extract again" in message
    assert artifacts(chain_copy) == before


def test_an_unreadable_folder_is_one_line(kedro_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    outcome = kedro_run("--pipelines=ingest", params=f"source=folder,raw_root={tmp_path}")
    assert error_of(outcome) == f"Error: {tmp_path}: Permission denied; fix its permissions or choose another path"


def test_a_full_disk_is_one_line_and_keeps_the_last_version(chain_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = artifacts(chain_copy)

    def full(descriptor: int) -> None:
        if "latents_train" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = error_of(type_kedro_run(chain_copy, "--pipelines=extract"))
    assert "full" in message
    assert "latents_train" in message
    assert artifacts(chain_copy) == before


def write_stl10(root: Path, count: int = 20, size: int = 16) -> Path:
    """A small data set in the layout of STL-10 in `root`/raw."""
    folder = root / "raw" / "stl10_binary"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split in ("unlabeled", "train", "test"):
        rng.integers(0, 256, (count, 3, size, size), dtype=np.uint8).tofile(folder / f"{split}_X.bin")
    for split in ("train", "test"):
        (np.arange(count) % 10 + 1).astype(np.uint8).tofile(folder / f"{split}_y.bin")
    (folder / "class_names.txt").write_text("\n".join(f"class{i}" for i in range(10)) + "\n")
    (folder / "fold_indices.txt").write_text("".join("0 1 2 3 \n" for _ in range(10)))
    return folder


def remove_test(folder: Path) -> None:
    (folder / "test_X.bin").unlink()


def cut_train(folder: Path) -> None:
    with (folder / "train_X.bin").open("r+b") as file:
        file.truncate(1000)


def label_eleven(folder: Path) -> None:
    np.full(20, 11, dtype=np.uint8).tofile(folder / "train_y.bin")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(remove_test, "test_X.bin"), (cut_train, "train_X.bin"), (label_eleven, "train_y.bin")],
)
def test_a_damaged_stl10_file_is_named(
    kedro_run: Run, tmp_path: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    spoil(write_stl10(tmp_path))
    before = artifacts(tmp_path)
    assert expected in error_of(kedro_run("--pipelines=ingest", params="source=stl10"))
    assert artifacts(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--load-versions=encodr:2026-01-01T00.00.00.000Z"], "encodr"),
        (["--nodes=nosuch"], "nosuch"),
        (["--to-outputs=nosuch"], "nosuch"),
    ],
)
def test_an_unknown_entry_or_node_is_named(kedro_run: Run, words: list[str], expected: str) -> None:
    assert expected in error_of(kedro_run(*words))


def on_the_screen(program: list[str], *words: str) -> tuple[int, list[str]]:
    """Exit code and output lines of a command in a process of its own."""
    command = [str(Path(sys.executable).with_name(program[0])), *program[1:], "--env=test", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


@pytest.mark.parametrize("program", [["kedro", "run"], ["python", "-m", "byol_kedro"]])
def test_a_parameter_error_is_one_line_on_the_screen(program: list[str], tmp_path: Path) -> None:
    code, lines = on_the_screen(program, "--pipelines=ingest", f"--params=data_root={tmp_path},pretrain.epocs=3")
    assert lines == ["Error: parameters: pretrain.epocs: there is no such parameter; did you mean pretrain.epochs?"]
    assert code == 1


def test_an_error_in_a_node_is_one_line_on_the_screen(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "test/a/2.png"):
        (tmp_path / "raw" / name).parent.mkdir(parents=True)
        (tmp_path / "raw" / name).write_text("no image")
    params = f"data_root={tmp_path},raw_root={tmp_path}/raw,source=folder"
    code, lines = on_the_screen(["kedro", "run"], "--pipelines=ingest", f"--params={params}")
    assert len(lines) == 1
    assert re.match(r"Error: \d of \d images for \w+ in .* cannot be read, ", lines[0])
    assert code == 1
