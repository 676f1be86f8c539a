"""The whole computation as a file: images as uint8 in, features out, so that nobody can normalize them wrongly."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.errors import UserError
from byol_kedro.inference import FrozenEncoder

HEADER = "header.json"  # the file inside a TorchScript archive
INPUT = "images: RGB uint8 (N, 3, image_size, image_size); normalization is inside"
OUTPUT = "features: float32 (N, feature_dim)"


def write_onnx(encoder: FrozenEncoder, path: Path) -> None:
    """An ONNX graph from `images` to `features`, any number at once; the header is in its metadata.

    Raises UserError when the package onnx is missing.
    """
    onnx = needed("onnx")
    needed("onnxruntime")
    with _no_warnings():
        # Not torch's default exporter, which needs the package onnxscript besides.
        torch.onnx.export(
            *_network_and_example(encoder),
            path,
            dynamo=False,
            input_names=["images"],
            output_names=["features"],
            dynamic_axes={"images": {0: "N"}, "features": {0: "N"}},
        )
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, _about(encoder))
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def onnx_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What onnxruntime makes of the file."""
    del header
    session = needed("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["features"], {"images": pixels})[0], np.float32)


def write_torchscript(encoder: FrozenEncoder, path: Path) -> None:
    """A traced TorchScript module, any number of images at once; the header is its extra file `header.json`."""
    file = BytesIO()
    with _no_warnings():
        # Whoever writes the file checks more than the tracer would.
        traced = torch.jit.trace(*_network_and_example(encoder), check_trace=False)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.jit.save(traced, file, _extra_files={HEADER: json.dumps(_about(encoder))})
    path.write_bytes(file.getvalue())  # torch says of a file that it cannot write no more than RuntimeError


def torchscript_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What torch.jit makes of the file."""
    del header
    with _no_warnings():
        return features_of(torch.jit.load(path), pixels)  # type: ignore[no-untyped-call]  # torch leaves it untyped


def needed(package: str) -> Any:
    """The optional package. UserError where it is missing."""
    try:
        return import_module(package)
    except ImportError as error:
        raise UserError(
            f"export: --format onnx needs the package {package} ({error}); install the extra onnx: "
            "pip install onnx onnxruntime"
        ) from error


def _network_and_example(encoder: FrozenEncoder) -> tuple[nn.Module, tuple[Tensor]]:
    size = encoder.header.image_size
    # Two images: a batch of one is taken for a constant by some networks.
    return FromPixels(encoder.model, encoder.header), (torch.zeros(2, 3, size, size, dtype=torch.uint8),)


def _about(encoder: FrozenEncoder) -> dict[str, str]:
    return encoder.about() | {"input": INPUT, "output": OUTPUT}


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Both ways out of torch are marked as deprecated, and the tracer suspects what the check afterwards settles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class FromPixels(nn.Module):
    """(N, 3, S, S) uint8 RGB → (N, D) float32, in evaluation mode."""

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: nn.Module, header: EncoderHeader) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(header.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(header.std).view(3, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.encoder((images.float() / 255 - self.mean) / self.std)
        return features


def features_of(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network that takes uint8 gives for pixels (N, 3, S, S) uint8."""
    with torch.inference_mode():
        features: NDArray[np.float32] = network(torch.from_numpy(pixels)).numpy()
    return features
