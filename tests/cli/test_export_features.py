"""`kedro export-features`: the features of the newest run, and bad options on one line."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from safetensors.numpy import load_file

from tests.support.kedro_runs import ROOT, Chain


def export(data_root: Path, form: str, output: Path):
    bootstrap_project(ROOT)
    from byol_kedro.cli import cli  # noqa: PLC0415  (the project has to be bootstrapped first)

    words = ["--env=test", f"--params=data_root={data_root}", f"--format={form}", f"--output={output}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return CliRunner().invoke(cli, ["export-features", *words])


def test_features_of_the_newest_run_are_written(chain: Chain, tmp_path: Path) -> None:
    result = export(chain.data_root, "npz", tmp_path / "features.npz")
    assert result.exit_code == 0, result.output
    assert result.output == f"{tmp_path / 'features.npz'}: features of 192 images, for npz\n"
    saved = [load_file(chain.versions(f"latents_{split}")[-1]) for split in ("train", "test")]
    with np.load(tmp_path / "features.npz") as found:
        np.testing.assert_array_equal(found["features"], np.concatenate([each["features"] for each in saved]))
        np.testing.assert_array_equal(found["labels"], np.concatenate([each["labels"] for each in saved]))
        assert found["splits"].tolist() == ["train"] * 128 + ["test"] * 64


@pytest.mark.parametrize(
    ("form", "output", "message"),
    [
        ("csv", "features.txt", "csv needs a file name that ends in .csv"),
        ("spotlight", "features.csv", "spotlight needs a file name that ends in .parquet"),
        ("tensorboard-projector", "", "tensorboard-projector needs a new or empty folder"),
        ("npz", "nowhere/features.npz", "there are no features in"),
    ],
)
def test_bad_options_are_one_line(form: str, output: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = export(tmp_path / "data", form, tmp_path / output)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_artifacts_are_not_overwritten(chain: Chain) -> None:
    result = export(chain.data_root, "csv", chain.data_root / "features.csv")
    assert result.exit_code == 1
    assert "which contains artifacts of this environment" in result.output
