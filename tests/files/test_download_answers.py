"""Unexpected answers of a server are retried or refused with one line."""

import hashlib
import socket
import threading
import time
from email.utils import formatdate

import pytest

from byol_kedro.files import download as module
from byol_kedro.files.download import MAX_TRIES, part_of
from tests.support.downloading import FILE, MD5, error_of, fetch
from tests.support.web import Answer, serve

pytestmark = pytest.mark.usefixtures("waits")


def test_range_of_another_file_is_refused(path):
    with serve(FILE, Answer(cut=100_000), Answer(body=FILE + b"more")) as web:
        assert "of 300004 bytes, 300000 expected" in error_of(web.url, path)


@pytest.mark.parametrize("length", [len(FILE) - 1, len(FILE) + 1])
def test_unexpected_length_is_refused(path, length):
    with serve(FILE, Answer(length=length)) as web:
        assert f"of {length} bytes, 300000 expected" in error_of(web.url, path)
    assert not part_of(path).exists()


def test_short_body_is_kept(path):
    with serve(FILE, *[Answer(body=FILE[:100], length=len(FILE), ranges=False)] * 50) as web:
        message = error_of(web.url, path)
    assert "100 bytes of 300.0 kB received" in message
    assert "run the command again" in message
    assert part_of(path).read_bytes() == FILE[:100]


def test_endless_file_is_refused(path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    with serve(FILE + b"more", Answer(length=None, hang=True)) as web:
        assert "more than the expected 300000 bytes" in error_of(web.url, path)
    assert web.asked == [None]
    assert not part_of(path).exists()


def test_other_file_of_the_same_size_is_removed(path):
    with serve(FILE, Answer(body=FILE[::-1])) as web:
        message = error_of(web.url, path)
    assert f"MD5 {hashlib.md5(FILE[::-1]).hexdigest()} found, {MD5} expected" in message
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (410, "Gone")])
def test_missing_file_is_requested_once(path, waits, status, reason):
    with serve(FILE, *[Answer(status)] * 9) as web:
        assert f"the server answered {status} {reason}" in error_of(web.url, path)
    assert web.asked == [None]
    assert waits == []


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "7", 7, 7),
        (lambda: formatdate(time.time() + 100, usegmt=True), 40, 100),
        (lambda: formatdate(time.time() - 100, usegmt=True), 0, 0),
    ],
    ids=["seconds", "a date", "a date that is past"],
)
def test_retry_after_is_respected(path, waits, header, least, most):
    with serve(FILE, Answer(503, headers={"Retry-After": header()})) as web:
        fetch(web.url, path)
    (seconds,) = waits
    assert least <= seconds <= most


def test_retry_after_is_limited(path, waits):
    with serve(FILE, Answer(503, headers={"Retry-After": "86400"})) as web:
        fetch(web.url, path)
    assert waits == [module.MAX_WAIT]


@pytest.mark.parametrize("text", ["soon", "-5", "", "²"])
def test_invalid_retry_after_is_ignored(path, waits, text):
    with serve(FILE, Answer(503, headers={"Retry-After": text})) as web:
        fetch(web.url, path)
    assert waits == [module.FIRST_WAIT]


def test_busy_server_is_retried_with_backoff(path, waits):
    with serve(FILE, *[Answer(503)] * 50) as web:
        assert "the server answered 503 Service Unavailable" in error_of(web.url, path)
    assert len(web.asked) == MAX_TRIES
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("cut", [0, 100_000])
def test_silent_server_times_out_and_is_retried(path, monkeypatch, cut):
    monkeypatch.setattr(module, "TIMEOUT", 0.2)
    with serve(FILE, Answer(cut=cut, hang=True)) as web:
        fetch(web.url, path)
    assert path.read_bytes() == FILE
    assert web.asked == [None, f"bytes={cut}-" if cut else None]


def test_unresponsive_server_is_given_up(path, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = error_of(f"http://127.0.0.1:{silent.getsockname()[1]}/file.tar.gz", path)
    assert "timed out" in message


def test_missing_server_is_one_line(path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "Connection refused" in error_of(f"http://127.0.0.1:{port}/file.tar.gz", path)


def test_redirect_loop_is_one_line(path):
    with serve(FILE, *[Answer(302, headers={"Location": "/file.tar.gz"})] * 50) as web:
        assert "the server answered 302" in error_of(web.url, path)


def test_other_protocol_is_one_line_without_control_codes(path, caplog):
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=answer_with, args=(other, b"220 ftp\x1b[31m\r\n"), daemon=True).start()
        message = error_of(f"http://127.0.0.1:{other.getsockname()[1]}/file.tar.gz", path)
    assert "220 ftp [31m" in message
    assert not any("\x1b" in text or "\n" in text for text in [message, *caplog.messages])


def answer_with(server, answer):
    for _ in range(MAX_TRIES):
        connection, _ = server.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)


@pytest.mark.parametrize("url", ["http://host:port/a", "http://127.0.0.1/a b", "http://127.0.0.1/é", "http://.a./b"])
def test_invalid_address_is_not_retried(path, waits, url):
    assert f"{url}: invalid address" in error_of(url, path)
    assert waits == []


def test_web_page_keeps_the_part(path):
    part_of(path).write_bytes(FILE[:1000])
    page = Answer(body=b"<html>", ranges=False, length=None, headers={"Content-Type": "text/html; charset=utf-8"})
    with serve(FILE, page) as web:
        assert "sent a web page" in error_of(web.url, path)
    assert part_of(path).read_bytes() == FILE[:1000]
