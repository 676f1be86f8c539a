"""`kedro similar`, and the same search from Python."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from PIL import Image

from byol_kedro import load_encoder, open_gallery
from byol_kedro.errors import UserError
from byol_kedro.files.decode import UnreadableImage
from byol_kedro.runs.gallery import PLACES
from byol_kedro.runs.history import open_catalog, versioned_entries
from byol_kedro.runs.versions import entry_folder
from tests.support.encoders import NEWER, save_encoder
from tests.support.galleries import COUNTS, write_gallery
from tests.support.kedro_runs import ROOT, Outcome


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    write_gallery(folder, saved=1)
    return folder


def type_similar(folder: Path, *words: str) -> Outcome:
    bootstrap_project(ROOT)
    from byol_kedro.cli import cli  # noqa: PLC0415  (the project has to be bootstrapped first)

    params = f"--params=data_root={folder / 'data'},raw_root={folder / 'raw'},device=cpu"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        result = CliRunner().invoke(cli, ["similar", "--env=test", params, *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.output)


def test_nearest_images_of_all_splits_without_the_image_itself(place, tmp_path):
    query = place / "raw/train/3.png"
    outcome = type_similar(place, str(query), "--top=5", f"--output={tmp_path / 's.html'}")
    assert outcome.exit_code == 0, outcome.output
    found = re.findall(r"^(\d\.\d{3})  (\w+) +(\S+)$", outcome.output, re.MULTILINE)
    # The reference: features by the encoder alone, and all cosines.
    files = [f"{split}/{row}.png" for split, count in COUNTS.items() for row in range(count)][:13]
    features = load_encoder(place / "data", "cpu")([place / "raw" / file for file in files]).astype(float)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit[files.index("train/3.png")]
    order = [row for row in np.argsort(-cosines) if files[row] != "train/3.png"][:5]
    assert [path for *_, path in found] == [str(place / "raw" / files[row]) for row in order]
    assert [split for _, split, _ in found] == [files[row].split("/")[0] for row in order]
    np.testing.assert_allclose([float(value) for value, *_ in found], cosines[order], atol=6e-4)
    assert "13 images searched with encoder" in outcome.output
    assert "2 unlabeled images not searched" in outcome.output
    page = (tmp_path / "s.html").read_text("utf-8")
    assert page.count("<img") == 6
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "http" not in page


def test_python_finds_the_same(place):
    gallery = open_gallery(place / "data", "cpu")
    assert len(gallery) == 13
    (matches,) = gallery.similar([place / "raw/test/1.png"], 3)
    outcome = type_similar(place, str(place / "raw/test/1.png"), "--top=3", f"--output={place / 't.html'}")
    assert [f"{match.similarity:.3f}" for match in matches] == re.findall(r"^\d\.\d{3}", outcome.output, re.MULTILINE)
    pixels = np.asarray(Image.open(place / "raw" / matches[0].name)).transpose(2, 0, 1)
    assert np.array_equal(matches[0].pixels, pixels)
    assert len(gallery.similar([place / "raw/test/1.png"], 100)[0]) == 12
    with pytest.raises(UnreadableImage, match=r"none.png: No such file"):
        gallery.similar([place / "none.png"])


def test_each_bad_image_is_one_line_and_the_others_are_searched(place, tmp_path):
    (tmp_path / "broken.jpg").write_text("text")
    bad = [str(tmp_path / "broken.jpg"), str(tmp_path / "none.jpg"), str(tmp_path)]
    outcome = type_similar(place, *bad, str(place / "raw/test/0.png"), f"--output={tmp_path / 's.html'}")
    assert outcome.exit_code == 1
    errors = [line for line in outcome.lines if line.startswith("Error: ")]
    assert len(errors) == 3
    assert "not an image" in errors[0]
    assert "No such file" in errors[1]
    assert "a folder" in errors[2]
    assert (tmp_path / "s.html").is_file()
    assert type_similar(place, *bad, f"--output={tmp_path / 'none.html'}").exit_code == 1
    assert not (tmp_path / "none.html").exists()


def test_missing_features_name_the_command(tmp_path):
    outcome = type_similar(tmp_path, "x.png")
    assert "Error: there are no features in" in outcome.output
    assert "make them with: kedro run " in outcome.output
    save_encoder(tmp_path / "data", NEWER)
    assert "--pipelines=extract" in type_similar(tmp_path, "x.png").output
    with pytest.raises(UserError, match="no features"):
        open_gallery(tmp_path / "data")


def test_output_is_checked_first(place):
    assert "expected .html" in type_similar(place, "x.png", "--output=x.txt").output
    assert "artifacts" in type_similar(place, "x.png", f"--output={place}/data/x.html").output


def test_features_whose_images_or_encoder_are_gone_are_refused(place, tmp_path):
    shutil.copytree(place, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy/data/06_models")
    with pytest.raises(UserError, match="is not in"):
        open_gallery(tmp_path / "copy/data", "cpu")
    shutil.rmtree(tmp_path / "copy/data/02_intermediate/images_test.npy")
    with pytest.raises(UserError, match="no longer in"):
        open_gallery(tmp_path / "copy/data", "cpu")
    with pytest.raises(UserError, match="no features of encoder 2020"):
        open_gallery(place / "data", "cpu", "2020")


def test_places_are_those_of_the_catalog(tmp_path):
    bootstrap_project(ROOT)
    options = {"env": "test", "conf_source": None, "runtime_params": {"data_root": str(tmp_path)}}
    entries = versioned_entries(open_catalog(options))
    for name, (path, kind) in PLACES.items():
        assert entry_folder(entries[name]) == tmp_path / path
        assert isinstance(entries[name], kind)
