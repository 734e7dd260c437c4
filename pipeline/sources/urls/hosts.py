"""How much is asked of each host at a time, and the connections that are kept alive to it.

A host gets `per_host` requests at once and `rate` a second at the most, and nothing while it has asked to be left alone
(`Retry-After`). A thread waits for its turn before its deadline begins. A host that cannot be reached is given up, so
that each of its pictures does not cost the time of four attempts; so is one whose address is refused.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.sources.urls.addresses import Refused
from pipeline.sources.urls.connection import Connection
from pipeline.sources.urls.names import Origin
from pipeline.sources.urls.robots import Rules
from pipeline.workers.token import TICK, Token

_KEPT = 256  # idle connections of all hosts together: descriptors that nothing else can use meanwhile
_FAILURES, _FOR = 20, 30.0  # connections in a row that fail, and seconds that they do, before a host is given up
_IDLE = 30.0  # seconds after which many servers have closed a connection


class GivenUp(Exception):
    """A host that could not be reached is not asked any more. The text says why."""


class Host:
    """One host as this process knows it; its fields are guarded by the lock of `Hosts`, `robots` by one of its own."""

    __slots__ = ("at_work", "failed", "failing_since", "given_up", "idle", "next", "refused", "robots", "robots_lock")

    def __init__(self) -> None:
        self.at_work = 0
        self.next = 0.0  # when the next request may begin, by the monotonic clock
        self.idle: list[tuple[float, Connection]] = []  # since when; the last used is the first to be used again
        self.failed = 0  # connections in a row
        self.failing_since = 0.0  # when the first of them failed, by the monotonic clock
        self.given_up = ""  # why; "" as long as it is asked
        self.refused = ""  # why its address is; "" as long as it is asked
        self.robots: Rules | None = None  # None: not yet known
        self.robots_lock = threading.Lock()


class Hosts:
    """All hosts of one process. Thread-safe."""

    def __init__(self, per_host: int, rate: float | None) -> None:
        """`rate`: requests a second to each host; None: as they come."""
        self._per_host = per_host
        self._pause = 0.0 if rate is None else 1 / rate
        self._turns = threading.Condition()
        self._hosts: dict[Origin, Host] = {}
        self._kept: OrderedDict[Connection, Host] = OrderedDict()  # idle ones, the oldest first

    def of(self, origin: Origin) -> Host:
        """The host of an origin."""
        with self._turns:
            return self._hosts.setdefault(origin, Host())

    @contextmanager
    def turn(self, origin: Origin, token: Token) -> Iterator[None]:
        """Wait until the host may be asked, and count as one of its requests until the block ends. Raises `Revoked`."""
        host = self.of(origin)
        with self._turns:
            while (wait := self._wait(host)) > 0:
                token.check()
                self._turns.wait(min(wait, TICK))
            host.at_work += 1
            if not host.refused:
                host.next = max(host.next, time.monotonic()) + self._pause
        try:
            yield
        finally:
            with self._turns:
                host.at_work -= 1
                self._turns.notify_all()

    def _wait(self, host: Host) -> float:
        """Seconds until the host may be asked, or until it is worth looking again; 0 or less: now."""
        if host.given_up or host.refused:
            return 0.0
        return TICK if host.at_work >= self._per_host else host.next - time.monotonic()

    def leave_alone(self, origin: Origin, seconds: float) -> None:
        """Ask nothing more of a host for a while."""
        with self._turns:
            host = self._hosts[origin]
            host.next = max(host.next, time.monotonic() + seconds)

    def connected(self, origin: Origin) -> None:
        """Note that a connection was made."""
        with self._turns:
            self._hosts[origin].failed = 0

    def failed(self, origin: Origin, why: str) -> None:
        """Note that none could be made."""
        with self._turns:
            host = self._hosts[origin]
            now = time.monotonic()
            host.failing_since = host.failing_since if host.failed else now
            host.failed += 1
            if host.failed >= _FAILURES and now - host.failing_since >= _FOR:
                host.given_up = f"not asked any more: {host.failed} connections in a row failed ({why})"
                self._turns.notify_all()

    def refuse(self, origin: Origin, why: str) -> None:
        """Note that its address is refused: nothing is asked of it any more, so nothing has to wait for its turn."""
        with self._turns:
            self._hosts[origin].refused = why
            self._turns.notify_all()

    def connection(self, origin: Origin, new: Callable[[], Connection]) -> Connection:
        """An idle connection to the origin, or a new one. Raises `GivenUp` and `Refused`."""
        host = self.of(origin)
        with self._turns:
            if host.refused:
                raise Refused(host.refused)
            if host.given_up:
                raise GivenUp(host.given_up)
            while host.idle:
                since, connection = host.idle.pop()
                del self._kept[connection]
                if time.monotonic() - since < _IDLE:
                    return connection
                connection.close()
        return new()

    def close(self) -> None:
        """Close all idle connections."""
        with self._turns:
            while self._kept:
                connection, host = self._kept.popitem()
                host.idle.clear()
                connection.close()

    def keep(self, connection: Connection) -> None:
        """Keep a connection whose answer has been read to its end for the next request."""
        with self._turns:
            host = self._hosts[connection.origin]
            host.idle.append((time.monotonic(), connection))
            self._kept[connection] = host
            if len(self._kept) > _KEPT:
                oldest, of = self._kept.popitem(last=False)
                of.idle = [pair for pair in of.idle if pair[1] is not oldest]
                oldest.close()
