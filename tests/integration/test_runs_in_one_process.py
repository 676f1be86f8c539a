"""What could break: runs of one process that use each other's parameters, artifacts, versions or folders."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from kedro.framework.session import KedroServiceSession, KedroSession
from kedro.framework.startup import bootstrap_project

from byol_kedro.errors import UserError
from tests.support.kedro_runs import ROOT, Outcome, manifests, seeds


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap_project(ROOT)
    monkeypatch.chdir(ROOT)


def params(root: Path, seed: int) -> dict[str, Any]:
    return {"data_root": str(root), "raw_root": str(root / "raw"), "seed": seed}


def test_a_run_goes_on_with_its_own_parameters_after_another_session_was_created(tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    sessions = [KedroSession.create(env="test", runtime_params=params(root, 3 + i)) for i, root in enumerate(roots)]
    for session in sessions:
        session.load_context()
    for session in sessions:
        session.run(pipeline_names=["ingest"])
    assert [seeds(root) for root in roots] == [[3], [4]]
    assert [[manifest["parameters"]["seed"] for manifest in manifests(root)] for root in roots] == [[3], [4]]


def test_a_catalog_lies_where_its_own_environment_says_after_another_was_opened() -> None:
    contexts = [KedroSession.create(env=env).load_context() for env in ("sample", "test")]
    catalogs = [context.catalog for context in contexts]
    assert [Path(catalog["encoder"]._filepath).parents[1].name for catalog in catalogs] == ["sample", "test"]


def test_the_same_run_id_twice_is_two_runs_and_a_line_names_both(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_id, next_one = "2026-03-01T10.00.00.000Z", "2026-03-01T10.00.00.001Z"
    session = KedroServiceSession.create(env="test")
    for seed in (3, 4):
        session.run(run_id=run_id, pipeline_names=["ingest"], runtime_params=params(tmp_path, seed))
    assert [manifest["run_id"] for manifest in manifests(tmp_path)] == [run_id, next_one]
    assert seeds(tmp_path) == [3, 4]
    (said,) = (record.message for record in caplog.records if "run_id" in record.message)
    assert run_id in said
    assert next_one in said


def test_a_run_id_that_is_no_version_is_refused_before_anything_is_saved(tmp_path: Path) -> None:
    session = KedroServiceSession.create(env="test")
    with pytest.raises(UserError, match=r"run_id: found 'mine', expected a UTC time such as "):
        session.run(run_id="mine", pipeline_names=["ingest"], runtime_params=params(tmp_path, 0))
    assert list(tmp_path.iterdir()) == []


def test_concurrent_runs_of_a_server_keep_their_parameters_and_manifests(tmp_path: Path) -> None:
    roots = [tmp_path / str(seed) for seed in range(4)]
    session = KedroServiceSession.create(env="test", serving_mode=True)
    together = Barrier(len(roots))

    def run(seed: int) -> None:
        together.wait()
        session.run(pipeline_names=["ingest"], runtime_params=params(roots[seed], seed))

    with ThreadPoolExecutor(len(roots)) as pool:
        list(pool.map(run, range(len(roots))))
    assert [seeds(root) for root in roots] == [[0], [1], [2], [3]]
    assert [[manifest["parameters"]["seed"] for manifest in manifests(root)] for root in roots] == [[0], [1], [2], [3]]


def test_a_run_of_a_server_names_the_command_that_does_the_same(
    tmp_path: Path, kedro_run: Callable[..., Outcome]
) -> None:
    session = KedroServiceSession.create(env="test")
    session.run(pipeline_names=["ingest"], runtime_params=params(tmp_path, 5), to_outputs=["images_test"])
    (manifest,) = manifests(tmp_path)
    root = tmp_path
    assert manifest["command"] == (
        f"kedro run --pipelines=ingest --env=test --params=data_root={root},raw_root={root}/raw,seed=5 "
        "--to-outputs=images_test"
    )
    assert manifest["writes"] == ["images_test", "images_train", "images_unlabeled"]


def test_two_runs_with_one_id_have_two_versions(tmp_path: Path) -> None:
    session = KedroServiceSession.create(env="test")
    for seed in (1, 2):
        session.run("2026-01-02T03.04.05.006Z", ["ingest"], runtime_params=params(tmp_path, seed))
    assert [manifest["run_id"] for manifest in manifests(tmp_path)] == [
        "2026-01-02T03.04.05.006Z",
        "2026-01-02T03.04.05.007Z",
    ]
    assert seeds(tmp_path) == [1, 2]


def test_a_run_id_that_is_no_time_is_refused(tmp_path: Path) -> None:
    session = KedroServiceSession.create(env="test")
    with pytest.raises(Exception, match="run_id: found 'latest'"):
        session.run("latest", ["ingest"], runtime_params=params(tmp_path, 1))
    assert not list(tmp_path.iterdir())
