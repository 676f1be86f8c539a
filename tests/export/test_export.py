"""Exported files, read by the programs that they are for."""

import copy
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file

from byol_kedro import load_encoder
from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.cli.export_command import NAMES
from byol_kedro.errors import UserError
from byol_kedro.export.write import FORMATS, Format, write
from byol_kedro.inference import FrozenEncoder
from tests.support.damage import flip
from tests.support.encoders import NEWER, OLDER, save_encoder
from tests.support.exports import PIXELS, assert_same, frozen, normalized, type_export
from tests.support.kedro_runs import ROOT
from tests.support.trainings import CPU


@pytest.fixture(scope="module")
def resnet18() -> FrozenEncoder:
    return frozen()


@pytest.fixture(scope="module")
def small() -> FrozenEncoder:
    """A fast network, which torchvision does not have."""
    return frozen("test_resnet")


@torch.no_grad()
def test_torchvision_loads_the_file_without_a_classifier(resnet18, tmp_path):
    write(resnet18, "torchvision", tmp_path / "e.safetensors")
    model = torchvision.models.resnet18(weights=None).eval()
    missing, unexpected = model.load_state_dict(load_file(tmp_path / "e.safetensors"), strict=False)
    assert (missing, unexpected) == (["fc.weight", "fc.bias"], [])
    model.fc = torch.nn.Identity()
    assert_same(model(normalized(resnet18)).numpy(), resnet18)


@torch.no_grad()
def test_timm_loads_the_file(resnet18, tmp_path):
    path = tmp_path / "e.safetensors"
    write(resnet18, "timm", path)
    model = timm.create_model("resnet18", num_classes=0, checkpoint_path=path).eval()
    assert_same(model(normalized(resnet18)).numpy(), resnet18)


