"""Pickles of arrays are read whatever wrote them; others are refused without running code or exhausting memory."""

import os
import pickle
import pickletools
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from byol_kedro.errors import UserError
from byol_kedro.sources.pickled import read_pickled

DATA = np.arange(24, dtype=np.uint8).reshape(4, 6)
LABELS = [3, 0, 9, 3]
SAVED = {b"labels": LABELS, b"filenames": [b"a.png", b"\xff"], "name": "é", "mean": 0.5, "n": 2**40, "flag": True}
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
MULTIARRAY = "numpy.core.multiarray"


def read(folder: Path, content: bytes):
    path = folder / "batch"
    path.write_bytes(content)
    return read_pickled(path)


def of_numpy_1(content: bytes) -> bytes:
    """Change a pickle to that of NumPy 1, whose modules had no underscore; frames are removed, since lengths differ."""
    places = [(opcode.name, start) for opcode, _, start in pickletools.genops(content)]
    ends = [start for _, start in places[1:]] + [len(content)]
    parts = [content[start:end] for (name, start), end in zip(places, ends, strict=True) if name != "FRAME"]
    for module in (b"numpy._core.multiarray", b"numpy._core.numeric"):
        older = module.replace(b"_core", b"core")
        of_text = bytes([0x8C, len(module)]) + module, bytes([0x8C, len(older)]) + older
        parts = [part.replace(*of_text).replace(module, older) for part in parts]
    return b"".join(parts)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("by", [bytes, of_numpy_1], ids=["NumPy 2", "NumPy 1"])
def test_python_3_pickles_are_read(tmp_path, protocol, by):
    found = read(tmp_path, by(pickle.dumps(SAVED | {b"data": DATA}, protocol=protocol)))
    np.testing.assert_array_equal(found.pop(b"data"), DATA)
    assert found == SAVED


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["i1", "u1", "<i4", ">i4", "<i8", ">i8", "<u2"])
def test_integers_of_any_size_and_byte_order_are_read(tmp_path, protocol, kind):
    labels = np.array(LABELS, kind)
    found = read(tmp_path, pickle.dumps({"array": labels, "list": list(labels)}, protocol=protocol))
    assert found["array"].tolist() == LABELS
    assert found["list"] == LABELS
    assert {type(label) for label in found["list"]} == {int}


