"""The example in docs/data.md works as printed."""

import re
import sys
import types

import numpy as np

from byol_kedro.sources import SOURCES
from tests.support.image_datasets import random_pixels
from tests.support.image_folders import SIDE, SPLITS, ingested
from tests.support.kedro_runs import ROOT


def test_the_example_adds_a_source(tmp_path, monkeypatch):
    (diff,) = re.findall(r"```diff\n(.*?)```", (ROOT / "docs/data.md").read_text("utf-8"), flags=re.DOTALL)
    registration, code = diff.split("+++ b/src/byol_kedro/sources/raw.py\n")
    (entry,) = re.findall(r'^\+    "(\w+)": "([\w.:]+)",$', registration, flags=re.MULTILINE)
    module = types.ModuleType(entry[1].partition(":")[0])
    exec("\n".join(line.removeprefix("+") for line in code.splitlines()), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(SOURCES, *entry)
    pixels = {split: random_pixels(5, SIDE, seed) for seed, split in enumerate(SPLITS)}
    for split, array in pixels.items():
        array.transpose(0, 2, 3, 1).tofile(tmp_path / f"{split}.rgb")
    images = ingested(entry[0], tmp_path, tmp_path / "out")
    for split in SPLITS:
        np.testing.assert_array_equal(images[split].pixels, pixels[split])
        assert (images[split].labels == -1).all()
