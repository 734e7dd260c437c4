"""A web server in the test's own process, whose pages are functions that may lie, stall and break off."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CERTIFICATE = Path(__file__).with_name("localhost.pem")


class Request(BaseHTTPRequestHandler):
    """One request, for the function that answers it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: the second would wait 40 ms for an answer
    site: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.site.asked.append((self.path, self.headers))
        page = self.site.pages.get(path)
        if page is None:
            self.reply(b"", status=404)
        elif isinstance(page, bytes):
            self.reply(page)
        else:
            page(self)

    def do_CONNECT(self) -> None:
        """Pass bytes on to and fro, wherever the tunnel is said to lead."""
        self.site.asked.append((self.path, self.headers))
        if self.site.behind is None:
            self.reply(b"", status=501)
            return
        with socket.create_connection(("127.0.0.1", self.site.behind)) as other:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.connection: other, other: self.connection}
            while all(_passed_on(end, ends[end]) for end in select.select([*ends], [], [])[0]):
                pass
        self.close_connection = True

    def reply(self, body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        """Answer; `length` is what the headers promise; in the names of headers `_` stands for `-`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Break off without a word."""
        self.close_connection = True
        self.connection.close()

    def log_message(self, *arguments: object) -> None:
        pass


def _passed_on(sender: socket.socket, receiver: socket.socket) -> bool:
    """Whether there was anything."""
    try:
        some = sender.recv(2**16)
        receiver.sendall(some)
    except OSError:
        return False
    return bool(some)


class Site:
    """The server: `pages` by path, and what it was asked, in order, with the headers.

    As a proxy it leads every tunnel to the port `behind`.
    """

    def __init__(self, *, tls: bool = False) -> None:
        """`tls`: it speaks that, as localhost and pictures.invalid, by the certificate `CERTIFICATE`."""
        self.behind: int | None = None
        self._scheme = "https" if tls else "http"
        self.pages: dict[str, bytes | Callable[[Request], None]] = {}
        self.asked: list[tuple[str, Message]] = []
        self.over = threading.Event()  # set at the end: a page that stalls waits for it
        self._server = Server(("127.0.0.1", 0), type("Bound", (Request,), {"site": self}))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def root(self) -> str:
        return f"{self._scheme}://{'localhost' if self._scheme == 'https' else '127.0.0.1'}:{self.port}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, without robots.txt."""
        return [path for path, _ in self.asked if path != "/robots.txt"]

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class Server(ThreadingHTTPServer):
    """Whose clients may go at any time."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # the other side may go at any time


@contextmanager
def serving(*, tls: bool = False) -> Iterator[Site]:
    """A site for the time of a block."""
    site = Site(tls=tls)
    try:
        yield site
    finally:
        site.close()
