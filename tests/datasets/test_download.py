import hashlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byol_kedro.datasets import download as module
from byol_kedro.datasets.download import TRIES, download, part_of
from byol_kedro.errors import UserError
from tests.datasets.helpers import files_under
from tests.datasets.web import Answer, serve

FILE = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(FILE).hexdigest()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds that would have been waited."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    seconds = []
    monkeypatch.setattr(module.time, "sleep", seconds.append)
    return seconds


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.tar.gz"


def fetch(url, path, file=FILE):
    download(url, path, len(file), hashlib.md5(file).hexdigest())


def error_of(url, path):
    with pytest.raises(UserError) as caught:
        fetch(url, path)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    return str(caught.value)


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
        assert f"{TRIES} tries in a row brought no more" in error_of(web.url, path)
    assert len(web.asked) == 1 + TRIES  # the first brought something


def test_tries_are_counted_anew_whenever_something_has_come(path):
    breaks = [Answer(cut=20_000), *[Answer(cut=0)] * (TRIES - 1)]
    with serve(FILE, *breaks * 3) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("shift", [-7, 7])
def test_another_range_than_asked_for_is_not_taken(path, shift):
    with serve(FILE, Answer(cut=100_000), Answer(shift=shift)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None, "bytes=100000-", None]


def test_a_range_of_another_file_is_refused(path):
    with serve(FILE, Answer(cut=100_000), Answer(body=FILE + b"more")) as web:
        assert "300004 bytes is offered, 300000 expected" in error_of(web.url, path)


@pytest.mark.parametrize("length", [len(FILE) - 1, len(FILE) + 1])
def test_a_length_that_is_not_the_expected_one_is_refused_before_a_byte_is_taken(path, length):
    with serve(FILE, Answer(length=length)) as web:
        assert f"{length} bytes is offered, 300000 expected" in error_of(web.url, path)
    assert not part_of(path).exists()


def test_a_length_that_promises_more_than_comes_ends_with_what_has_come(path):
    with serve(FILE, *[Answer(body=FILE[:100], length=len(FILE), ranges=False)] * 50) as web:
        message = error_of(web.url, path)
    assert "100 bytes of 300.0 kB are here" in message
    assert "run the command again" in message
    assert part_of(path).read_bytes() == FILE[:100]


def test_a_file_that_does_not_end_is_refused_at_the_first_byte_too_many(path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    with serve(FILE + b"more", Answer(length=None, hang=True)) as web:
        assert "more than the 300000 bytes expected" in error_of(web.url, path)
    assert web.asked == [None]
    assert not part_of(path).exists()


def test_a_file_without_length_is_taken(path):
    with serve(FILE, Answer(length=None)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


def test_another_file_of_the_same_size_is_removed(path):
    with serve(FILE, Answer(body=FILE[::-1])) as web:
        message = error_of(web.url, path)
    assert f"md5 {hashlib.md5(FILE[::-1]).hexdigest()} found, {MD5} expected" in message
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (410, "Gone")])
def test_what_is_not_there_is_asked_for_once(path, waits, status, reason):
    with serve(FILE, *[Answer(status)] * 9) as web:
        assert f"the server answers {status} {reason}" in error_of(web.url, path)
    assert web.asked == [None]
    assert waits == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), (formatdate(time.time() + 100, usegmt=True), 70), (formatdate(time.time() - 100, usegmt=True), 0)],
)
def test_retry_after_is_waited_for(path, waits, text, seconds):
    with serve(FILE, Answer(503, headers={"Retry-After": text})) as web:
        fetch(web.url, path)
    assert waits == [pytest.approx(seconds, abs=30 if seconds == 70 else 0)]


def test_retry_after_is_not_waited_for_without_end(path, waits):
    with serve(FILE, Answer(503, headers={"Retry-After": "86400"})) as web:
        fetch(web.url, path)
    assert waits == [module.LONGEST_WAIT]


@pytest.mark.parametrize("text", ["soon", "-5", "", "²"])
def test_a_retry_after_that_says_nothing_is_as_none(path, waits, text):
    with serve(FILE, Answer(503, headers={"Retry-After": text})) as web:
        fetch(web.url, path)
    assert waits == [module.FIRST_WAIT]


def test_a_server_that_stays_busy_is_given_up_after_longer_and_longer_waits(path, waits):
    with serve(FILE, *[Answer(503)] * 50) as web:
        assert "the server answers 503 Service Unavailable" in error_of(web.url, path)
    assert len(web.asked) == TRIES
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("cut", [0, 100_000])
def test_a_server_that_falls_silent_counts_as_broken(path, monkeypatch, cut):
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with serve(FILE, Answer(cut=cut, hang=True)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None, f"bytes={cut}-" if cut else None]


def test_a_server_that_never_answers_is_given_up(path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = error_of(f"http://127.0.0.1:{silent.getsockname()[1]}/file.tar.gz", path)
    assert "timed out" in message


def test_no_server_is_one_line(path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "Connection refused" in error_of(f"http://127.0.0.1:{port}/file.tar.gz", path)


@pytest.mark.parametrize("url", ["http://host:port/a", "http://127.0.0.1/a b", "http://127.0.0.1/é", "http://.a./b"])
def test_what_is_no_address_is_one_line_without_another_try(path, waits, url):
    assert f"{url}: not an address" in error_of(url, path)
    assert waits == []


def test_a_web_page_in_place_of_the_file_leaves_the_part_alone(path):
    part_of(path).write_bytes(FILE[:1000])
    page = Answer(body=b"<html>", ranges=False, length=None, headers={"Content-Type": "text/html; charset=utf-8"})
    with serve(FILE, page) as web:
        assert "a web page was sent" in error_of(web.url, path)
    assert part_of(path).read_bytes() == FILE[:1000]


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
        assert "another file was sent, and is removed" in error_of(web.url, path)
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
    code += "from byol_kedro.datasets.download import download; import pathlib, sys; _, url, path, md5 = sys.argv; "
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
