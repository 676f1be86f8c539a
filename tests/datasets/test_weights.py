"""What could break: code that runs when weights are read; a file that is not there passed over."""

import pytest
import torch
from safetensors.torch import save_file

from byol_kedro.datasets.weights import read_weights
from byol_kedro.errors import UserError

NAME = "pretrain.fine_tune_from"
STATE = {"conv1.weight": torch.arange(6.0).reshape(2, 3)}
RAN = []


class Trap:
    """What is unpickled runs code."""

    def __reduce__(self):
        return RAN.append, ("it ran",)


def test_a_file_of_torch_save_comes_back(tmp_path):
    torch.save(STATE, tmp_path / "w.pth")
    content, header = read_weights(tmp_path / "w.pth", NAME)
    assert torch.equal(content["conv1.weight"], STATE["conv1.weight"])
    assert header == {}


def test_safetensors_come_back_with_their_header(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", metadata={"architecture": "resnet18"})
    content, header = read_weights(tmp_path / "w.safetensors", NAME)
    assert torch.equal(content["conv1.weight"], STATE["conv1.weight"])
    assert header == {"architecture": "resnet18"}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("content", [Trap(), {"a": Trap()}, torch.nn.Linear(1, 1)], ids=["trap", "dict", "module"])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, content, zipped):
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"code.*torch.save\(model.state_dict\(\), path\)") as refused:
        read_weights(tmp_path / "w.pth", NAME)
    assert RAN == []
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("bytes_left", [0, 100])
def test_a_cut_file_is_an_error_of_one_line(tmp_path, name, bytes_left):
    path = tmp_path / name
    if name == "w.pth":
        torch.save(STATE, path)
    else:
        save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:bytes_left])
    with pytest.raises(UserError, match=f"{NAME}: .*is.* cut"):
        read_weights(path, NAME)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match=f"{NAME}: there is no file .*none.pth"):
        read_weights(tmp_path / "none.pth", NAME)


def test_a_lone_tensor_is_no_state_dict(tmp_path):
    torch.save(torch.zeros(2), tmp_path / "w.pth")
    with pytest.raises(UserError, match="holds a Tensor; a state dict is expected"):
        read_weights(tmp_path / "w.pth", NAME)
