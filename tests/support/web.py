"""A local server that serves one file, with configurable errors."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """How one request is answered; by default correctly.

    `cut`: bytes of the body after which the connection ends, `reset` as by a cable that is pulled; `hang`: it stays
    open instead, silent. `shift`: added to where the range really begins. `length`: of Content-Length, None is no such
    header. `body`: another file.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    cut: int | None = None
    reset: bool = False
    hang: bool = False
    shift: int = 0
    length: int | str | None = "true"
    body: bytes | None = None


class Web:
    """Serves one of `answers` per request, then correct ones. `asked` collects the Range header of each request."""

    def __init__(self, file: bytes, *answers: Answer) -> None:
        self.file, self.answers = file, list(answers)
        self.asked: list[str | None] = []
        self.going = threading.Event()  # when set, hanging answers continue
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    web: Web

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.web.asked.append(asked)
        answer = self.web.answers.pop(0) if self.web.answers else Answer()
        file = self.web.file if answer.body is None else answer.body
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and answer.ranges else 0
        status = answer.status if answer.status != 200 or not start else 206
        body = b"" if status >= 300 else file[start + answer.shift :]
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start + answer.shift}-{len(file) - 1}/{len(file)}")
        length = len(body) if answer.length == "true" else answer.length
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(body, answer)

    def _send(self, body: bytes, answer: Answer) -> None:
        self.wfile.write(body[: answer.cut])
        self.wfile.flush()
        if answer.hang:
            self.web.going.wait(20)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Ignore closed connections, which are part of the tests."""


@contextmanager
def serve(file: bytes, *answers: Answer, name: str = "file.tar.gz") -> Iterator[Web]:
    web = Web(file, *answers)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": web}))
    web.url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.going.set()
        server.shutdown()
        server.server_close()
