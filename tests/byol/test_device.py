"""Choice of the device."""

import pytest
import torch

from byol_kedro.byol.device import resolve_device, resolve_devices
from byol_kedro.errors import UserError
from tests.support.trainings import recipe

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


@pytest.mark.parametrize(
    ("devices", "device", "gpus", "batch", "expected"),
    [
        ("auto", "cpu", 0, 8, 1), (4, "cpu", 0, 8, 4), ("auto", "mps", 0, 8, 1), ("auto", "cuda", 4, 8, 4),
        ("auto", "cuda", 3, 8, 2), ("auto", "cuda:1", 4, 8, 1), (2, "cuda", 4, 8, 2), (1, "cuda:1", 4, 8, 1),
    ],
)  # fmt: skip
def test_auto_is_all_gpus_that_divide_the_batch(monkeypatch, devices, device, gpus, batch, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert resolve_devices(str(devices), torch.device(device), recipe(batch_size=batch)) == expected


@pytest.mark.parametrize(
    ("devices", "device", "changes", "message"),
    [
        (3, "cuda", {"batch_size": 9}, "devices: 3 are not available, PyTorch finds 2 GPUs"),
        (2, "cuda:0", {}, "devices: found 2 together with device=cuda:0"),
        (2, "mps", {}, "devices: found 2 together with device=mps"),
        (3, "cpu", {}, "8 images cannot be divided evenly among 3 devices; .* pretrain.batch_size=6 or 9$"),
        (16, "cpu", {}, "among 16 devices; .* pretrain.batch_size=16$"),
        (2, "cpu", {"compile": True}, "pretrain.compile: true is for one device"),
    ],
)
def test_impossible_numbers_of_devices_are_user_errors(monkeypatch, devices, device, changes, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UserError, match=message):
        resolve_devices(str(devices), torch.device(device), recipe(**changes))
