"""One HTTP connection: what it sends."""

from __future__ import annotations

import socket
import time

import pytest

from pipeline.sources.urls.connection import Clock, Connection
from pipeline.sources.urls.names import Origin


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (Origin("http", "example.org", 80), b"example.org"),
        (Origin("https", "example.org", 443), b"example.org"),
        (Origin("https", "example.org", 8443), b"example.org:8443"),
        (Origin("http", "example.org", 443), b"example.org:443"),
    ],
)
def test_the_host_that_is_sent_has_a_port_only_where_the_url_needs_one(origin: Origin, host: bytes) -> None:
    """A signed URL is signed for its host as it stands there."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        connection = Connection(origin, lambda _, __: ours, Clock(10.0))
        connection.ask("/", {}, time.monotonic() + 10).close()
        connection.close()
        assert b"\r\nHost: %s\r\n" % host in theirs.recv(1000)
