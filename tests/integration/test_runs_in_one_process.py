"""Several runs in one process keep their own parameters, artifacts and versions."""

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


def test_sessions_keep_their_own_parameters(tmp_path: Path) -> None:
    roots = [tmp_path / "a", tmp_path / "b"]
    sessions = [KedroSession.create(env="test", runtime_params=params(root, 3 + i)) for i, root in enumerate(roots)]
    for session in sessions:
        session.load_context()
    for session in sessions:
        session.run(pipeline_names=["ingest"])
    assert [seeds(root) for root in roots] == [[3], [4]]
    assert [[manifest["parameters"]["seed"] for manifest in manifests(root)] for root in roots] == [[3], [4]]


def test_catalogs_keep_their_own_environment() -> None:
    contexts = [KedroSession.create(env=env).load_context() for env in ("sample", "test")]
    catalogs = [context.catalog for context in contexts]
    assert [Path(catalog["encoder"]._filepath).parents[1].name for catalog in catalogs] == ["sample", "test"]


def test_a_repeated_run_id_is_changed_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_id, next_one = "2026-03-01T10.00.00.000Z", "2026-03-01T10.00.00.001Z"
    session = KedroServiceSession.create(env="test")
    for seed in (3, 4):
        session.run(run_id=run_id, pipeline_names=["ingest"], runtime_params=params(tmp_path, seed))
    assert [manifest["run_id"] for manifest in manifests(tmp_path)] == [run_id, next_one]
    assert seeds(tmp_path) == [3, 4]
    (message,) = (record.message for record in caplog.records if "run_id" in record.message)
    assert run_id in message
    assert next_one in message


def test_an_invalid_run_id_is_refused(tmp_path: Path) -> None:
    session = KedroServiceSession.create(env="test")
    with pytest.raises(UserError, match=r"run_id: found 'mine', expected a UTC time such as "):
        session.run(run_id="mine", pipeline_names=["ingest"], runtime_params=params(tmp_path, 0))
    assert list(tmp_path.iterdir()) == []


def test_concurrent_runs_of_a_service_keep_their_parameters(tmp_path: Path) -> None:
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


def test_a_run_of_a_service_names_the_equivalent_command(tmp_path: Path, kedro_run: Callable[..., Outcome]) -> None:
    session = KedroServiceSession.create(env="test")
    session.run(pipeline_names=["ingest"], runtime_params=params(tmp_path, 5), to_outputs=["images_test"])
    (manifest,) = manifests(tmp_path)
    root = tmp_path
    assert manifest["command"] == (
        f"kedro run --pipelines=ingest --env=test --params=data_root={root},raw_root={root}/raw,seed=5 "
        "--to-outputs=images_test"
    )
    assert manifest["writes"] == ["images_test", "images_train", "images_unlabeled"]
