"""Random folders give correct labels or a one-line error, never a traceback."""

import shutil
import unicodedata
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byol_kedro.errors import UserError
from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.sources import encoded as module
from tests.support.bad_images import encoded
from tests.support.image_datasets import NEW, OLD
from tests.support.image_folders import SIDE, SPLITS, colors, decode_here, ingested, write_image

NAMES = st.sampled_from(["a", "b", "B", "é", "e\u0301", "象", ".hidden", "train", "test", "c d"])
FILES = st.sampled_from(["0.png", "1.PNG", "1.png", "2.jpg", "x.txt", "y", ".z.png", "ü.bmp"])
PATHS = st.lists(NAMES, max_size=2).flatmap(lambda above: FILES.map(lambda name: "/".join([*above, name])))
TREES = st.dictionaries(
    st.tuples(st.sampled_from(["unlabeled/", "train/", "test/", ""]), PATHS).map("".join),
    st.booleans(),  # whether it is an image
    max_size=14,
)
GENTLE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(module, "decode_all", decode_here)


def grow(root: Path, tree: dict[str, bool]) -> dict[str, int]:
    """Write the files and return the color of each image by path."""
    root.mkdir(parents=True)
    written = {}
    for color, (name, good) in enumerate(sorted(tree.items())):
        if any(other.startswith(f"{name}/") for other in tree):
            continue  # a file has nothing below it
        if good:
            write_image(root / name, color)
            written[name] = color
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"no image")
    return written


@settings(max_examples=80, deadline=None, suppress_health_check=GENTLE)
@given(tree=TREES, twice=st.booleans())
def test_random_folders_give_correct_labels_or_an_error(tmp_path, tree, twice):
    shutil.rmtree(tmp_path, ignore_errors=True)
    written = grow(tmp_path / "raw", tree)
    try:
        if twice:  # the second ingest uses pixels of a first that lacked a file
            last = tmp_path / "raw" / max(written, default="none")
            aside = last.rename(tmp_path / "aside") if last.exists() else None
            with suppress(UserError):
                ingested("folder", tmp_path / "raw", tmp_path / "out", OLD, max_broken=1.0)
            if aside:
                aside.rename(last)
        images = ingested("folder", tmp_path / "raw", tmp_path / "out", NEW, max_broken=1.0)
    except UserError as error:
        message = str(error)
    else:
        message = ""
    assert len(message.splitlines()) <= 1
    if message:
        return
    found: dict[str, int] = {}
    for split in SPLITS:
        names, labels = images[split].names, images[split].labels.tolist()
        for name, label, color in zip(names, labels, colors(images[split]), strict=True):
            assert written[name] == color
            assert label == -1 or _class(name) == images[split].class_names[label]
            assert name not in found
            found[name] = color
    assert set(found) <= set(written)


def _class(name: str) -> str:
    return unicodedata.normalize("NFC", name.split("/")[1])


ENCODED = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")]


@settings(max_examples=300, deadline=None, suppress_health_check=GENTLE)
@given(data=st.data())
def test_random_bytes_are_an_image_or_unreadable(tmp_path, data):
    content = bytearray(data.draw(st.one_of(st.binary(max_size=200), st.sampled_from(ENCODED))))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, min(len(content) - 1, 400)))] = data.draw(st.integers(0, 255))
    (tmp_path / "x.jpg").write_bytes(content)
    try:
        image = decode(tmp_path / "x.jpg", SIDE)
    except UnreadableImage as reason:
        said = str(reason)
    else:
        said = f"{image.shape} {image.dtype}"
        assert said == f"(3, {SIDE}, {SIDE}) uint8"
    assert len(said.splitlines()) == 1
