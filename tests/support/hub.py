"""A Hugging Face hub on this machine, with the weights that a test gives it."""

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
    """A state dict of NAME with its classifier, of values that no initialization gives."""
    torch.manual_seed(seed)
    model = timm.create_model(NAME.partition(".")[0], num_classes=1000)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.1 * torch.rand(tensor.shape))
    return model.state_dict()


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Its address and, as they come, what it was asked for; `files` by the path after the address."""
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
            """Nothing on the screen."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


def use_hub(patch: pytest.MonkeyPatch, address: str, cache: Path) -> None:
    """The hub's library asks at `address` and keeps what it gets in `cache`; its environment is read at import."""
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    patch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    patch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def served(name: str = NAME, weights: dict[str, torch.Tensor] | None = None) -> dict[str, bytes]:
    """The weights where the hub has them."""
    return {f"/timm/{name}/resolve/main/model.safetensors": save(weights or trained_weights())}
