"""Reprs of objects with thousands of names are short."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from byol_kedro.byol.encoder import to_arrays, untrained_encoder
from byol_kedro.datasets.images import Images
from byol_kedro.datasets.new_images import NewImages
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.evaluation.probes.run import ProbeData
from byol_kedro.inference import FrozenEncoder
from byol_kedro.log import Brief, brief, counted, rounded
from byol_kedro.pair_model.embeddings import SplitEmbeddings
from byol_kedro.pair_model.pairs import ImagePool
from byol_kedro.pipelines.predict.known import KnownImages
from byol_kedro.runs.history import Run
from byol_kedro.sources.source import ImageStream, Index
from tests.support.encoders import HEADER
from tests.support.trainings import CPU


@dataclass(frozen=True, repr=False)
class Split(Brief):
    """An example."""

    names: list[str]
    pixels: np.ndarray
    source: str


def test_repr_shortens_lists_and_arrays():
    split = Split([f"train/{i}" for i in range(8000)], np.zeros((4, 3, 2, 2), np.uint8), "stl10")
    assert repr(split) == (
        "Split(names=['train/0', 'train/1', 'train/2', … (8,000)], pixels=uint8 (4, 3, 2, 2), source='stl10')"
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([], "[]"),
        (["a", "b", "c"], "['a', 'b', 'c']"),
        ({"a": 1, "b": 2}, "{a, b}"),
        (dict.fromkeys("abcd"), "{a, b, c, … (4)}"),
        (torch.zeros(2, 3), "torch.float32 (2, 3)"),
        ("x" * 100, "'" + 59 * "x" + "…"),
        ("two\nlines", r"'two\nlines'"),
        (None, "None"),
    ],
)
def test_brief(value, told):
    assert brief(value) == told


MANY = [f"a long name of an image {i}" for i in range(5000)]
HOLDERS = [
    Images,
    NewImages,
    Index,
    ImageStream,
    Tensors,
    ProbeData,
    SplitEmbeddings,
    ImagePool,
    KnownImages,
    FrozenEncoder,
    Run,
]


@pytest.mark.parametrize("kind", HOLDERS)
def test_repr_of_large_objects_is_short(kind):
    values = {field.name: MANY for field in dataclasses.fields(kind)}
    if kind is FrozenEncoder:
        values |= {"model": untrained_encoder(HEADER), "header": HEADER, "device": CPU}
    if kind is Tensors:
        values = {"arrays": to_arrays(untrained_encoder(HEADER)), "header": dict.fromkeys(MANY, "")}
    told = repr(kind(**values))
    assert "\n" not in told
    assert len(told) < 150 * len(values)


@pytest.mark.parametrize(
    ("number", "text"), [(80, "80"), (80.0, "80"), (1727.0, "1727"), (37 / 3, "12.3"), (0.256, "0.26"), (0.04, "0.04")]
)
def test_a_fraction_has_few_digits(number, text):
    assert rounded(number) == text


def test_a_counted_fraction_is_plural():
    assert [counted(number, "epoch") for number in (1, 1.5, 1727, 1727.25)] == [
        "1 epoch",
        "1.5 epochs",
        "1,727 epochs",
        "1,727.2 epochs",
    ]
