"""Requests to hosts: one `Client` for all threads of a process, which share its connections."""

from __future__ import annotations

import base64
import errno
import http.client
import re
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import unquote

from pipeline import __version__
from pipeline.config.settings import UrlSettings
from pipeline.sources.urls import addresses, robots
from pipeline.sources.urls.connection import Clock, Connection, tls
from pipeline.sources.urls.hosts import Hosts
from pipeline.sources.urls.names import Origin, Place, followed, place
from pipeline.sources.urls.robots import Rules

REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 500, 502, 503, 504})
_PUT_UP_WITH = 2**16  # bytes of an unwanted body that are read so that its connection can be used again


class Status(Exception):
    """An answer other than the one wanted. The text has only its number: the rest of it is the server's."""

    def __init__(self, status: int, retry_after: str | None = None) -> None:
        super().__init__(status, retry_after)
        self.status = status
        self.retry_after = retry_after

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in _BUSY

    def __str__(self) -> str:
        return f"{self.status} {http.client.responses.get(self.status, '')}".strip()


class Exchange:
    """A request and the answer to it. One of `finish` and `close` must be called, in the end."""

    def __init__(self, at: Place, answer: http.client.HTTPResponse, connection: Connection, hosts: Hosts) -> None:
        self.at = at
        self.answer = answer
        self._connection = connection
        self._hosts = hosts

    def until(self, until: float) -> None:
        """Set another deadline, by the monotonic clock."""
        self._connection.clock.until = until

    def finish(self) -> None:
        """Keep the connection, if what is left of the body is little and comes; else close it."""
        answer = self.answer
        little = answer.length is None or 0 < answer.length <= _PUT_UP_WITH
        if little and not answer.will_close and not answer.isclosed():
            with suppress(OSError, http.client.HTTPException):
                answer.read(_PUT_UP_WITH)
        whole = answer.isclosed() or answer.length == 0
        answer.close()
        if whole and not answer.will_close:
            self._hosts.keep(self._connection)
        else:
            self._connection.close()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self.answer.close()
        self._connection.close()

    @property
    def to(self) -> Place | None:
        """Where the answer leads to instead; None for one that leads nowhere. Raises `ValueError`."""
        location = self.answer.headers.get("Location")
        if self.answer.status not in _MOVED or not location:
            return None
        with suppress(UnicodeDecodeError):  # http.client reads Latin-1; what is not quoted is mostly UTF-8
            location = location.encode("latin-1").decode()
        return followed(self.at, location)


