"""Files of the sources array and cifar10."""

import numpy as np

from byol_kedro.sources.cifar10 import BATCHES, CIFAR10, PYTHON_FOLDER
from tests.support.image_datasets import random_pixels

SIDE = 8
N = 12  # images in a batch


def pixels_of(count, seed=0):
    return random_pixels(count, SIDE, seed)


def write_npy(root, **arrays):
    root.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(root / f"{name}.npy", array, allow_pickle=False)
    return root


def write_npz(root, **arrays):
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / "images.npz", **arrays)
    return root / "images.npz"


def contents():
    """Return labels (N,) and pixels (N, 3072) of every batch."""
    generator = np.random.default_rng(0)
    names = [*BATCHES["train"], *BATCHES["test"]]
    return {name: (generator.integers(0, 10, N), generator.integers(0, 256, (N, 3072), np.uint8)) for name in names}


def write_binary(root):
    (root / CIFAR10.folder).mkdir(parents=True)
    for name, (labels, pixels) in contents().items():
        np.c_[labels.astype(np.uint8), pixels].tofile(root / CIFAR10.folder / f"{name}.bin")
    return root


def text(value):
    """Pickle a string like Python 2."""
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + len(value).to_bytes(4, "little") + value


def number(value):
    return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")


def python2_pickle(labels, pixels):
    """Pickle a batch like Python 2 and its NumPy, with the instructions of the published files."""
    array = b"".join([
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85", text(b"b"), b"\x87R",
        b"(K\x01", number(len(pixels)), number(pixels.shape[1]), b"\x86cnumpy\ndtype\nq\x03", text(b"u1"),
        b"K\x00K\x01\x87R(K\x03", text(b"|"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
        text(pixels.tobytes()), b"tb",
    ])  # fmt: skip
    names = b"](" + b"".join(text(b"x%d.png" % n) for n in range(len(labels))) + b"e"
    items = text(b"batch_label") + text(b"training batch 1 of 5") + text(b"labels") + b"](" + b"".join(
        map(number, labels.tolist())
    ) + b"e" + text(b"data") + array + text(b"filenames") + names  # fmt: skip
    return b"\x80\x02}q\x00(" + items + b"u."


def write_python(root):
    (root / PYTHON_FOLDER).mkdir(parents=True)
    for name, (labels, pixels) in contents().items():
        (root / PYTHON_FOLDER / name).write_bytes(python2_pickle(labels, pixels))
    return root
