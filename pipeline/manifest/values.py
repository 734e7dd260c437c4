"""Values from a manifest that are used after it is closed: one that cannot be is a `ValueError` while it is open."""

from __future__ import annotations

MOST = 2**63 - 1  # of bytes, pixels and the like: a file with holes can be as large as the kernel counts
LATEST = 253_402_300_799  # the last second of the year 9999


def size(value: object) -> int | None:
    """Bytes, or NULL."""
    if value is None or (type(value) is int and 0 <= value <= MOST):
        return value
    raise ValueError("no size")


def moment(value: object) -> float:
    """Seconds since 1970."""
    if isinstance(value, int | float) and 0 <= value <= LATEST:
        return value
    raise ValueError("no time")


def word(value: object) -> str:
    """A text: a column of that type also keeps bytes."""
    if isinstance(value, str):
        return value
    raise ValueError("no text")
