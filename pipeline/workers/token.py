"""The right to work on one item. Whoever holds it checks it wherever it waits; whoever supervises can take it away."""

from __future__ import annotations

import threading

TICK = 0.1
"""Seconds between two looks at a token while waiting. Waits are counted in ticks, not by the clock: a stopped process,
a sleeping machine or a stepped clock then costs one tick and never a picture."""


class Revoked(Exception):
    """The token was taken away. What the work made is dropped; what it was about stays pending."""


class Token:
    """One item's token. Any thread may revoke it, once; its holder learns of it within a tick."""

    __slots__ = ("_revoked",)

    def __init__(self) -> None:
        self._revoked = threading.Event()

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
