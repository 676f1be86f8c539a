"""A local Hugging Face hub with given files."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save

NAME = "test_resnet.r160_in1k"
COMMIT = "0" * 40


def trained_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict of NAME with classifier; its values differ from every initialization."""
    torch.manual_seed(seed)
    model = timm.create_model(NAME.partition(".")[0], num_classes=1000)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape))
    return model.state_dict()


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Address of the hub and a list of its requests; `files` by path."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            asked.append(f"{self.command} {self.path}")
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", '"0123456789abcdef"')
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if body and content:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def use_hub(patch: pytest.MonkeyPatch, address: str, cache: Path) -> None:
    """Let huggingface_hub use `address` and `cache`; it reads its environment variables only at import."""
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    patch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    patch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def served(name: str = NAME, weights: dict[str, torch.Tensor] | None = None) -> dict[str, bytes]:
    """The files of a hub with these weights."""
    return {f"/timm/{name}/resolve/main/model.safetensors": save(weights or trained_weights())}
