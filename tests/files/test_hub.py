"""Weights from the Hugging Face Hub, with and without a network."""

import logging
import time

import pytest
from safetensors.torch import load_file

from byol_kedro.files.hub import WeightsUnavailableError, hub_weights
from tests.support.hub import NAME, hub, served, trained_weights, use_hub

REPOSITORY = f"timm/{NAME}"
NOBODY = "http://127.0.0.1:9"  # the discard port: a connection is refused at once


def test_weights_are_downloaded_and_cached(tmp_path, monkeypatch):
    with hub(served()) as (address, asked):
        use_hub(monkeypatch, address, tmp_path)
        first = hub_weights(REPOSITORY)
        before = len(asked)
        assert hub_weights(REPOSITORY) == first
        assert len(asked) == before > 0
    expected = trained_weights()
    assert all(tensor.equal(expected[name]) for name, tensor in load_file(first).items())


def test_cached_weights_need_no_network(tmp_path, monkeypatch):
    with hub(served()) as (address, _):
        use_hub(monkeypatch, address, tmp_path)
        first = hub_weights(REPOSITORY)
    use_hub(monkeypatch, NOBODY, tmp_path)
    assert hub_weights(REPOSITORY) == first


def test_missing_network_is_one_line(tmp_path, monkeypatch, caplog):
    use_hub(monkeypatch, NOBODY, tmp_path)
    start = time.monotonic()
    with caplog.at_level(logging.INFO), pytest.raises(WeightsUnavailableError, match=r"^\w+: .+$") as caught:
        hub_weights(REPOSITORY)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 5
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_missing_repository_is_unavailable(tmp_path, monkeypatch):
    with hub({}) as (address, _):
        use_hub(monkeypatch, address, tmp_path)
        with pytest.raises(WeightsUnavailableError, match="404"):
            hub_weights(REPOSITORY)


def test_only_safetensors_are_downloaded(tmp_path, monkeypatch):
    with hub({f"/{REPOSITORY}/resolve/main/pytorch_model.bin": b"code"}) as (address, asked):
        use_hub(monkeypatch, address, tmp_path)
        with pytest.raises(WeightsUnavailableError):
            hub_weights(REPOSITORY)
    assert all(line.endswith("model.safetensors") for line in asked)
