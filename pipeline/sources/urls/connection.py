"""One HTTP connection whose calls end in time.

http.client bounds a single `recv` at the most. Here each one also ends at the deadline of the whole request, so that a
server which sends a byte every few seconds gains nothing by it, in the headers or in the body.
"""

from __future__ import annotations

import functools
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from pipeline.sources.urls.names import PORTS, Origin

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Clock:
    """The deadline of the request that a connection serves, and how long it waits for any one answer (seconds)."""

    def __init__(self, each: float) -> None:
        self._each = each
        self.until = 0.0  # by the monotonic clock

    def left(self) -> float:
        """Seconds that the next call may take. Raises `TimeoutError` if there are none."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return min(left, self._each)


class Connection(http.client.HTTPConnection):
    """A connection to `origin`, kept alive from request to request. For one thread at a time."""

    def __init__(
        self, origin: Origin, opened: Callable[[Origin, Callable[[], float]], socket.socket], clock: Clock
    ) -> None:
        """`opened` connects within `clock.left` and returns the socket, with TLS where the origin has it."""
        super().__init__(origin.host, origin.port)
        self.default_port = PORTS[origin.scheme]  # is not in the header Host, which signatures of URLs are made for
        self.origin = origin
        self.clock = clock
        self._opened = opened
        self.used = False  # whether an answer has come: then the server may have closed it meanwhile

    def connect(self) -> None:
        """See `HTTPConnection`."""
        self.sock = cast(socket.socket, _InTime(self._opened(self.origin, self.clock.left), self.clock))

    def ask(self, target: str, headers: Mapping[str, str], until: float) -> http.client.HTTPResponse:
        """Send a GET request; returns the answer with its headers read. Raises `OSError` and `HTTPException`."""
        self.clock.until = until
        self.request("GET", target, headers=dict(headers))
        answer = self.getresponse()
        self.used = True
        return answer


class _InTime:
    """The part of a socket that http.client uses."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._sock = sock
        self._clock = clock

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._clock.left())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(_Stream(self._sock, self._clock), 2**16)

    def close(self) -> None:
        self._sock.close()


class _Stream(io.RawIOBase):
    """The bytes that come; the socket lives until this is closed."""

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._sock = sock
        self._raw = cast(io.RawIOBase, sock.makefile("rb", buffering=0))
        self._clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._clock.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


@functools.cache
def tls() -> ssl.SSLContext:
    """The context of all TLS connections: the system's certificates, names checked."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
