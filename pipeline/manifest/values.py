"""Single values of the database: names of files as exact bytes, and checks of numbers and texts that are read.

A value that is used after the manifest is closed is checked while it is open, so that a damaged one raises `ValueError`
where the manifest can still be examined.
"""

from __future__ import annotations

import sys
from urllib.parse import quote_from_bytes

from pipeline.errors import printable

MOST = 2**63 - 1  # the largest size in bytes or pixels: a file with holes can have any that the kernel counts
LATEST = 253_402_300_799  # the last second of the year 9999
_ENCODING = sys.getfilesystemencoding()  # that of os.fsencode, read once, because `to_bytes` runs for every row
_UTF8 = _ENCODING.lower().replace("_", "-") == "utf-8"


def to_bytes(name: str) -> bytes:
    """The exact bytes of a name that came from `os.fsdecode`."""
    return name.encode(_ENCODING, "surrogateescape")


def to_name(raw: bytes) -> str:
    """The reverse of `to_bytes`."""
    return raw.decode(_ENCODING, "surrogateescape")


def shown(name: str) -> str | None:
    """The printable form of a name for the database; None where its bytes are printable UTF-8, as nearly always."""
    if _UTF8 and name.isprintable():
        return None
    return printable(name)


def percent(name: str) -> str:
    """The exact bytes of `name` in URL escapes, which are ASCII and reversible."""
    return quote_from_bytes(to_bytes(name))


def folder_of(path: str) -> str:
    """The folder part of a relative path; "" for the root."""
    return path.rpartition("/")[0]


def size(value: object) -> int | None:
    """A number of bytes, or None for NULL. Raises `ValueError` for anything else."""
    if value is None or (type(value) is int and 0 <= value <= MOST):
        return value
    raise ValueError("no size")


def moment(value: object) -> float:
    """Seconds since 1970. Raises `ValueError` for anything else."""
    if isinstance(value, int | float) and 0 <= value <= LATEST:
        return value
    raise ValueError("no time")


def word(value: object) -> str:
    """A text. Raises `ValueError` for bytes, which a column for text can hold, too."""
    if isinstance(value, str):
        return value
    raise ValueError("no text")
