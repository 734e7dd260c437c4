"""Serves a folder over HTTP, each answer after a while: a source of URLs that has to be waited for."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(slots=True)
class Served:
    """The server: its address, and when the first picture was asked for, by the monotonic clock."""

    root: str = ""
    first: float = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


@contextlib.contextmanager
def served(folder: Path, seconds: float) -> Iterator[Served]:
    """Answer for the files in `folder` after so many seconds, from a thread for each connection of this process."""
    files = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}
    told = Served()

    class Request(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = files.get(self.path)
            if content is not None:
                told.first = told.first or time.monotonic()
                time.sleep(seconds)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            pass

    with _Server(("127.0.0.1", 0), Request) as server:
        told.root = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield told
        server.shutdown()
