"""Lines of small text files: the line numbers are those of every editor."""

import pytest

from byol_kedro.sources.text import read_class_names, read_lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"cat\ndog", ["cat", "dog"]),
        (b"cat\ndog\n", ["cat", "dog"]),
        (b"cat\r\ndog\r\n", ["cat", "dog"]),
        (b"cat\rdog\r", ["cat", "dog"]),
        (b"\xef\xbb\xbfcat\n\ndog\n", ["cat", "", "dog"]),
        ("ca\x0ct\nd\u2028og\n\x0b\x85x".encode(), ["ca\x0ct", "d\u2028og", "\x0b\x85x"]),
    ],
)
def test_a_line_ends_at_a_line_end_alone(tmp_path, content, lines):
    (tmp_path / "x.txt").write_bytes(content)
    assert read_lines(tmp_path / "x.txt") == lines


def test_a_form_feed_in_a_name_does_not_shift_the_names_after_it(tmp_path):
    (tmp_path / "class_names.txt").write_bytes(b"ca\x0ct\ndog\n")
    names = read_class_names(tmp_path / "class_names.txt")
    assert len(names) == 2
    assert names[1] == "dog"
