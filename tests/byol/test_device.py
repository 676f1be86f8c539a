"""Choice of the device."""

import pytest
import torch

from byol_kedro.byol.device import resolve_device
from byol_kedro.errors import UserError

CPU = torch.device("cpu")


def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_missing_gpu_is_a_user_error(monkeypatch, name):
    without_gpu(monkeypatch)
    with pytest.raises(UserError, match=f"{name} is not available.*device=cpu") as error:
        resolve_device(name)
    assert "\n" not in str(error.value)


def test_a_missing_gpu_number_is_a_user_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(UserError, match="finds 1 CUDA device"):
        resolve_device("cuda:1")


def test_auto_is_the_cpu_without_a_gpu(monkeypatch):
    without_gpu(monkeypatch)
    assert resolve_device("auto") == CPU


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps")])
def test_auto_is_cuda_before_mps_before_the_cpu(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(cuda))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert resolve_device("auto") == torch.device(chosen)
