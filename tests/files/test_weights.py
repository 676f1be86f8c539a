"""Reading weights never runs code, and damaged files are detected."""

import argparse
import collections
import errno
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from byol_kedro.errors import UserError
from byol_kedro.files.sealed import sealed
from byol_kedro.files.weights import read_weights
from tests.support.damage import flip

NAME = "pretrain.init_from"
STATE = {"conv1.weight": torch.arange(6.0).reshape(2, 3)}
RAN = []


class Trap:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return RAN.append, ("it ran",)


def test_torch_file_is_read(tmp_path):
    torch.save(STATE, tmp_path / "w.pth")
    content, header = read_weights(tmp_path / "w.pth", NAME)
    assert torch.equal(content["conv1.weight"], STATE["conv1.weight"])
    assert header == {}


def test_safetensors_file_is_read_with_its_header(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", metadata={"architecture": "resnet18"})
    content, header = read_weights(tmp_path / "w.safetensors", NAME)
    assert torch.equal(content["conv1.weight"], STATE["conv1.weight"])
    assert header == {"architecture": "resnet18"}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", [Trap(), {"a": Trap()}, torch.nn.Linear(1, 1)], ids=["trap", "dict", "module"])
def test_file_with_code_is_refused(tmp_path, content, zipped):
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"code.*torch.save\(model.state_dict\(\), path\)") as refused:
        read_weights(tmp_path / "w.pth", NAME)
    assert RAN == []
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("bytes_left", [0, 100])
def test_truncated_file_is_one_line(tmp_path, name, bytes_left):
    path = tmp_path / name
    if name == "w.pth":
        torch.save(STATE, path)
    else:
        save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:bytes_left])
    with pytest.raises(UserError, match=f"{NAME}: .*is truncated"):
        read_weights(path, NAME)


@pytest.mark.parametrize("sums", [True, False])
def test_flipped_bit_in_a_torch_file_is_detected(tmp_path, sums):
    torch.serialization.set_crc32_options(sums)
    try:
        torch.save(STATE, tmp_path / "w.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_weights(tmp_path / "w.pth", NAME)[0]["conv1.weight"], STATE["conv1.weight"])
    content = (tmp_path / "w.pth").read_bytes()
    flip(tmp_path / "w.pth", content.index(STATE["conv1.weight"].numpy().tobytes()) + 5)
    if sums:
        with pytest.raises(UserError, match=r"w\.pth is damaged: the checksum of its record w/data/0 does not"):
            read_weights(tmp_path / "w.pth", NAME)
    else:
        assert not torch.equal(read_weights(tmp_path / "w.pth", NAME)[0]["conv1.weight"], STATE["conv1.weight"])


class Reduced:
    """Is pickled as a call of `function`."""

    def __init__(self, function, *given):
        self.call = function, given

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("beside", [{}, {"args": argparse.Namespace(lr=0.1)}])
def test_settings_do_not_enable_code(tmp_path, beside):
    content = {
        "state_dict": STATE,
        **beside,
        "hyper_parameters": Reduced(eval, f"open({str(tmp_path / 'ran')!r}, 'w')"),
    }
    torch.save(content, tmp_path / "w.ckpt")
    with pytest.raises(UserError, match=r"contains Python objects \(.*builtins.eval\)") as refused:
        read_weights(tmp_path / "w.ckpt", NAME)
    assert not (tmp_path / "ran").exists()
    resave = (
        f"torch.load({str(tmp_path / 'w.ckpt')!r}, map_location='cpu', weights_only=False); torch.save(model['state_"
    )
    assert resave in str(refused.value)


def test_functions_of_settings_packages_are_not_called(tmp_path, monkeypatch):
    torch.save({"state_dict": STATE, "args": Reduced(np.testing.measure, "1 + 1")}, tmp_path / "w.ckpt")
    called = []
    monkeypatch.setattr(np.testing, "measure", called.append)
    content, _ = read_weights(tmp_path / "w.ckpt", NAME)
    assert torch.equal(content["state_dict"]["conv1.weight"], STATE["conv1.weight"])
    assert called == []


def test_settings_of_trainers_are_skipped(tmp_path):
    settings = {
        "namespace": argparse.Namespace(lr=0.1, of=argparse.Namespace(path=tmp_path)),
        "defaultdict": collections.defaultdict(dict, {"a": {"b": 1}}),
        "number": np.float64(0.5),
        "array": np.zeros(3),
    }
    torch.save({"state_dict": STATE, **settings}, tmp_path / "w.ckpt")
    content, _ = read_weights(tmp_path / "w.ckpt", NAME)
    assert content.keys() == {"state_dict", *settings}
    assert torch.equal(content["state_dict"]["conv1.weight"], STATE["conv1.weight"])
    with pytest.raises(pickle.UnpicklingError):  # of nothing else in this process is now taken
        torch.load(tmp_path / "w.ckpt", weights_only=True)


def own_file(path):
    arrays = {name: tensor.numpy() for name, tensor in STATE.items()}
    save_arrays(arrays, path, metadata=sealed({"architecture": "resnet18"}, arrays, "encoder.safetensors"))
    return path


def test_renamed_file_of_this_project_is_read(tmp_path):
    content, header = read_weights(own_file(tmp_path / "mine.safetensors"), NAME)
    assert torch.equal(content["conv1.weight"], STATE["conv1.weight"])
    assert header.keys() == {"architecture", "fingerprint"}


def test_any_flipped_bit_is_detected(tmp_path):
    path = own_file(tmp_path / "mine.safetensors")
    for position in range(path.stat().st_size):
        flip(path, position, bit=position % 8)
        with pytest.raises(UserError, match=f"^{NAME}: {path} .*; choose an intact file$"):
            read_weights(path, NAME)
        flip(path, position, bit=position % 8)
    assert read_weights(path, NAME)


def test_file_without_digest_is_refused(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", metadata={"fingerprint": "f"})
    with pytest.raises(UserError, match=r"has no digest in its header: .* by an earlier version .*; choose"):
        read_weights(tmp_path / "w.safetensors", NAME)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{NAME}: .*none.pth does not exist"):
        read_weights(tmp_path / "none.pth", NAME)


def test_unreadable_file_is_not_called_truncated(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    torch.save(STATE, tmp_path / "w.pth")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"w\.pth cannot be read: Permission denied; choose an intact file"):
        read_weights(tmp_path / "w.pth", NAME)


def test_single_tensor_is_refused(tmp_path):
    torch.save(torch.zeros(2), tmp_path / "w.pth")
    with pytest.raises(UserError, match="contains a Tensor, a state dict is expected"):
        read_weights(tmp_path / "w.pth", NAME)
