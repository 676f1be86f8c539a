"""What could break: a GPU asked for where there is none, a precision that the device does not have."""

import pytest
import torch

from byol_kedro.byol.device import autocast_dtype, resolve_device
from byol_kedro.errors import UserError

CPU = torch.device("cpu")


def without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps"])
def test_a_gpu_that_is_not_there_is_one_line(monkeypatch, name):
    without_gpu(monkeypatch)
    with pytest.raises(UserError, match=f"{name} is not available.*device=cpu") as error:
        resolve_device(name)
    assert "\n" not in str(error.value)


def test_a_gpu_number_beyond_those_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert resolve_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(UserError, match="finds 1 CUDA device"):
        resolve_device("cuda:1")


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch):
    without_gpu(monkeypatch)
    assert resolve_device("auto") == CPU


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), None), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)])
def test_auto_is_bfloat16_on_a_gpu_that_computes_in_it_and_never_float16(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert autocast_dtype(torch.device("cuda"), "auto") is dtype


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("auto", None), ("float32", None), ("bfloat16", torch.bfloat16), ("float16", torch.float16)],
)
def test_the_cpu_computes_in_float32_unless_told_otherwise(precision, dtype):
    assert autocast_dtype(CPU, precision) is dtype
