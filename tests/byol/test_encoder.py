"""The header and the weights of saved encoders."""

import dataclasses

import numpy as np
import pytest
import timm
import torch
import torchvision

from byol_kedro.byol.encoder import RULES, EncoderHeader, restore_encoder, to_arrays, untrained_encoder
from byol_kedro.byol.networks import create_encoder
from byol_kedro.errors import UserError
from tests.support.encoders import HEADER, moved


def test_a_header_comes_back_from_its_strings_exactly():
    strings = HEADER.to_dict() | {"version": "2026-01-01", "fingerprint": "f"}
    assert all(isinstance(value, str) for value in strings.values())
    assert EncoderHeader.from_dict(strings) == HEADER


def test_the_header_is_plain_text_and_json():
    strings = HEADER.to_dict()
    assert (strings["stem"], strings["zero_init_residual"], strings["epochs"]) == ("imagenet", "true", "3")
    assert strings["std"] == "[0.2, 0.3, 0.4]"


def test_steps_and_a_fraction_of_epochs_come_back():
    header = dataclasses.replace(HEADER, epochs=37 / 12, steps=37)
    assert EncoderHeader.from_dict(header.to_dict()) == header


def test_a_header_without_steps_is_read():
    assert "steps" not in HEADER.to_dict()
    assert EncoderHeader.from_dict(HEADER.to_dict()).steps is None


def test_a_file_without_the_header_is_no_encoder():
    strings = HEADER.to_dict()
    del strings["mean"], strings["seed"]
    with pytest.raises(UserError, match=r"lacks mean \(2 entries are missing\)"):
        EncoderHeader.from_dict(strings)


WRONG = {
    "stem": ["", "Imagenet", "tiny"],
    "zero_init_residual": ["1", "null", "True", '"true"'],
    "image_size": ["null", "0", "-1", "16.0", "true", "1e9", "100000", "", "[16]", "[" * 10_000],
    "feature_dim": ["null", "0", "96.5"],
    "mean": ["null", "[]", "[0.1, 0.2]", "[0.1, 0.2, NaN]", "[0.1, 0.2, Infinity]", '[0.1, 0.2, "0.3"]', "0.5"],
    "std": ["[0, 0.2, 0.3]", "[0.1, 0.2, -0.3]", "[NaN, 0.2, 0.3]", "[true, 0.2, 0.3]", "{}", "[0.1, 0.2, 0.3"],
    "epochs": ["null", "0", "-1.5", "NaN", "true"],
    "steps": ["null", "0", "3.5"],
    "batch_size": ["-64", "many"],
    "seed": ["-1", "4294967296", "null"],
    "resample": ["", "Bilinear", "3"],
    "crop": ["null", "0", "1.1", "NaN", "true"],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_invalid_header_values_are_user_errors(name, text):
    with pytest.raises(UserError, match=rf"the encoder's header has '.*' as {name}, expected ") as error:
        EncoderHeader.from_dict(HEADER.to_dict() | {name: text})
    assert str(error.value).isprintable()


def test_every_field_but_free_text_has_a_rule():
    free = {field.name for field in dataclasses.fields(EncoderHeader)} - RULES.keys()
    assert free == {"architecture", "data", "data_fingerprint", "recipe", "imported_from", "imported_sha256"}


def test_a_header_without_a_newer_field_is_read():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Later(EncoderHeader):
        added: int = 7

    assert Later.from_dict(HEADER.to_dict()) == Later(**vars(HEADER))


def test_a_header_with_a_wrong_feature_dim_is_refused():
    other = dataclasses.replace(HEADER, feature_dim=97)
    with pytest.raises(UserError, match="header has 97 as feature_dim, test_resnet has 96"):
        restore_encoder(other, to_arrays(untrained_encoder(HEADER)))


def test_a_restored_encoder_equals_the_trained_one():
    model = moved(untrained_encoder(HEADER)).to(memory_format=torch.channels_last)
    restored = restore_encoder(HEADER, to_arrays(model))
    x = torch.rand(3, 3, 16, 16)
    assert not restored.training
    with torch.no_grad():
        torch.testing.assert_close(restored(x), model(x))


def test_arrays_are_row_major_copies():
    model = untrained_encoder(HEADER).to(memory_format=torch.channels_last)
    arrays = to_arrays(model)
    assert all(array.flags.c_contiguous for array in arrays.values())
    before = arrays["conv1.0.weight"].copy()
    moved(model)
    assert np.array_equal(arrays["conv1.0.weight"], before)


@pytest.mark.parametrize("make", [lambda: timm.create_model("resnet18"), torchvision.models.resnet18])
def test_timm_and_torchvision_load_all_but_the_classifier(make):
    encoder = moved(create_encoder("resnet18", "imagenet", True, 0))
    theirs = make()
    tensors = {name: torch.from_numpy(array) for name, array in to_arrays(encoder).items()}
    outcome = theirs.load_state_dict(tensors, strict=False)
    assert set(outcome.missing_keys) == {"fc.weight", "fc.bias"}
    assert outcome.unexpected_keys == []


def without(arrays):
    return {name: array for name, array in arrays.items() if name != "bn1.bias"}


def with_foreign(arrays):
    return arrays | {"fc.weight": np.zeros(3, np.float32)}


def reshaped(arrays):
    return arrays | {"bn1.bias": np.zeros(7, np.float32)}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without, "bn1.bias is missing"),
        (with_foreign, "fc.weight is unknown"),
        (reshaped, r"bn1.bias has shape \(7,\).* expects \(32,\)"),
    ],
)
def test_weights_of_another_network_are_user_errors(change, match):
    arrays = change(to_arrays(untrained_encoder(HEADER)))
    with pytest.raises(UserError, match=match) as error:
        restore_encoder(HEADER, arrays)
    assert "\n" not in str(error.value)


def test_weights_that_are_not_finite_are_a_user_error_with_advice():
    arrays = to_arrays(untrained_encoder(HEADER))
    arrays["bn1.bias"][3] = np.nan
    with pytest.raises(UserError, match=r"the encoder's bn1.bias holds NaN .*choose an encoder that the pipeline"):
        restore_encoder(HEADER, arrays)


def test_the_untrained_encoder_has_no_zeroed_residual_branch():
    assert HEADER.zero_init_residual
    arrays = to_arrays(untrained_encoder(HEADER))
    assert all(np.any(array) for name, array in arrays.items() if name.endswith("bn3.weight"))


def test_the_untrained_encoder_depends_on_the_seed():
    once, again = to_arrays(untrained_encoder(HEADER)), to_arrays(untrained_encoder(HEADER))
    other = to_arrays(untrained_encoder(dataclasses.replace(HEADER, seed=5)))
    assert all(np.array_equal(once[name], again[name]) for name in once)
    assert not np.array_equal(once["conv1.0.weight"], other["conv1.0.weight"])
