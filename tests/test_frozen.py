"""What could break: features in Python that are not those of the pipelines, or Kedro dragged in."""

import sys
from pathlib import Path

import numpy as np
import pytest
from kedro.io import Version
from PIL import Image

from byol_kedro import load_encoder
from byol_kedro.byol.encoder import to_arrays, untrained_encoder
from byol_kedro.byol.features import encode
from byol_kedro.datasets.decode import UnreadablePicture, decode
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.errors import UserError
from tests.byol.small import CPU
from tests.byol.test_encoder import HEADER, moved
from tests.test_project import modules_after

OLDER, NEWER = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"


def save_encoder(data_root: Path, version: str, seed: int = 0) -> Path:
    """The file of an encoder that was saved as `version`."""
    folder = data_root / "06_models" / "encoder.safetensors"
    encoder = Tensors(to_arrays(moved(untrained_encoder(HEADER), seed)), HEADER.to_dict())
    TensorsDataset(filepath=str(folder), version=Version(None, version)).save(encoder)
    return folder / version / folder.name


@pytest.fixture
def encoder(tmp_path: Path):
    return load_encoder(save_encoder(tmp_path, OLDER), device="cpu")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)


@pytest.fixture
def files(pixels: np.ndarray, tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{i}.png" for i in range(len(pixels))]
    for path, picture in zip(paths, pixels, strict=True):
        Image.fromarray(picture.transpose(1, 2, 0)).save(path)
    return paths


def test_an_array_a_path_a_text_and_an_image_give_what_the_pipelines_give(encoder, pixels, files):
    expected = encode(moved(untrained_encoder(HEADER)), pixels, HEADER, CPU)
    for images in (pixels, files, [str(path) for path in files], [Image.open(path) for path in files], iter(files)):
        features = encoder(images)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


def test_more_pictures_than_a_batch_keep_their_order(encoder, pixels, monkeypatch):
    monkeypatch.setattr("byol_kedro.frozen.BATCH", 2)
    images = [Image.fromarray(picture.transpose(1, 2, 0)) for picture in pixels]
    np.testing.assert_allclose(encoder(images), encoder(pixels), rtol=1e-5, atol=1e-5)


def test_an_image_is_treated_as_its_file(encoder, tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 70, 4), dtype=np.uint8)).save(path)
    expected = encoder(decode(path, 16)[None])
    np.testing.assert_allclose(encoder([Image.open(path)]), expected, rtol=1e-5, atol=1e-5)


def test_no_pictures_give_no_features(encoder):
    assert encoder([]).shape == (0, 96)


def test_the_header_says_what_it_is(encoder):
    assert encoder.header == HEADER
    assert encoder.about()["fingerprint"]


@pytest.mark.parametrize("one", ["cat.png", Path("cat.png"), Image.new("RGB", (4, 4))], ids=["str", "path", "image"])
def test_a_single_picture_is_refused(encoder, one):
    with pytest.raises(TypeError, match="several pictures are expected, found one"):
        encoder(one)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 3, 8, 8), (2, 16, 16, 3)])
def test_an_array_of_another_shape_is_refused(encoder, shape):
    with pytest.raises(ValueError, match=r"\(N, 3, 16, 16\) uint8 is expected"):
        encoder(np.zeros(shape, np.uint8))


def test_an_array_of_floats_is_refused(encoder):
    with pytest.raises(ValueError, match=r"found .* float32"):
        encoder(np.zeros((1, 3, 16, 16), np.float32))


def test_a_broken_picture_is_named(encoder, files):
    files[3].write_text("no picture")
    with pytest.raises(UnreadablePicture, match=f"{files[3]}: no picture"):
        encoder(files)


def test_of_a_data_root_the_newest_encoder_is_taken(tmp_path):
    save_encoder(tmp_path, NEWER, seed=1)
    newest = load_encoder(tmp_path).fingerprint
    save_encoder(tmp_path, OLDER)
    assert load_encoder(str(tmp_path)).fingerprint == newest


@pytest.mark.parametrize(
    ("name", "words"), [("", "there is no encoder under"), ("gone.safetensors", "there is no file")]
)
def test_an_encoder_that_is_not_there_is_named(tmp_path, name, words):
    with pytest.raises(UserError, match=f"load_encoder: {words} {tmp_path / name}"):
        load_encoder(tmp_path / name)


def test_it_needs_no_kedro(tmp_path, pixels):
    path = save_encoder(tmp_path, OLDER)
    code = f"from byol_kedro import load_encoder; load_encoder({str(path)!r}, 'cpu')([])"
    assert not {"kedro", "kedro_datasets", "pandas", "sklearn", "pydantic"} & modules_after(code), sys.path