def test_onnx_has_a_dynamic_batch_size(small, tmp_path):
    write(small, "onnx", tmp_path / "e.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "e.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("images", "tensor(uint8)", ["N", 3, 32, 32])
    assert_same(session.run(None, {"images": PIXELS})[0], small)
    assert_same(np.concatenate([session.run(None, {"images": PIXELS[i : i + 1]})[0] for i in range(7)]), small)


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_torchscript_has_a_dynamic_batch_size(small, tmp_path):
    write(small, "torchscript", tmp_path / "e.pt")
    model = torch.jit.load(tmp_path / "e.pt")
    assert_same(model(torch.from_numpy(PIXELS)).numpy(), small)
    assert_same(torch.cat([model(torch.from_numpy(PIXELS[i : i + 1])) for i in range(7)]).numpy(), small)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_every_format_contains_the_header(resnet18, tmp_path):
    for name in NAMES:
        write(resnet18, name, tmp_path / name)
    extra = {"header.json": ""}
    torch.jit.load(tmp_path / "torchscript", _extra_files=extra)
    found = {
        "torchscript": json.loads(extra["header.json"]),
        "onnx": {prop.key: prop.value for prop in onnx.load(tmp_path / "onnx").metadata_props},
    }
    for name in ("torchvision", "timm"):
        with safe_open(tmp_path / name, framework="np") as file:
            found[name] = file.metadata()
    for name, about in found.items():
        assert EncoderHeader.from_dict(about) == resnet18.header, name
        assert (about["version"], about["fingerprint"]) == (OLDER, resnet18.fingerprint), name
        assert ("uint8" in about["input"]) == (name in {"onnx", "torchscript"}), name


def test_a_small_stem_is_exported(tmp_path):
    assert write(frozen(stem="small"), "torchvision", tmp_path / "e") < 1e-5


def test_a_transformer_is_exported_to_onnx(tmp_path):
    vit = frozen("test_vit")
    write(vit, "onnx", tmp_path / "e.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "e.onnx", providers=["CPUExecutionProvider"])
    assert_same(session.run(None, {"images": PIXELS})[0], vit, tolerance=1e-4)


@pytest.mark.parametrize("architecture", ["test_resnet", "efficientnet_b0"])
def test_an_architecture_unknown_to_torchvision_is_refused(architecture, tmp_path):
    other = frozen(architecture)
    with pytest.raises(UserError, match=f"torchvision has no {architecture}.*use --format timm"):
        write(other, "torchvision", tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_other_features_is_not_written(resnet18, name, tmp_path, monkeypatch):
    """The file is written with one wrong weight."""
    other = FrozenEncoder(resnet18.header, OLDER, "mark", copy.deepcopy(resnet18.model), CPU)
    with torch.no_grad():
        next(other.model.parameters())[0] += 0.1
    form = FORMATS[name]
    monkeypatch.setitem(FORMATS, name, Format(lambda _, path: form.write(other, path), form.features))
    (tmp_path / "e").write_text("what was there before")
    with pytest.raises(UserError, match=r"differ from those of the encoder by \de-0\d of the largest"):
        write(resnet18, name, tmp_path / "e")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("e", "what was there before")]


@pytest.mark.parametrize("field", ["mean", "std"])
def test_a_file_with_another_normalization_is_not_written(small, field, tmp_path, monkeypatch):
    header = EncoderHeader(**{**vars(small.header), field: (0.21, 0.22, 0.23)})
    other, form = FrozenEncoder(header, OLDER, "mark", small.model, CPU), FORMATS["torchscript"]
    monkeypatch.setitem(FORMATS, "torchscript", Format(lambda _, path: form.write(other, path), form.features))
    with pytest.raises(UserError, match="differ from those of the encoder"):
        write(small, "torchscript", tmp_path / "e")


@pytest.mark.parametrize("name", NAMES)
def test_a_path_that_cannot_be_written_is_named(resnet18, name):
    with pytest.raises(UserError, match=r"^/proc/e cannot be written: No such file or directory$"):
        write(resnet18, name, Path("/proc/e"))


def test_an_encoder_with_nan_is_not_written(resnet18, tmp_path):
    broken = FrozenEncoder(resnet18.header, OLDER, "mark", copy.deepcopy(resnet18.model), CPU)
    with torch.no_grad():
        next(broken.model.parameters())[0] = torch.nan
    with pytest.raises(
        UserError, match=f"features of the encoder {OLDER}: 5 of 5 rows hold NaN or infinity; nothing was written"
    ):
        write(broken, "timm", tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_names_the_extra(small, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"needs the package {package} .*the extra onnx: pip install onnx onnxruntime"):
        write(small, "onnx", tmp_path / "e.onnx")
    assert list(tmp_path.iterdir()) == []


def version_in(path: Path) -> str:
    with safe_open(path, framework="np") as file:
        return file.metadata()["version"]


def test_the_newest_encoder_is_exported_by_default(tmp_path):
    for version in (OLDER, NEWER):
        save_encoder(tmp_path / "data", version)
    outcome = type_export(tmp_path, "--format=timm", f"--output={tmp_path / 'newest.safetensors'}")
    assert outcome.exit_code == 0, outcome.output
    (line,) = outcome.lines
    assert line.startswith(
        f"{tmp_path / 'newest.safetensors'}: encoder {version_in(tmp_path / 'newest.safetensors')} "
        "(test_resnet) for timm"
    )
    type_export(tmp_path, "--format=timm", f"--output={tmp_path / 'older.safetensors'}", f"--encoder={OLDER}")
    assert version_in(tmp_path / "older.safetensors") != version_in(tmp_path / "newest.safetensors")


def test_load_encoder_detects_a_flipped_bit_in_an_export(tmp_path):
    save_encoder(tmp_path / "data", OLDER)
    path = tmp_path / "mine.safetensors"
    type_export(tmp_path, "--format=timm", f"--output={path}")
    assert load_encoder(path, "cpu").fingerprint == load_encoder(tmp_path / "data", "cpu").fingerprint
    for position in (-1, 200):
        flip(path, position)
        with pytest.raises(UserError, match=f"^load_encoder: {path} "):
            load_encoder(path, "cpu")
        flip(path, position)


@pytest.mark.parametrize(
    ("versions", "words", "expected"),
    [
        ([], [], "there is no encoder in"),
        ([OLDER], ["--encoder=2027"], "--encoder 2027: no such version in "),
        ([OLDER], ["--format=torchvision"], "torchvision has no test_resnet"),
        ([OLDER], ["--output=e.pt"], "timm needs a file name that ends in .safetensors"),
        ([OLDER], [f"--output={Path(__file__) / 'e.safetensors'}"], "e.safetensors cannot be written: Not a directory"),
        ([OLDER], ["--params=data_rot=x"], "data_rot: there is no such parameter; did you mean data_root?"),
    ],
)
def test_user_errors_are_reported_on_one_line(versions, words, expected, tmp_path):
    for version in versions:
        save_encoder(tmp_path / "data", version)
    outcome = type_export(tmp_path, "--format=timm", f"--output={tmp_path / 'e.safetensors'}", *words)
    assert outcome.exit_code == 1
    assert len(outcome.lines) == 1, outcome.output
    assert expected in outcome.lines[0]
    assert not (tmp_path / "e.safetensors").exists()


def test_without_an_encoder_the_training_command_is_named(tmp_path):
    outcome = type_export(tmp_path, "--format=timm", f"--output={tmp_path / 'e.safetensors'}")
    assert outcome.lines[0].endswith(
        f": kedro run --pipelines=ingest,pretrain --env=test --params=data_root={tmp_path}/data"
    )


@pytest.fixture
def artifacts(tmp_path):
    """A data_root with an encoder, folders of images, and links."""
    path = save_encoder(tmp_path / "data", OLDER)
    for folder in ("raw", "new", "other/06_models/x.safetensors/" + NEWER, "linked"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("raw/cat.safetensors", "new/cat.safetensors"):
        (tmp_path / name).write_bytes(b"an image")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (tmp_path / "file.safetensors").symlink_to(path)
    (tmp_path / "data" / "out").symlink_to(tmp_path / "linked")
    shutil.move(tmp_path / "data" / "06_models", tmp_path / "disk")
    (tmp_path / "data" / "06_models").symlink_to(tmp_path / "disk")
    return tmp_path


@pytest.mark.parametrize(
    "output",
    [
        f"data/06_models/encoder.safetensors/{OLDER}/encoder.safetensors", "data/mine.safetensors",
        "data/06_models/checkpoints/a/step-000000001.safetensors", "link/06_models/mine.safetensors",
        "file.safetensors", "raw/../data/mine.safetensors", "data/out/mine.safetensors", "raw/cat.safetensors",
        "new/mine.safetensors", "disk/mine.safetensors",
        f"other/06_models/x.safetensors/{NEWER}/x.safetensors", "missing/../raw/x.safetensors",
    ],
)  # fmt: skip
def test_exports_among_artifacts_or_images_are_refused(artifacts, output):
    before = {path: path.read_bytes() for path in artifacts.rglob("*") if path.is_file()}
    roots = f"--params=raw_root={artifacts}/raw,predict_root={artifacts}/new"
    outcome = type_export(artifacts, "--format=timm", f"--output={artifacts / output}", roots)
    assert outcome.exit_code == 1
    (line,) = outcome.lines
    assert line.startswith(f"Error: --output {artifacts / output}: ")
    assert line.endswith("choose a file in another folder")
    assert {path: path.read_bytes() for path in artifacts.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("output", ["conf/local/x.safetensors", "src/byol_kedro/x.safetensors", "./conf/x.safetensors"])
def test_exports_into_the_project_are_refused(artifacts, output):
    outcome = type_export(artifacts, "--format=timm", f"--output={output}")
    assert outcome.exit_code == 1
    assert "configuration or code" in outcome.output
    assert not (ROOT / output).exists()


def test_an_export_into_another_folder_is_written(artifacts):
    outcome = type_export(artifacts, "--format=timm", f"--output={artifacts / 'linked/mine.safetensors'}")
    assert outcome.exit_code == 0, outcome.output
    assert (artifacts / "linked/mine.safetensors").exists()


def test_help_lists_every_format():
    output = type_export(Path("/nowhere"), "--help").output
    assert set(FORMATS) == set(NAMES)
    assert all(f"  {name}  " in output for name in NAMES)
