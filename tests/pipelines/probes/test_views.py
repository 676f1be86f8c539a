"""Two views of the same images: the augmentation of the training, the same for both networks, without labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from byol_kedro.byol.augmentation.augment import augment
from byol_kedro.byol.encoder import restore_encoder, to_arrays, untrained_encoder
from byol_kedro.byol.seeds import ALIGNMENT, stream_seed
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.pipelines.probes import views
from byol_kedro.pipelines.probes.views import encode_two_views
from tests.support.encoders import HEADER, moved
from tests.support.pretrain_inputs import split
from tests.support.trainings import CPU, VIEW, recipe

TEST = split("test", 12)
WHOLE = VIEW | {"scale": [1.0, 1.0], "ratio": [1.0, 1.0]} | dict.fromkeys(
    ("hflip_prob", "color_jitter_prob", "grayscale_prob", "blur_prob", "solarize_prob"), 0.0
)  # fmt: skip


def encoder(first=VIEW, second=VIEW):
    training = recipe(views={"first": first, "second": second}).model_dump_json()
    header = HEADER.to_dict() | {"version": "v", "fingerprint": "f", "training": training, "image_passes": "20"}
    return Tensors(to_arrays(moved(untrained_encoder(HEADER))), header)


def test_views_are_augmented_as_in_training():
    trained = encoder(second=VIEW | {"solarize_prob": 1.0})
    found = encode_two_views(trained, TEST, 5, CPU)
    networks = {
        "BYOL": restore_encoder(HEADER, trained.arrays),
        "untrained network": untrained_encoder(HEADER),
    }
    recipe_views = recipe(views={"first": VIEW, "second": VIEW | {"solarize_prob": 1.0}}).views
    for place, view in enumerate((recipe_views.first, recipe_views.second)):
        generator = torch.Generator().manual_seed(stream_seed(5, ALIGNMENT, place))
        mean, std = torch.tensor(HEADER.mean), torch.tensor(HEADER.std)
        images = augment(torch.from_numpy(TEST.pixels), view, generator, mean=mean, std=std)
        for name, network in networks.items():
            with torch.no_grad():
                expected = network(images)
            np.testing.assert_allclose(found[name][place], expected, rtol=1e-4, atol=1e-5)


def test_views_have_the_size_of_the_training(monkeypatch):
    sizes = []
    monkeypatch.setattr(views, "encode_view", lambda *_, size, **__: sizes.append(size))
    trained = encoder()
    training = recipe(views={"size": 12}).model_dump_json()
    encode_two_views(Tensors(trained.arrays, trained.header | {"training": training}), TEST, 0, CPU)
    assert sizes == [12] * 4


def test_views_without_augmentation_are_equal():
    for first, second in encode_two_views(encoder(WHOLE, WHOLE), TEST, 0, CPU).values():
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)


def test_number_of_images_is_limited_and_reproducible(monkeypatch):
    monkeypatch.setattr(views, "MAX_IMAGES", 5)
    one, two, other = (encode_two_views(encoder(), TEST, seed, CPU)["BYOL"][0] for seed in (0, 0, 1))
    assert one.shape == (5, 96)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_labels_are_not_used():
    unknown = replace(TEST, labels=np.full(12, -1))
    one, two = (encode_two_views(encoder(), images, 0, CPU)["BYOL"] for images in (TEST, unknown))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("missing", ["training", "image_passes"])
def test_alignment_is_skipped_without_the_training_header(missing, caplog):
    old = encoder()
    del old.header[missing]
    with caplog.at_level("INFO"):
        assert encode_two_views(old, TEST, 0, CPU) == {}
    assert caplog.messages == [
        "alignment skipped: the header of the encoder does not have the augmentation of its training"
    ]
