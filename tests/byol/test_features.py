"""Features of a frozen encoder."""

import dataclasses

import numpy as np
import pytest
import torch

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.encoder import restore_encoder, to_arrays, untrained_encoder
from byol_kedro.byol.features import encode, encode_images, encode_view, project
from byol_kedro.byol.finite import NotFiniteError
from byol_kedro.parameters import View
from tests.support.encoders import HEADER, moved
from tests.support.trainings import CPU, VIEW, images


def encoder():
    return restore_encoder(HEADER, to_arrays(moved(untrained_encoder(HEADER))))


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 11, 256])
def test_rows_are_in_order_for_any_batch_size(batch_size):
    pixels, model = images(11), encoder()
    one_by_one = np.concatenate([encode(model, pixels[i : i + 1], HEADER, CPU) for i in range(11)])
    features = encode(model, pixels, HEADER, CPU, batch_size)
    assert (features.shape, features.dtype) == ((11, HEADER.feature_dim), np.float32)
    np.testing.assert_allclose(features, one_by_one, rtol=1e-4, atol=1e-5)


def test_features_are_the_output_for_normalized_pixels():
    pixels, model = images(5), encoder()
    x = (pixels / 255.0 - np.reshape(HEADER.mean, (3, 1, 1))) / np.reshape(HEADER.std, (3, 1, 1))
    with torch.no_grad():
        expected = model(torch.from_numpy(x.astype(np.float32)))
    np.testing.assert_allclose(encode(model, pixels, HEADER, CPU), expected, rtol=1e-4, atol=1e-5)


def test_another_mean_gives_other_features():
    pixels, model = images(5), encoder()
    other = dataclasses.replace(HEADER, mean=(0.4, 0.4, 0.4))
    assert not np.allclose(encode(model, pixels, HEADER, CPU), encode(model, pixels, other, CPU))


def test_a_network_in_training_mode_is_evaluated_and_left_in_it():
    model = encoder().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    features = encode(model, images(5), HEADER, CPU)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert np.array_equal(features, encode(model.eval(), images(5), HEADER, CPU))


def test_no_images_give_an_empty_array():
    assert encode(encoder(), images(0), HEADER, CPU).shape == (0, HEADER.feature_dim)


def test_a_read_only_map_is_encoded_without_warning(tmp_path, recwarn):
    np.save(tmp_path / "pixels.npy", images(5))
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    model = encoder()
    recwarn.clear()
    assert np.array_equal(encode(model, mapped, HEADER, CPU), encode(model, images(5), HEADER, CPU))
    assert len(recwarn) == 0


def expected_of_view(model, pixels, seed):
    """Features of views that are augmented at once, and not in batches."""
    mean, std = torch.tensor(HEADER.mean), torch.tensor(HEADER.std)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return model(augment(torch.from_numpy(pixels), View(**VIEW), generator, mean=mean, std=std)).numpy()


def test_features_of_a_view_are_the_output_for_its_normalized_pixels():
    pixels, model = images(5), encoder()
    found = encode_view(model, pixels, View(**VIEW), HEADER, 3, CPU)
    np.testing.assert_allclose(found, expected_of_view(model, pixels, 3), rtol=1e-4, atol=1e-5)
    assert not np.allclose(found, expected_of_view(model, pixels, 4))


def test_views_of_batches_continue_the_random_numbers(monkeypatch):
    monkeypatch.setattr("byol_kedro.byol.features.BATCH", 2)
    pixels, model = np.repeat(images(1), 4, axis=0), encoder()
    found = encode_view(model, pixels, View(**VIEW), HEADER, 3, CPU)
    np.testing.assert_allclose(found[:2], expected_of_view(model, pixels[:2], 3), rtol=1e-4, atol=1e-5)
    assert len(np.unique(found, axis=0)) == 4


@pytest.mark.parametrize(
    "encoded",
    [
        lambda model, **texts: encode(model, images(3), HEADER, CPU, **texts),
        lambda model, **texts: encode_view(model, images(3), View(**VIEW), HEADER, 0, CPU, **texts),
        lambda model, **texts: encode_images(model, images(3), HEADER, CPU, **texts),
    ],
    ids=["plain", "view", "images"],
)
def test_features_that_are_not_finite_are_named_with_the_given_advice(encoded):
    model = encoder()
    with torch.no_grad():
        model.conv1[0].weight.fill_(torch.nan)
    with pytest.raises(NotFiniteError, match=r"^latents: 3 of 3 rows .*; wash them$"):
        encoded(model, name="latents", advice="wash them")
    with pytest.raises(NotFiniteError, match=r"^features of the encoder: .*; its training has diverged"):
        encoded(model)


def test_project_does_not_change_the_projector():
    projector = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6)).train()
    before = {name: tensor.clone() for name, tensor in projector.state_dict().items()}
    project(projector, np.ones((10, 4), np.float32))
    assert projector[1].training
    assert all(torch.equal(tensor, before[name]) for name, tensor in projector.state_dict().items())


def test_each_projection_depends_on_its_own_features_only():
    projector = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6)).train()
    features = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    alone = np.concatenate([project(projector, row) for row in np.split(features, 10)])
    np.testing.assert_allclose(project(projector, features), alone, atol=1e-6)
