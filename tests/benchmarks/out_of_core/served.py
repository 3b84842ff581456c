"""A store behind HTTP on the loopback interface that counts what is read of it."""

from __future__ import annotations

import contextlib
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


class Served(ThreadingHTTPServer):
    """Files below a folder, whole or by range."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root.resolve()
        self.chunk_bytes = 0
        "Bytes of stored chunks that were sent; metadata are not counted."
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def count(self, path: Path, sent: int) -> None:
        if (
            "c" in path.relative_to(self.root).parts
        ):  # as Zarr calls the folder of an array's chunks
            with self._lock:
                self.chunk_bytes += sent


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Served

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = (self.server.root / self.path.partition("?")[0].lstrip("/")).resolve()
        if not path.is_relative_to(self.server.root) or not path.is_file():
            self._head(HTTPStatus.NOT_FOUND, 0)
            return
        size = path.stat().st_size
        asked = self.headers.get("Range")
        part = slice(0, size) if asked is None else byte_range(asked, size)
        if part is None:
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, f"bytes */{size}")
            return
        length = part.stop - part.start
        if asked is None:
            self._head(HTTPStatus.OK, length)
        else:
            told = f"bytes {part.start}-{part.stop - 1}/{size}"
            self._head(HTTPStatus.PARTIAL_CONTENT, length, told)
        if body:
            self.server.count(path, length)
            with path.open("rb") as file:
                file.seek(part.start)
                self.wfile.write(file.read(length))

    def _head(self, status: HTTPStatus, length: int, content_range: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("Accept-Ranges", "bytes")
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def byte_range(asked: str, size: int) -> slice | None:
    """Return the bytes of a ``Range`` header of one range, or None if there are none such.

    >>> byte_range("bytes=2-4", 10), byte_range("bytes=7-", 10), byte_range("bytes=-3", 10)
    (slice(2, 5, None), slice(7, 10, None), slice(7, 10, None))
    >>> byte_range("bytes=10-12", 10)
    """
    match = _RANGE.match(asked)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    return slice(start, stop) if start < stop else None


@contextlib.contextmanager
def served(root: Path) -> Iterator[Served]:
    """Serve a folder from threads of this process."""
    with Served(root) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
