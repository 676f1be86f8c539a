"""ONNX and TorchScript files from uint8 images to features; the normalization is part of the graph."""

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

HEADER = "header.json"  # extra file of a TorchScript archive
INPUT = "images: RGB uint8 (N, 3, image_size, image_size); normalization is inside"
OUTPUT = "features: float32 (N, feature_dim)"


def write_onnx(encoder: FrozenEncoder, path: Path) -> None:
    """Write an ONNX graph from `images` to `features`, with a dynamic batch size; the header is in its metadata.

    Raises:
        UserError: the package onnx or onnxruntime is not installed.
    """
    onnx = import_optional("onnx")
    import_optional("onnxruntime")
    with _ignore_warnings():
        # The default exporter would need the package onnxscript.
        torch.onnx.export(
            *_network_and_example(encoder),
            path,
            dynamo=False,
            input_names=["images"],
            output_names=["features"],
            dynamic_axes={"images": {0: "N"}, "features": {0: "N"}},
        )
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, _metadata(encoder))
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def onnx_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features computed by onnxruntime from the file."""
    del header
    session = import_optional("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["features"], {"images": pixels})[0], np.float32)


def write_torchscript(encoder: FrozenEncoder, path: Path) -> None:
    """Write a traced TorchScript module with a dynamic batch size; the header is its extra file `header.json`."""
    file = BytesIO()
    with _ignore_warnings():
        # `export.write` compares more images than the tracer's own check.
        traced = torch.jit.trace(*_network_and_example(encoder), check_trace=False)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.jit.save(traced, file, _extra_files={HEADER: json.dumps(_metadata(encoder))})
    path.write_bytes(file.getvalue())  # torch.jit.save would hide the reason of an OSError in a RuntimeError


def torchscript_features(path: Path, header: EncoderHeader, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features computed by torch.jit from the file."""
    del header
    with _ignore_warnings():
        return compute_features(torch.jit.load(path), pixels)  # type: ignore[no-untyped-call]  # torch leaves it untyped


def import_optional(package: str) -> Any:
    """Import an optional package.

    Raises:
        UserError: it is not installed.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise UserError(
            f"export: --format onnx needs the package {package} ({error}); install the extra onnx: "
            "pip install onnx onnxruntime"
        ) from error


def _network_and_example(encoder: FrozenEncoder) -> tuple[nn.Module, tuple[Tensor]]:
    size = encoder.header.image_size
    # With a batch of one, some networks would be traced with a constant batch size.
    return PixelEncoder(encoder.model, encoder.header), (torch.zeros(2, 3, size, size, dtype=torch.uint8),)


def _metadata(encoder: FrozenEncoder) -> dict[str, str]:
    return encoder.metadata() | {"input": INPUT, "output": OUTPUT}


@contextmanager
def _ignore_warnings() -> Iterator[None]:
    """Ignore that both exporters are deprecated, and the tracer's warnings: the features are verified afterwards."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class PixelEncoder(nn.Module):
    """An encoder with its normalization, in evaluation mode: (N, 3, S, S) uint8 RGB → (N, D) float32.

    Args:
        encoder: the network, from normalized images to features.
        header: has the mean and the standard deviation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: nn.Module, header: EncoderHeader) -> None:
        """Store the encoder and its normalization."""
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(header.mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(header.std).view(3, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Normalize and encode images (N, 3, S, S) uint8."""
        features: Tensor = self.encoder((images.float() / 255 - self.mean) / self.std)
        return features


def compute_features(network: nn.Module, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (N, D) of pixels (N, 3, S, S) uint8 by a network with uint8 inputs."""
    with torch.inference_mode():
        features: NDArray[np.float32] = network(torch.from_numpy(pixels)).numpy()
    return features
