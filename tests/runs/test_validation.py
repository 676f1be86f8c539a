"""Validation of parameters: unused ones are warned about, former names get a suggestion."""

import logging

import pytest
from kedro.config import OmegaConfigLoader

from byol_kedro.errors import UserError
from byol_kedro.runs.command_line import nested
from byol_kedro.runs.validation import validated_parameters, warn_of_unused_parameters
from byol_kedro.settings import CONFIG_LOADER_ARGS
from tests.support.kedro_runs import ROOT


def warned(caplog: pytest.LogCaptureFixture, typed: dict[str, object], *inputs: str) -> list[str]:
    """Return the warnings about `typed` parameters of a run that reads `inputs`."""
    with caplog.at_level(logging.INFO):
        warn_of_unused_parameters(typed, {f"params:{name}" for name in inputs})
    return caplog.messages


def test_unused_parameters_of_a_block_are_named(caplog) -> None:
    typed = {"ingest": {"image_size": 96, "test_fraction": 0.1}, "pretrain": {"epochs": 3}}
    line = "no effect of ingest.image_size, ingest.test_fraction: this run does not read it"
    assert warned(caplog, typed, "pretrain", "seed") == [line]


def test_global_parameters_are_not_warned_about(caplog) -> None:
    assert warned(caplog, {"data_root": "x", "seed": 3, "raw_root": "y"}, "pretrain") == []


def test_only_the_unused_parameters_of_a_block_are_named(caplog) -> None:
    typed = {"pair_model": {"unlabeled": True, "epochs": 3}}
    line = "no effect of pair_model.epochs: this run does not read it"
    assert warned(caplog, typed, "pair_model.unlabeled") == [line]


def refused(name: str, value: object) -> str:
    """Return the error for a parameter on the command line."""
    loader = OmegaConfigLoader(
        str(ROOT / "conf"), env="test", runtime_params=nested([(name, value)]), **CONFIG_LOADER_ARGS
    )
    with pytest.raises(UserError) as caught:
        validated_parameters(loader)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "pretrain.fine_tune_from",
            None,
            "pretrain.fine_tune_from: there is no such parameter; did you mean pretrain.init_from?",
        ),
        ("pretrain.accumulate", 2, "did you mean pretrain.accumulation_steps?"),
        ("pretrain.views.first.crop_area", [0.1, 1], "did you mean pretrain.views.first.scale?"),
        ("pretrain.views.first.crop_aspect", [1, 1], "did you mean pretrain.views.first.ratio?"),
        ("pretrain.views.first.flip", 0, "did you mean pretrain.views.first.hflip_prob?"),
        ("pretrain.views.first.jitter", 0, "did you mean pretrain.views.first.color_jitter_prob?"),
        ("pretrain.views.second.grey", 0, "mean pretrain.views.second.grayscale_prob?"),  # codespell:ignore grey
        ("pretrain.views.second.gray", 0, "did you mean pretrain.views.second.grayscale_prob?"),
        ("pretrain.views.second.blur", 0, "did you mean pretrain.views.second.blur_prob?"),
        ("pretrain.views.second.solarize", 0, "did you mean pretrain.views.second.solarize_prob?"),
        ("pretrain.normalise", True, "did you mean pretrain.normalize?"),  # codespell:ignore normalise
        ("probes.published", {}, "did you mean probes.linear_adam?"),
        ("probes.knn200.neighbours", 3, "did you mean probes.knn_weighted?"),  # codespell:ignore neighbours
        ("pretrain.optimizer.warmup_epochs", 2, "did you mean pretrain.optimizer.warmup?"),
        ("pretrain.online_knn.every_epochs", 2, "did you mean pretrain.online_knn.evaluations?"),
        ("latent.epochs", 3, "latent: there is no such parameter; did you mean pair_model?"),
        ("predict.probe", "published", "did you mean linear_adam?"),
        ("pretrain.optimizer.name", "adam", "did you mean adamw?"),
    ],
)
def test_the_new_name_is_suggested_for_a_former_name(name: str, value: object, expected: str) -> None:
    assert expected in refused(name, value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("epochs", "did you mean pretrain.epochs?"),
        ("warmup", "did you mean pretrain.optimizer.warmup?"),
        ("warmup_epochs", "did you mean pretrain.optimizer.warmup?"),
        ("pretrain.warmup", "did you mean pretrain.optimizer.warmup?"),
        (
            "probes.epochs",
            "did you mean probes.linear_adam.epochs or probes.linear_sgd.epochs or probes.mlp.epochs?",
        ),
        ("seeds", "did you mean seed or probes.linear_adam.seeds?"),
    ],
)
def test_a_parameter_of_another_block_is_suggested_with_its_block(name: str, expected: str) -> None:
    assert expected in refused(name, 3)
