"""Images of the report: the most confident mistakes, and the nearest neighbors of test images."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from byol_kedro.pipelines.report import examples
from tests.support import report_inputs as given

# Image i is one flat color, i.
COLORS = (np.arange(20)[:, None, None, None] * 10 * np.ones((20, 3, 8, 8))).astype(np.uint8)
IMAGES = replace(given.images(), pixels=COLORS)


def color(encoded):
    return round(float(np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded)))).mean()) / 10)


def predicted(*rows):
    """A table of predictions of 20 test images, all correct but those of `rows`: (index, guess, confidence)."""
    table = given.predictions("BYOL", ["logistic"]).assign(confidence=np.float32(0.5))
    table["guess"] = table["truth"]
    for index, guess, confidence in rows:
        table.loc[index, ["guess", "confidence"]] = guess, confidence
    return table


def test_the_most_confident_mistakes_come_first():
    found = examples.mistakes(predicted((0, 1, 0.6), (7, 3, 0.9), (12, 0, 0.7)), IMAGES)
    assert [(m.name, color(m.jpeg), m.truth, m.guess, m.confidence) for m in found["mistakes"]] == [
        ("test/00007", 7, given.CLASSES[1], given.CLASSES[3], "90 %"),
        ("test/00012", 12, given.CLASSES[2], given.CLASSES[0], "70 %"),
        ("test/00000", 0, given.CLASSES[0], given.CLASSES[1], "60 %"),
    ]
    assert (found["wrong"], found["tested"]) == (3, 20)


@pytest.mark.parametrize(("probability", "text"), [(0.6, "60 %"), (0.9949, "99 %"), (0.996, "> 99 %"), (1.0, "> 99 %")])
def test_confidence_is_never_a_certainty(probability, text):
    assert examples.confidence_text(probability) == text


@pytest.mark.parametrize("column", ["features", "protocol"])
def test_mistakes_of_other_features_or_classifiers_are_not_shown(column):
    assert not examples.mistakes(predicted((0, 1, 0.6)).assign(**{column: "other"}), IMAGES)["mistakes"]


def test_at_most_eighteen_mistakes_are_shown():
    wrong = [(index, (index // 5 + 1) % 4, 0.6) for index in range(20)]
    found = examples.mistakes(predicted(*wrong), IMAGES)
    assert (len(found["mistakes"]), found["wrong"]) == (18, 20)


def test_neighbors_are_the_training_images_with_the_most_similar_features():
    angles = np.linspace(0, np.pi, 20)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    train = replace(IMAGES, names=[f"train/{number}" for number in range(20)])
    # Test image i is between the training images i and i + 1, nearer to i.
    test = np.stack([np.cos(angles + 0.02), np.sin(angles + 0.02)], axis=1)
    rows = examples.neighbors(given.latents(train, circle), given.latents(IMAGES, test), train, IMAGES)
    first = rows[0]
    assert [image.name for image in first[:3]] == ["test/00000", "train/0", "train/1"]
    assert [color(image.jpeg) for image in first[:3]] == [0, 0, 1]
    assert first[1].similarity == "1.00"
    assert first[0].similarity == ""
    for query, *found in rows:
        number = int(query.name[-2:])
        distances = [abs(int(image.name.split("/")[1]) - number - 0.1) for image in found]
        assert distances == sorted(distances)


def test_neighbors_of_another_class_are_marked():
    features = np.eye(20)
    features[5] = features[0]  # of the second class, equal to the first image of the first class
    latents = given.latents(IMAGES, features)
    query, *found = examples.neighbors(latents, latents, IMAGES, IMAGES)[0]
    assert not query.differs
    assert {image.name: image.differs for image in found[:2]} == {"test/00000": False, "test/00005": True}


def test_images_without_labels_are_named_and_never_marked():
    images = replace(IMAGES, labels=np.full(20, -1))
    rows = examples.neighbors(given.latents(images), given.latents(images), images, images)
    assert len(rows) == 8
    assert all(image.label == image.name and not image.differs for row in rows for image in row)


def test_without_images_there_are_no_neighbors():
    nothing = replace(IMAGES, pixels=COLORS[:0], labels=IMAGES.labels[:0], names=[])
    some = given.latents(IMAGES)
    assert examples.neighbors(some, given.latents(nothing), IMAGES, nothing) == []
    assert examples.neighbors(given.latents(nothing), some, nothing, IMAGES) == []


@pytest.mark.parametrize(
    ("labels", "count", "expected"),
    [
        ([0, 0, 1, 1, 2, 2], 3, [0, 2, 4]),
        ([0] * 10 + [1] * 10, 4, [0, 9, 10, 19]),
        ([-1] * 9, 3, [0, 4, 8]),
        ([-1, 1, -1, 0], 2, [1, 3]),
        (list(range(20)), 2, [0, 19]),
        ([0, 1], 8, [0, 1]),
    ],
    ids=["one of each class", "two of each class", "without labels", "some labels", "many classes", "few images"],
)
def test_test_images_are_spread_over_the_classes(labels, count, expected):
    assert examples.spread_over_classes(np.array(labels), count) == expected


def test_large_images_are_reduced():
    image = Image.open(io.BytesIO(base64.b64decode(examples.jpeg(np.zeros((3, 300, 200), np.uint8)))))
    assert image.size == (85, 128)
