"""`~` is expanded to the home folder in all paths."""

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogProtocol

from byol_kedro import load_encoder
from byol_kedro.errors import UserError
from byol_kedro.files.paths import expand
from tests.support.encoders import NEWER, save_encoder
from tests.support.kedro_runs import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    bootstrap_project(ROOT)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def catalog_of(conf: Path | None = None, **params: object) -> CatalogProtocol:
    source = None if conf is None else str(conf)
    context = KedroSession.create(ROOT, env="test", runtime_params=params, conf_source=source).load_context()
    context._pipelines_to_validate = []  # which would import torch
    return context.catalog


def test_home_in_parameters(home: Path) -> None:
    catalog = catalog_of(data_root="~/d", raw_root="~", predict_root="~/new")
    assert str(catalog.get("encoder")._filepath) == f"{home}/d/06_models/encoder.safetensors"
    assert str(catalog.get("checkpoints")._filepath) == f"{home}/d/06_models/checkpoints"
    assert str(catalog.get("raw_images")._filepath) == str(home)
    assert str(catalog.get("pair_file")._filepath) == f"{home}/pairs.txt"
    assert str(catalog.get("new_images")._root) == f"{home}/new"


def test_home_in_globals_yml(home: Path) -> None:
    conf = Path(shutil.copytree(ROOT / "conf", home / "conf"))
    text = "data_root: ~/d\nraw_root: ~/raw\nsource: folder\npredict_root: ~/new\n"
    (conf / "test/globals.yml").write_text(text)
    (conf / "test/catalog_mine.yml").write_text(
        "mine: {type: pandas.CSVDataset, filepath: '${globals:data_root}/a.csv'}\n"
    )
    catalog = catalog_of(conf)
    assert str(catalog.get("encoder")._filepath) == f"{home}/d/06_models/encoder.safetensors"
    assert str(catalog.get("mine")._filepath) == f"{home}/d/a.csv"
    assert str(catalog.get("raw_images")._filepath) == f"{home}/raw"
    assert catalog.load("params:raw_root") == f"{home}/raw"


def test_home_in_runtime_params_of_a_catalog(home: Path) -> None:
    conf = Path(shutil.copytree(ROOT / "conf", home / "conf"))
    entry = "mine: {type: pandas.CSVDataset, filepath: '${runtime_params:data_root,x}/a.csv'}\n"
    (conf / "test/catalog_mine.yml").write_text(entry)
    assert str(catalog_of(conf, data_root="~/d").get("mine")._filepath) == f"{home}/d/a.csv"
    assert str(catalog_of(conf).get("mine")._filepath) == f"{ROOT}/x/a.csv"


def test_home_in_paths_of_files(home: Path) -> None:
    params = {
        "pretrain": {"init_from": "~/a.pth"},
        "pair_model": {"weights_from": "~/b.pt"},
        "references": {"mine": "resnet18@~/c.safetensors", "hub": "resnet18.tv_in1k"},
    }
    catalog = catalog_of(**params)
    assert catalog.load("params:pretrain.init_from") == f"{home}/a.pth"
    assert catalog.load("params:pair_model.weights_from") == f"{home}/b.pt"
    assert catalog.load("params:references") == {
        "mine": f"resnet18@{home}/c.safetensors",
        "hub": "resnet18.tv_in1k",
    }


def test_home_in_load_encoder(home: Path) -> None:
    save_encoder(home, NEWER)
    assert load_encoder("~", device="cpu").version == NEWER
    assert load_encoder(Path("~/06_models"), device="cpu").version == NEWER


def typed(*words: str) -> str:
    from byol_kedro.cli import cli  # noqa: PLC0415  (the project has to be bootstrapped first)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/usr/bin/kedro", *words])
        return CliRunner().invoke(cli, words).output


def test_home_in_options(home: Path) -> None:
    save_encoder(home / "data", NEWER)
    shutil.copytree(ROOT / "conf", home / "conf")
    (home / "run.yml").write_text("run: {env: nosuch}")
    words = ["--format=timm", "--output=~/e.safetensors", "--env=test", "--params=data_root=~/data"]
    assert "e.safetensors: encoder" in typed("export", *words, "--conf-source=~/conf")
    assert (home / "e.safetensors").is_file()
    assert "--env nosuch: there is no environment" in typed("run", "--config=~/run.yml")
    assert not (ROOT / "~").exists()


def test_home_of_another_user() -> None:
    assert expand("~root/x") == str(Path("~root/x").expanduser())
    for name in ("~nobody_has_this_name", "~nobody_has_this_name/x"):
        with pytest.raises(UserError, match=rf"load_encoder: unknown home folder; .*\./{name}"):
            load_encoder(name)


@pytest.mark.parametrize("text", ["a/~", "./~", "/~/x", "x~"])
def test_a_tilde_elsewhere_is_kept(text: str) -> None:
    assert expand(text) == text
