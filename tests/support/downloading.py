"""A file and its download, for the tests of downloads."""

import hashlib

import numpy as np
import pytest

from byol_kedro.errors import UserError
from byol_kedro.files.download import download

FILE = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(FILE).hexdigest()


def fetch(url, path, file=FILE):
    download(url, path, len(file), hashlib.md5(file).hexdigest())


def error_of(url, path):
    with pytest.raises(UserError) as caught:
        fetch(url, path)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    return str(caught.value)
