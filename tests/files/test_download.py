import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byol_kedro.errors import UserError
from byol_kedro.files.download import MAX_TRIES, part_of
from tests.support.downloading import FILE, MD5, error_of, fetch
from tests.support.image_datasets import files_under
from tests.support.web import Answer, serve

pytestmark = pytest.mark.usefixtures("waits")


def test_a_file_arrives_and_nothing_else_is_left(path):
    with serve(FILE) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert files_under(path.parent) == {path.name}
    assert web.asked == [None]


@pytest.mark.parametrize("reset", [False, True])
def test_what_breaks_off_twice_goes_on_where_it_ended(path, reset):
    with serve(FILE, Answer(cut=100_000, reset=reset), Answer(cut=50_000, reset=reset)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    if not reset:  # a reset throws away what the receiver has not read yet
        assert web.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_ignores_ranges_is_asked_for_the_whole(path):
    with serve(FILE, Answer(cut=100_000), Answer(ranges=False)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert len(web.asked) == 2


def test_a_server_that_ignores_ranges_and_always_breaks_off_is_given_up(path):
    with serve(FILE, *[Answer(cut=100_000, ranges=False)] * 50) as web:
        assert f"{MAX_TRIES} tries in a row without progress" in error_of(web.url, path)
    assert len(web.asked) == 1 + MAX_TRIES  # the first brought something


def test_tries_are_counted_anew_whenever_something_has_come(path):
    breaks = [Answer(cut=20_000), *[Answer(cut=0)] * (MAX_TRIES - 1)]
    with serve(FILE, *breaks * 3) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("shift", [-7, 7])
def test_another_range_than_asked_for_is_not_taken(path, shift):
    with serve(FILE, Answer(cut=100_000), Answer(shift=shift)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None, "bytes=100000-", None]


def test_a_file_without_length_is_taken(path):
    with serve(FILE, Answer(length=None)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


def test_a_range_that_cannot_be_had_is_asked_for_as_a_whole(path):
    part_of(path).write_bytes(FILE[:1000])
    with serve(FILE, Answer(416)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == ["bytes=1000-", None]


def test_a_part_that_is_too_long_is_not_gone_on_with(path):
    part_of(path).write_bytes(FILE + b"more")
    with serve(FILE) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None]


def test_a_part_that_is_whole_is_not_fetched_again(path):
    part_of(path).write_bytes(FILE)
    with serve(FILE) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == []


def test_a_part_of_another_file_is_found_by_the_md5(path):
    part_of(path).write_bytes(b"another")
    with serve(FILE) as web:
        assert "the server sent another file" in error_of(web.url, path)
        fetch(web.url, path)
    assert path.read_bytes() == FILE


def test_the_range_goes_with_a_redirection(path):
    part_of(path).write_bytes(FILE[:1000])
    with serve(FILE) as web, serve(b"", Answer(302, headers={"Location": web.url})) as first:
        fetch(first.url, path)
    assert web.asked == ["bytes=1000-"]
    assert path.read_bytes() == FILE


def test_a_file_that_the_server_calls_gzip_is_not_unpacked_on_the_way(path):
    with serve(FILE, Answer(headers={"Content-Encoding": "x-gzip"})) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_new_process_goes_on_where_a_killed_one_ended(path, end):
    # A shell's background job, and so what it starts, ignores SIGINT.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from byol_kedro.files.download import download; import pathlib, sys; _, url, path, md5 = sys.argv; "
    code += f"download(url, pathlib.Path(path), {len(FILE)}, md5)"
    with serve(FILE, Answer(cut=100_000, hang=True)) as web:
        command = [sys.executable, "-c", code, web.url, str(path), MD5]
        first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not (part_of(path).exists() and part_of(path).stat().st_size == 100_000):
            assert time.monotonic() < deadline
        first.send_signal(end)
        first.wait(20)
        assert not path.exists()
        subprocess.run(command, check=True)
    assert path.read_bytes() == FILE
    assert web.asked == [None, "bytes=100000-"]


ANSWERS = st.builds(
    Answer,
    status=st.sampled_from([200, 200, 200, 503]),
    ranges=st.booleans(),
    cut=st.none() | st.integers(0, 1000),
    shift=st.sampled_from([0, 0, 0, -3, 5]),
    length=st.sampled_from(["true", "true", None, 7]),
    body=st.sampled_from([None, None, None, b"another", FILE[1000:2000]]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(ANSWERS, max_size=8), part=st.integers(0, 1100))
def test_whatever_a_server_does_the_file_is_whole_or_not_there(answers, part):
    file = FILE[:1000]
    with tempfile.TemporaryDirectory() as folder, serve(file, *answers) as web:
        path = Path(folder) / "file"
        if part:
            part_of(path).write_bytes(FILE[:part])
        try:
            fetch(web.url, path, file)
        except UserError:
            assert not path.exists()
            return
        assert path.read_bytes() == file
        assert files_under(Path(folder)) == {"file"}
