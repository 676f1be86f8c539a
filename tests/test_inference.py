"""load_encoder: the same features as the pipelines, without Kedro."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from byol_kedro import load_encoder
from byol_kedro.byol.encoder import to_arrays, untrained_encoder
from byol_kedro.byol.features import encode
from byol_kedro.errors import UserError
from byol_kedro.files.decode import UnreadableImage, decode
from tests.support.deep_images import ramp, write_png
from tests.support.encoders import HEADER, NEWER, OLDER, moved, save_encoder
from tests.support.kedro_runs import modules_after
from tests.support.trainings import CPU


@pytest.fixture
def encoder(tmp_path: Path):
    return load_encoder(save_encoder(tmp_path, OLDER), device="cpu")


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)


@pytest.fixture
def files(pixels: np.ndarray, tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{i}.png" for i in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    return paths


def test_all_kinds_of_input_give_the_features_of_the_pipelines(encoder, pixels, files):
    expected = encode(moved(untrained_encoder(HEADER)), pixels, HEADER, CPU)
    for images in (pixels, files, [str(path) for path in files], [Image.open(path) for path in files], iter(files)):
        features = encoder(images)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


def test_images_of_several_batches_keep_their_order(encoder, pixels, monkeypatch):
    monkeypatch.setattr("byol_kedro.inference.BATCH", 2)
    images = [Image.fromarray(image.transpose(1, 2, 0)) for image in pixels]
    np.testing.assert_allclose(encoder(images), encoder(pixels), rtol=1e-5, atol=1e-5)


def test_a_pil_image_gives_the_features_of_its_file(encoder, tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 70, 4), dtype=np.uint8)).save(path)
    expected = encoder(decode(path, 16)[None])
    np.testing.assert_allclose(encoder([Image.open(path)]), expected, rtol=1e-5, atol=1e-5)


def test_no_images_give_no_features(encoder):
    assert encoder([]).shape == (0, 96)


def test_header_and_metadata(encoder):
    assert encoder.header == HEADER
    assert encoder.metadata()["fingerprint"]


@pytest.mark.parametrize("one", ["cat.png", Path("cat.png"), Image.new("RGB", (4, 4))], ids=["str", "path", "image"])
def test_a_single_image_is_refused(encoder, one):
    with pytest.raises(TypeError, match="expected several images, found one"):
        encoder(one)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 3, 8, 8), (2, 16, 16, 3)])
def test_an_array_of_another_shape_is_refused(encoder, shape):
    with pytest.raises(ValueError, match=r"expected an array \(N, 3, 16, 16\) uint8"):
        encoder(np.zeros(shape, np.uint8))


def test_a_float_array_is_refused(encoder):
    with pytest.raises(ValueError, match=r"found .* float32"):
        encoder(np.zeros((1, 3, 16, 16), np.float32))


def test_a_broken_image_is_named(encoder, files):
    files[3].write_text("no image")
    with pytest.raises(UnreadableImage, match=rf"images\[3\], {files[3]}: not an image"):
        encoder(files)


def test_an_opened_image_of_a_truncated_file_is_named(encoder, tmp_path):
    path = tmp_path / "cut.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UnreadableImage, match=r"images\[0\], .*PngImageFile.*: image file is truncated"):
        encoder([Image.open(path)])


WORDS = "images use a small part of their range of values"


def test_images_that_appear_black_are_counted(encoder, files, pixels, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("byol_kedro.inference.BATCH", 2)
    dark = write_png(tmp_path / "dark.png", ramp(0, 4095))
    assert encoder([*files, dark, Image.open(dark), Image.new("I;16", (8, 8), 4095)]).shape == (8, 96)
    assert [record.getMessage().partition(" and look")[0] for record in caplog.records] == [f"3 of 8 {WORDS}"]
    caplog.clear()
    encoder((np.arange(2)[:, None, None, None] * pixels[:2] // 255).astype(np.uint8))
    encoder(pixels // 255)
    assert [record.getMessage()[:6] for record in caplog.records] == ["2 of 2", "5 of 5"]


def test_other_images_cause_no_warning(encoder, files, pixels, caplog):
    encoder(files)
    encoder(pixels)
    encoder(pixels[:0])
    assert not caplog.records


@pytest.mark.parametrize("size", [(0, 8), (8, 0), (0, 0)])
def test_an_image_without_pixels_is_named(encoder, size):
    with pytest.raises(UnreadableImage, match=r"images\[1\], .*: the image is empty"):
        encoder([Image.new("RGB", (8, 8)), Image.new("RGB", size)])


@pytest.mark.parametrize("other", [list, torch.from_numpy], ids=["a list of arrays", "a tensor"])
def test_an_item_of_another_type_is_refused(encoder, pixels, other):
    with pytest.raises(TypeError, match=r"images\[0\]: .* found (ndarray|Tensor); .* as one array \(N, 3, 16, 16\)"):
        encoder(other(pixels))


@pytest.mark.parametrize("folder", [".", "06_models", "06_models/encoder.safetensors"])
def test_the_newest_encoder_of_a_folder_is_loaded(tmp_path, folder):
    save_encoder(tmp_path, NEWER, seed=1)
    save_encoder(tmp_path, OLDER)
    assert load_encoder(str(tmp_path / folder)).version == NEWER


def test_the_encoder_of_a_version_folder_is_loaded(tmp_path):
    save_encoder(tmp_path, NEWER)
    assert load_encoder(save_encoder(tmp_path, OLDER).parent).version == OLDER


@pytest.mark.parametrize(
    ("name", "words"), [("", "there is no encoder in"), ("gone.safetensors", "there is no file or folder")]
)
def test_a_missing_encoder_names_the_path_and_the_alternatives(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"load_encoder: {words} {tmp_path / name}; give the data_root of a training"):
        load_encoder(name)


def test_a_missing_encoder_names_data_roots_below_the_folder(tmp_path):
    for name in ("paper", "sample"):
        save_encoder(tmp_path / name, OLDER)
    with pytest.raises(UserError, match=f"there is no encoder in {tmp_path}; give {tmp_path}/paper or {tmp_path}/samp"):
        load_encoder(tmp_path)


def write_text(path: Path) -> None:
    path.write_text("an encoder")


def write_torch(path: Path) -> None:
    torch.save(to_arrays(untrained_encoder(HEADER)), path)


def write_latents(path: Path) -> None:
    save_file({"features": np.zeros((2, 4), np.float32)}, path, {"encoder_version": OLDER})


def write_heads(path: Path) -> None:
    save_file({"predictor.weight": np.zeros((2, 4), np.float32)}, path, HEADER.to_dict())


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (write_text, "is truncated or not a safetensors file"),
        (write_torch, "is truncated or not a safetensors file"),
        (
            write_latents,
            r": the encoder's header lacks architecture \(15 entries are missing\)",
        ),
        (write_heads, r": the encoder's .* is missing \(\d+ such arrays\), so it is not a test_resnet"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, write, words):
    write(tmp_path / "file")
    with pytest.raises(UserError, match=f"^load_encoder: {tmp_path}/file ?{words}.*; (give|take|choose) [^;\n]*$"):
        load_encoder(tmp_path / "file")


def test_an_unknown_device_is_refused(tmp_path):
    with pytest.raises(UserError, match="device: found 'gpu'; expected auto, cpu, mps, cuda or cuda:N"):
        load_encoder(save_encoder(tmp_path, OLDER), device="gpu")


def test_load_encoder_does_not_import_kedro(tmp_path, pixels):
    path = save_encoder(tmp_path, OLDER)
    code = f"from byol_kedro import load_encoder; load_encoder({str(path)!r}, 'cpu')([])"
    assert not {"kedro", "kedro_datasets", "pandas", "sklearn", "pydantic"} & modules_after(code), sys.path


@pytest.mark.parametrize("folder", [".", "06_models", "06_models/encoder.safetensors"])
@pytest.mark.parametrize("name", [f"{NEWER} copy", f"{NEWER} (1)", f".{NEWER}", "zzz", "latest", NEWER.lower()])
def test_folders_that_are_no_versions_are_skipped_with_a_warning(tmp_path, folder, name, caplog):
    save_encoder(tmp_path, NEWER, seed=1)
    save_encoder(tmp_path, OLDER)
    entry = tmp_path / "06_models/encoder.safetensors"
    (entry / NEWER).rename(entry / name)
    assert load_encoder(tmp_path / folder).version == OLDER
    warnings = [message for message in caplog.messages if "ignored" in message]
    assert len(warnings) == 1
    assert name in warnings[0]


def test_a_version_folder_may_have_any_name(tmp_path):
    path = save_encoder(tmp_path, OLDER).parent
    copy = path.rename(path.with_name(f"{OLDER} copy"))
    assert load_encoder(copy).version == load_encoder(copy / "encoder.safetensors").version == OLDER


@pytest.mark.parametrize("name", ["run[1]", "a*b", "what?", "{x}", "[!a]", "**", "back\\slash", "new\nline"])
def test_a_folder_name_is_not_a_glob_pattern(tmp_path, name):
    save_encoder(tmp_path / name, NEWER)
    for other in ("run1", "aab", "whatx", "x", "b", "c"):
        save_encoder(tmp_path / other, "2026-03-01T00.00.00.000Z", seed=1)
    assert load_encoder(tmp_path / name).version == NEWER
    assert load_encoder(tmp_path / name / "06_models").version == NEWER
