"""Images are decoded in several processes, in order, and a crash costs one image."""

import gc
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from byol_kedro.files import decoders
from byol_kedro.files.decode import UnreadableImage, decode
from byol_kedro.files.decoders import decode_all


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        Image.new("RGB", (20, 20), (number, 0, 0)).save(path)
    return paths


def reds(decoded):
    return [-1 if isinstance(one, UnreadableImage) else int(one[0, 0, 0]) for one in decoded]


def test_images_are_in_the_order_of_their_paths(images):
    assert reds(decode_all(images, 8, processes=3)) == list(range(40))


def test_result_equals_that_of_one_process(images):
    for path, image in zip(images, decode_all(images, 8), strict=True):
        np.testing.assert_array_equal(image, decode(path, 8), strict=True)


def test_unreadable_image_is_in_its_place(images, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    decoded = list(decode_all([*images[:9], tmp_path / "bad.png", *images[9:]], 8))
    assert reds(decoded) == [*range(9), -1, *range(9, 40)]
    assert str(decoded[9]).startswith("not an image")


def test_no_paths_give_no_images():
    assert list(decode_all([], 8)) == []


def test_any_file_name_is_found(tmp_path):
    names = ["слон.png", "象.png", "a b'\"\\\n.png", os.fsdecode(b"\xff.png"), "é" * 100 + ".png"]
    for name in names:
        Image.new("RGB", (8, 8), (7, 0, 0)).save(tmp_path / name, format="PNG")
    assert reds(decode_all((tmp_path / name for name in names), 8)) == [7] * len(names)


def test_paths_are_consumed_lazily(images):
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield images[0]

    decoded = decode_all(endless(), 8, processes=2)
    assert len(list(islice(decoded, 100))) == 100
    assert taken <= 100 + 8 * decoders.BATCH_FILES
    decoded.close()


def children():
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the processes")
def test_processes_stop_with_the_generator(images):
    before = children()
    decoded = decode_all(images, 8, processes=2)
    next(decoded)
    assert children() - before
    del decoded
    gc.collect()
    assert children() == before


def test_crashing_file_is_one_unreadable_image(images, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib\nstat, deadly = pathlib.Path.stat, {'5.png', '6.png'}\n"
        "pathlib.Path.stat = lambda path, **how: os.abort() if path.name in deadly else stat(path, **how)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = list(decode_all(images, 8, processes=1))
    assert reds(found) == [-1 if number in {5, 6} else number for number in range(40)]
    assert str(found[5]) == "the decoder crashed (SIGABRT)"


def test_file_is_retried_after_a_crash(images, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib\nstat = pathlib.Path.stat\n"
        "def first(path, **how):\n"
        "    once = pathlib.PosixPath(__file__).with_name(f'{path.name}.seen')\n"
        "    if path.suffix == '.png' and not os.path.exists(once):\n"
        "        once.touch()\n"
        "        os.abort()\n"
        "    return stat(path, **how)\n"
        "pathlib.Path.stat = first\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert reds(decode_all(images[:4], 8, processes=1)) == list(range(4))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the processes")
def test_ctrl_c_does_not_reach_decoders(images):
    before = children()
    decoded = decode_all(images, 8, processes=1)
    next(decoded)
    assert os.getpgrp() not in {os.getpgid(int(process)) for process in children() - before}


def test_decoder_that_cannot_start_is_an_error(images, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="did not start"):
        list(decode_all(images, 8))


def test_script_without_main_guard_can_decode(images, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nfrom byol_kedro.files.decoders import decode_all\n"
        f"print(sum(image.shape[1] for image in decode_all([Path({str(images[0])!r})], 8)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "8\n"
