"""Snapshots of a training, from which another process resumes it exactly."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from byol_kedro.byol.encoder import to_arrays
from byol_kedro.byol.monitor import Monitor, Row
from byol_kedro.byol.state import TrainState

Arrays = Mapping[str, npt.NDArray[Any]]


def take_snapshot(state: TrainState, monitor: Monitor) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Copy everything that the rest of the training depends on to the CPU. Waits for the device.

    Returns:
        Arrays by name: `network.*`, `optimizer.<index of the parameter>.<name>`, `generator` (its state, uint8) and
        `monitor` (the sums since the last row); and a header of JSON values: `step`, `skipped`, `devices`, `lineage`,
        `scaler` (its state), `history` (the rows), `monitor_steps` and `monitor_seconds`.
    """
    arrays = {f"network.{name}": array for name, array in to_arrays(state.network).items()}
    for index, values in state.optimizer.state_dict()["state"].items():
        for name, value in values.items():
            if value is not None:
                arrays[f"optimizer.{index}.{name}"] = np.array(value.cpu().numpy(), order="C")
    arrays["generator"] = state.generator.get_state().numpy()
    total, steps, seconds = monitor.pending()
    arrays["monitor"] = np.array(total.cpu().numpy())
    history = [dataclasses.asdict(row) for row in monitor.rows]
    header = {
        "step": state.step,
        "skipped": state.skipped,
        "devices": state.devices,
        "lineage": state.lineage,
        "scaler": state.scaler.state_dict(),
        "history": history,
        "monitor_steps": steps,
        "monitor_seconds": seconds,
    }
    return arrays, {name: json.dumps(value) for name, value in header.items()}


def restore_snapshot(arrays: Arrays, header: Mapping[str, str], state: TrainState, monitor: Monitor) -> None:
    """Restore the result of `take_snapshot` into a `state` and a `monitor` of the same parameters."""
    network = _with_prefix("network.", arrays)
    state.network.load_state_dict({name: torch.from_numpy(array) for name, array in network.items()})
    _restore_optimizer(_with_prefix("optimizer.", arrays), state)
    state.generator.set_state(torch.from_numpy(np.array(arrays["generator"])))
    state.step, state.skipped = json.loads(header["step"]), json.loads(header["skipped"])
    state.devices = tuple(json.loads(header["devices"]))
    state.lineage = tuple(json.loads(header["lineage"]))
    state.scaler.load_state_dict(json.loads(header["scaler"]))
    monitor.rows[:] = [Row(**row) for row in json.loads(header["history"])]
    total = torch.from_numpy(np.array(arrays["monitor"]))
    monitor.restore(total, json.loads(header["monitor_steps"]), json.loads(header["monitor_seconds"]))


def _with_prefix(prefix: str, arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """The arrays with names that begin with `prefix`, by the rest of the name."""
    return {name.removeprefix(prefix): np.array(arrays[name]) for name in arrays if name.startswith(prefix)}


def _restore_optimizer(arrays: Arrays, state: TrainState) -> None:
    groups = state.optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    restored: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        index, key = name.split(".", 1)
        restored.setdefault(int(index), {})[key] = _with_strides_of(parameters[int(index)], torch.from_numpy(array))
    state.optimizer.load_state_dict({"state": restored, "param_groups": groups})


def _with_strides_of(parameter: nn.Parameter, value: Tensor) -> Tensor:
    """`value` with the strides of its parameter, as in the optimizer, so that the same kernels run on it."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, device="cpu").copy_(value)
