"""Downloads are complete or missing, and interrupted ones are resumed."""

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


def test_file_is_downloaded_and_nothing_else_left(path):
    with serve(FILE) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert files_under(path.parent) == {path.name}
    assert web.asked == [None]


@pytest.mark.parametrize("reset", [False, True])
def test_interrupted_download_is_resumed(path, reset):
    with serve(FILE, Answer(cut=100_000, reset=reset), Answer(cut=50_000, reset=reset)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    if not reset:  # a reset throws away what the receiver has not read yet
        assert web.asked == [None, "bytes=100000-", "bytes=150000-"]


def test_server_without_ranges_restarts(path):
    with serve(FILE, Answer(cut=100_000), Answer(ranges=False)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert len(web.asked) == 2


def test_server_without_progress_is_given_up(path):
    with serve(FILE, *[Answer(cut=100_000, ranges=False)] * 50) as web:
        assert f"{MAX_TRIES} tries in a row without progress" in error_of(web.url, path)
    assert len(web.asked) == 1 + MAX_TRIES  # the first brought something


def test_progress_resets_the_tries(path):
    breaks = [Answer(cut=20_000), *[Answer(cut=0)] * (MAX_TRIES - 1)]
    with serve(FILE, *breaks * 3) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("shift", [-7, 7])
def test_wrong_range_is_refused(path, shift):
    with serve(FILE, Answer(cut=100_000), Answer(shift=shift)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None, "bytes=100000-", None]


def test_file_without_length_is_accepted(path):
    with serve(FILE, Answer(length=None)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


def test_unsatisfiable_range_restarts(path):
    part_of(path).write_bytes(FILE[:1000])
    with serve(FILE, Answer(416)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == ["bytes=1000-", None]


def test_too_long_part_is_discarded(path):
    part_of(path).write_bytes(FILE + b"more")
    with serve(FILE) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None]


def test_complete_part_is_not_downloaded_again(path):
    part_of(path).write_bytes(FILE)
    with serve(FILE) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == []


def test_part_of_another_file_is_detected_by_md5(path):
    part_of(path).write_bytes(b"another")
    with serve(FILE) as web:
        assert "the server sent another file" in error_of(web.url, path)
        fetch(web.url, path)
    assert path.read_bytes() == FILE


def test_range_is_kept_in_a_redirect(path):
    part_of(path).write_bytes(FILE[:1000])
    with serve(FILE) as web, serve(b"", Answer(302, headers={"Location": web.url})) as first:
        fetch(first.url, path)
    assert web.asked == ["bytes=1000-"]
    assert path.read_bytes() == FILE


def test_gzip_encoding_is_not_decoded(path):
    with serve(FILE, Answer(headers={"Content-Encoding": "x-gzip"})) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_new_process_resumes_after_a_kill(path, end):
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
def test_file_is_complete_or_missing_for_any_server(answers, part):
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
