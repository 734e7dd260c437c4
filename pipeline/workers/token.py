"""The right to work on one item. The work checks it wherever it waits; the supervisor can take it away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

TICK = 0.1
"""Seconds between two looks at a token while waiting. Waits are counted in ticks, not by the clock: a stopped process,
a sleeping machine or a stepped clock then costs one tick and never a picture."""


class Revoked(Exception):
    """The token was revoked. The work's result is dropped, and its item stays pending."""


class Token:
    """One item's token. Any thread may revoke it, once; its holder learns of it within a tick."""

    __slots__ = ("_left", "_lock", "_revoked", "about")

    def __init__(self) -> None:
        self._revoked = threading.Event()
        self._lock = threading.Lock()
        self._left: float | None = None  # ticks of the deadline its holder has set itself
        self.about: object = None  # what the call under that deadline, the last one, was about

    @property
    def revoked(self) -> bool:
        """Whether the token was taken away."""
        return self._revoked.is_set()

    def revoke(self) -> None:
        """Take the token away."""
        self._revoked.set()

    def check(self) -> None:
        """Raise `Revoked` if the token was taken away."""
        if self._revoked.is_set():
            raise Revoked

    def wait(self, seconds: float) -> None:
        """Let so many seconds pass. Raises `Revoked` as soon as the token is taken away."""
        if self._revoked.wait(seconds):
            raise Revoked

    @contextmanager
    def deadline(self, ticks: float, about: object = None) -> Iterator[None]:
        """A block around a call `about` something, which may never return: it may take so many ticks of the supervisor.

        After that the token is revoked and the item given up. A block that ends later raises `Revoked` in place of any
        other exception, so that either the block or the deadline decides, never both. For the token's holder.
        """
        with self._lock:
            self._left, self.about = ticks, about
        try:
            yield
        finally:
            with self._lock:
                self._left = None
            self.check()

    def spend(self, ticks: float) -> bool:
        """For its supervisor: count so many ticks. True, once, when that ends the deadline and so revokes the token."""
        with self._lock:
            if self._left is None or self._revoked.is_set():
                return False
            self._left -= ticks
            if self._left > 0:
                return False
            self._revoked.set()
            return True