CHANGES = {
    "by columns": np.asfortranarray,
    "turned": lambda array: array.T,
    "every second row": lambda array: array[::2],
    "mirrored": lambda array: array[:, ::-1],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("change", CHANGES)
def test_memory_order_of_arrays_is_preserved(tmp_path, protocol, change):
    saved = CHANGES[change](DATA)
    np.testing.assert_array_equal(read(tmp_path, pickle.dumps({"data": saved}, protocol=protocol))["data"], saved)


def text(value: bytes) -> bytes:
    """A string as Python 2 pickles it."""
    return b"T" + len(value).to_bytes(4, "little") + value


def unicode(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, argument: bytes = b"") -> bytes:
    """A call with one argument, or with none."""
    return name(module, attribute) + (argument + b"\x85R" if argument else b")R")


# An array as NumPy begins to write it; its type, shape and content follow as its state.
ARRAY = name(MULTIARRAY, "_reconstruct") + name("numpy", "ndarray") + b"K\x00\x85" + text(b"b") + b"\x87R"


def mkdir(flag: Path) -> bytes:
    return call("os", "mkdir", text(str(flag).encode()))


class Runs:
    def __init__(self, function, argument: str) -> None:
        self.called = function, (argument,)

    def __reduce__(self):
        return self.called


def stacked(flag: Path) -> bytes:
    """A call named as in protocol 4, after an allowed name."""
    known, wanted = (
        unicode(module) + unicode(name) + b"\x93" for module, name in (("numpy", "dtype"), ("os", "mkdir"))
    )
    return b"\x80\x04" + known + wanted + unicode(str(flag)) + b"\x85R."


# Each makes a folder where it is run.
RUNS = {
    "a call": lambda flag: b"\x80\x02" + mkdir(flag) + b".",
    "a call below a dict": lambda flag: b"\x80\x02}" + text(b"data") + mkdir(flag) + b"s.",
    "a call in a key": lambda flag: b"\x80\x02}" + mkdir(flag) + b"K\x01s.",
    "a call as Python 3 writes it": lambda flag: pickle.dumps(Runs(os.mkdir, str(flag)), protocol=4),
    "a call in letters": lambda flag: pickle.dumps(Runs(os.mkdir, str(flag)), protocol=0),
    "a call after a name that is known": stacked,
    "eval": lambda flag: pickle.dumps(Runs(eval, f"__import__('os').mkdir({str(flag)!r})"), protocol=2),
    "an instance": lambda flag: b"(cos\nmkdir\nV%s\no." % str(flag).encode(),
    "an instance by name": lambda flag: b"(V%s\nios\nmkdir\n." % str(flag).encode(),
    "in the shape of a type": lambda flag: b"\x80\x02" + call("numpy", "dtype", mkdir(flag)) + b".",
    "in the shape of an array": lambda flag: b"\x80\x02" + call(MULTIARRAY, "_reconstruct", mkdir(flag)) + b".",
    "as the state of an array": lambda flag: b"\x80\x02" + ARRAY + mkdir(flag) + b"b.",
}


@pytest.mark.parametrize("attack", RUNS)
def test_no_code_in_a_pickle_runs(tmp_path, attack):
    with pytest.raises(UserError, match=r"refused to load (os|posix|builtins|__builtin__)\.(mkdir|eval);"):
        read(tmp_path, RUNS[attack](tmp_path / "it ran"))
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize("attack", RUNS)
def test_attacks_work_on_an_unrestricted_pickle(tmp_path, attack):
    with suppress(TypeError):  # of what is made of the answer
        pickle.loads(RUNS[attack](tmp_path / "it ran"))
    assert (tmp_path / "it ran").exists()


def built(kind: bytes, state: bytes = b"", length: bytes = b"K\x01") -> bytes:
    """A dict with an array of 8 bytes; its dtype `kind`, its `state` and its pickled length can be replaced."""
    type_ = name("numpy", "dtype") + text(kind) + b"K\x00K\x01\x87R" + state
    array = ARRAY + b"(K\x01" + length + b"\x85" + type_ + b"\x89" + text(bytes(8)) + b"tb"
    return b"\x80\x02}" + text(b"data") + array + b"s."


REFUSED = {
    "another function of NumPy": (b"\x80\x02" + call("numpy", "load", text(b"x.npy")) + b".", "load numpy.load;"),
    "an attribute of a type": (
        b"\x80\x04" + unicode("numpy") + unicode("dtype.newbyteorder") + b"\x93)R.", "load numpy.dtype.newbyteorder;"
    ),
    "the globals of a function": (
        b"\x80\x04" + unicode(MULTIARRAY) + unicode("_reconstruct.__globals__") + b"\x93.", "__globals__;"
    ),
    "a name with an escape": (b"\x80\x04" + unicode("a\x1b[2J") + unicode("b") + b"\x93.", r"load a\x1b[2J.b;"),
    "a name without an end": (b"\x80\x04" + unicode("a" * 9000) + unicode("b") + b"\x93.", f"load {'a' * 60};"),
    "an array of objects": (built(b"O8"), "an array of type O8, integers expected"),
    "an array of floats": (built(b"f4"), "type f4, integers"),
    "an array of bytes": (built(b"V9000000000"), "type V9000000000"),
    "an array of dates": (built(b"M8[ns]"), "type M8[ns]"),
    "a type with fields": (built(b"u1", b"(K\x03" + text(b"|") + b"N" + text(b"f") + b"}tb"), "structured type"),
    "a type within a type": (built(b"u1", b"(K\x03" + text(b"|") + text(b"u1") + b"NNtb"), "structured type"),
    "another coding than that of bytes": (
        b"\x80\x02" + name("_codecs", "encode") + unicode("a") + unicode("zip") + b"\x86R.",
        "_codecs.encode of anything",
    ),
    "a tensor": (b"\x80\x02" + call("torch._utils", "_rebuild_tensor_v2") + b".", "torch._utils._rebuild_tensor_v2"),
}  # fmt: skip


@pytest.mark.parametrize("attack", REFUSED)
def test_other_objects_are_refused_by_name(tmp_path, attack):
    content, expected = REFUSED[attack]
    with pytest.raises(UserError) as caught:
        read(tmp_path, content)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith("or save a dict of a list `labels` and a NumPy array `data`")


DAMAGED = {
    "an array without a state": b"\x80\x02}" + text(b"data") + ARRAY + b"s.",
    "a call of what a call gave": b"\x80\x02" + call("numpy", "dtype", text(b"u1")) + b")R.",
    "a call of the class of arrays": b"\x80\x02" + call("numpy", "ndarray", b"J\xff\xff\xff\x7f") + b".",
    "a shape of more than there is": built(b"u1", length=b"J\xff\xff\xff\x7f"),
    "a shape of less than there is": built(b"u1", length=b"K\x07"),
    "a type of no text": b"\x80\x02" + call("numpy", "dtype", b"]") + b".",
    "a type in the place of an array's": b"\x80\x02" + ARRAY + b"(K\x01K\x01\x85N\x89Ntb.",
    "an extension": b"\x80\x02\x82\x01.",
    "a persistent id": b"\x80\x02" + text(b"a") + b"Q.",
    "a buffer beside the file": b"\x80\x05\x97.",
    "a change of a function": b"\x80\x02" + name("numpy", "dtype") + b"N}" + text(b"__code__") + b"Ks\x86b.",
    "a protocol to come": b"\x80\xc8.",
    "nothing": b"",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_pickle_is_refused(tmp_path, damage):
    with pytest.raises(UserError, match="is truncated or not a pickle of arrays"):
        read(tmp_path, DAMAGED[damage])


# Each would take 0.5 to 1 GB; with other numbers, all that there is.
BOMBS = {
    "a number to keep something under": b"\x80\x02]r\x00\x00\x00\x02.",
    "the same in letters": b"]p33554432\n.",
    "bytes beyond the end": b"\x80\x04\x8e" + (2**29).to_bytes(8, "little") + b"a.",
    "the same text made bytes again and again": (
        b"\x80\x02](" + name("_codecs", "encode") + b"q\x00" + unicode("a" * 100_000) + b"q\x010"
        + unicode("latin1") + b"q\x020" + b"h\x00h\x01h\x02\x86R" * 10_000 + b"e."
    ),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_file_cannot_exhaust_memory(tmp_path, bomb):
    (tmp_path / "batch").write_bytes(BOMBS[bomb])
    program = f"""
import resource
from pathlib import Path
from byol_kedro.sources.pickled import read_pickled
resource.setrlimit(resource.RLIMIT_AS, (2 << 30,) * 2)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_pickled(Path({str(tmp_path / "batch")!r}))
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "kB")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "UserError" in done.stderr.splitlines()[-1], done.stderr
    assert int(done.stdout.split()[0]) < 50_000


def test_stand_ins_are_not_shared_between_files(tmp_path):
    defaults = b"N}" + unicode("__defaults__") + unicode("<i8") + b"\x85s\x86b"
    read(tmp_path, b"\x80\x02" + name("numpy", "dtype") + defaults + b"0N.")
    found = read(tmp_path, pickle.dumps({"data": DATA}, protocol=2))
    np.testing.assert_array_equal(found["data"], DATA)
    with pytest.raises(UserError, match="is truncated or not a pickle"):
        read(tmp_path, b"\x80\x02" + call("numpy", "dtype") + b".")
