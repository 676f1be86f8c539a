"""Versions stay in order after the clock was set back."""

from pathlib import Path

import pytest

import byol_kedro.runs.versions  # noqa: F401  (takes Kedro's clock when it is imported: the true one, not that of the test)
from tests.support.kedro_runs import manifests, seeds, type_kedro_run

FUTURE = "2099-12-31T23.59.59.999Z"


@pytest.fixture
def from_the_future(tmp_path: Path) -> Path:
    """A data_root with one ingest, with seed 1, of version `FUTURE`."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("framework.session.session", "io.data_catalog", "io.core"):
            patch.setattr(f"kedro.{place}.generate_timestamp", lambda: FUTURE)
        assert type_kedro_run(tmp_path, "--pipelines=ingest", params="seed=1").exit_code == 0
    return tmp_path


def test_the_next_run_is_the_newest_and_warns_about_the_clock(
    from_the_future: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert type_kedro_run(from_the_future, "--pipelines=ingest", params="seed=2").exit_code == 0
    assert [manifest["run_id"] for manifest in manifests(from_the_future)] == [FUTURE, "2100-01-01T00.00.00.000Z"]
    assert seeds(from_the_future) == [1, 2]
    (message,) = (record.message for record in caplog.records if "the clock" in record.message)
    assert FUTURE in message
    assert "2100-01-01T00.00.00.000Z" in message


def test_a_later_pipeline_reads_the_last_version(from_the_future: Path) -> None:
    assert type_kedro_run(from_the_future, "--pipelines=ingest", params="seed=2").exit_code == 0
    assert type_kedro_run(from_the_future, "--pipelines=pretrain", params="seed=2").exit_code == 0
    last = manifests(from_the_future)[-1]
    assert last["reads"]["images_unlabeled"]["version"] == "2100-01-01T00.00.00.000Z"
    assert last["run_id"] == "2100-01-01T00.00.00.001Z"


def test_no_version_after_the_last_possible_one(tmp_path: Path) -> None:
    last = "9999-12-31T23.59.59.999Z"
    manifest = tmp_path / "08_reporting/run_manifest.json" / last
    manifest.mkdir(parents=True)
    (manifest / "run_manifest.json").write_text("{}")
    outcome = type_kedro_run(tmp_path, "--pipelines=ingest")
    assert outcome.exit_code == 1
    assert f"no version can be newer than {last}" in outcome.lines[-1]


def test_runs_with_a_correct_clock_keep_the_version_of_kedro(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kedro.framework.session.session.generate_timestamp", lambda: "2026-01-02T03.04.05.006Z")
        assert type_kedro_run(tmp_path, "--pipelines=ingest").exit_code == 0
    assert [manifest["run_id"] for manifest in manifests(tmp_path)] == ["2026-01-02T03.04.05.006Z"]
    assert "the clock" not in caplog.text