class Client:
    """Asks hosts, politely, at addresses that are allowed. Thread-safe."""

    def __init__(self, settings: UrlSettings) -> None:
        self._settings = settings
        self.heeds_robots = settings.robots
        self.hosts = Hosts(settings.per_host, settings.rate)
        self._agent = settings.user_agent or f"{robots.AGENT}/{__version__}"
        self._proxies = urllib.request.getproxies() if settings.proxy else {}

    def ask(self, at: Place, headers: Mapping[str, str], until: float) -> Exchange:
        """Ask for a URL. A connection that its server has closed while it was idle is opened again, once.

        Raises `OSError`, `HTTPException`, `addresses.Refused` and `GivenUp`.
        """
        connection = self.hosts.connection(at.origin, lambda: self._new(at.origin))
        try:
            return Exchange(at, self._asked(connection, at, headers, until), connection, self.hosts)
        except BaseException:
            connection.close()
            raise

    def rules(self, origin: Origin, until: float) -> Rules:
        """What the host's robots.txt allows; asked for once. Raises as `ask` does, and `Status` and `ValueError`."""
        host = self.hosts.of(origin)
        if not self._settings.robots:
            return Rules()
        if host.robots is None:
            with _in_time(host.robots_lock, until):
                if host.robots is None:
                    host.robots = self._robots(place(f"{origin.scheme}://{origin}/robots.txt"), until)
        return host.robots

    def _robots(self, at: Place, until: float) -> Rules:
        for _ in range(REDIRECTS + 1):
            exchange = self.ask(at, {}, until)
            try:
                answer, to, text = exchange.answer, exchange.to, b""
                while answer.status == http.client.OK and len(text) < robots.MOST and (more := answer.read1(2**16)):
                    text += more
                exchange.finish()
            except BaseException:
                exchange.close()
                raise
            if to is None:
                status = Status(answer.status, answer.headers.get("Retry-After"))
                if status.passes or status.status >= http.client.INTERNAL_SERVER_ERROR:
                    raise status  # what it says is unknown; one that is missing or closed (4xx) allows all
                return robots.parse(text.decode(errors="replace")) if answer.status == http.client.OK else Rules()
            at = to
        return Rules()  # as if there were none

    def _new(self, origin: Origin) -> Connection:
        return Connection(origin, self._opened, Clock(self._settings.silence))

    def _asked(
        self, connection: Connection, at: Place, headers: Mapping[str, str], until: float
    ) -> http.client.HTTPResponse:
        whole = {"User-Agent": self._agent, "Accept": "image/*, */*;q=0.1", "Accept-Encoding": "identity", **headers}
        if at.user:
            whole["Authorization"] = basic(at.user)
        target = at.target
        if at.origin.scheme == "http" and (proxy := self._proxy(at.origin)) is not None:
            target = f"http://{at.origin}{target}"
            if proxy.user:
                whole["Proxy-Authorization"] = basic(proxy.user)
        was_used = connection.used
        try:
            return connection.ask(target, whole, until)
        except ConnectionError:
            if not was_used:
                raise
            connection.close()
            return connection.ask(target, whole, until)

    def _opened(self, origin: Origin, left: Callable[[], float]) -> socket.socket:
        """A socket that leads to `origin`; `left` as in `Clock`. Raises `OSError` and `addresses.Refused`."""
        left()  # raises where no time is left, which says nothing about the host
        try:
            sock = self._led(origin, left)
        except OSError as error:
            self.hosts.failed(origin, what(error))
            raise
        except addresses.Refused as error:
            self.hosts.refuse(origin, str(error))
            raise
        self.hosts.connected(origin)
        return sock

    def _led(self, origin: Origin, left: Callable[[], float]) -> socket.socket:
        """As `_opened`."""

        def each() -> float:
            return min(left(), self._settings.connect)

        proxy = self._proxy(origin)
        if proxy is None:
            sock = addresses.connect(origin.host, origin.port, each, allow_private=self._settings.allow_private)
        else:  # it may be private: the config allows it; where it leads to is its own affair
            sock = addresses.connect(proxy.origin.host, proxy.origin.port, each, allow_private=True)
        if origin.scheme == "http":
            return sock
        try:
            if proxy is not None:
                _tunnel(sock, origin, proxy, each)
            sock.settimeout(each())
            return tls().wrap_socket(sock, server_hostname=origin.host)
        except BaseException:
            sock.close()
            raise

    def _proxy(self, origin: Origin) -> Place | None:
        url = self._proxies.get(origin.scheme) or self._proxies.get("all")
        if url is None or urllib.request.proxy_bypass(str(origin)):
            return None
        with suppress(ValueError):
            return place(url if "://" in url else f"http://{url}")
        return None


@contextmanager
def _in_time(lock: threading.Lock, until: float) -> Iterator[None]:
    """As `with lock`, but raises `TimeoutError` where it is not free in time."""
    if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
        raise TimeoutError("timed out")
    try:
        yield
    finally:
        lock.release()


def _tunnel(sock: socket.socket, origin: Origin, proxy: Place, left: Callable[[], float]) -> None:
    """Have a proxy pass on what is sent; `left` as in `Clock`, for each of its bytes anew. Raises `OSError`."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    lines = [f"CONNECT {host}:{origin.port} HTTP/1.1", f"Host: {host}:{origin.port}"]
    if proxy.user:
        lines.append(f"Proxy-Authorization: {basic(proxy.user)}")
    sock.settimeout(left())
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _PUT_UP_WITH:
        sock.settimeout(left())
        if not (byte := sock.recv(1)):  # one at a time: what follows is the server's
            break
        head += byte
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if status is None or status[1][:1] != b"2":
        said = status[1].decode() if status else "in another protocol"
        raise OSError(errno.EPROTO, f"the proxy answers {said}")


def what(error: OSError) -> str:
    """What an error of a connection says that is no text of the server's: it could repeat what it was asked."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return error.strerror or "the connection failed"


def basic(user: str) -> str:
    """The value of a header that gives user and password, as they stand in a URL."""
    return "Basic " + base64.b64encode(unquote(user).encode()).decode()
