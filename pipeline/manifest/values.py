"""Single values as the database keeps them: names of files as exact bytes, and checks of what is read back.

A value that is used after the manifest is closed is checked while it is open: a wrong one is a `ValueError` there.
"""

from __future__ import annotations

import sys
from urllib.parse import quote_from_bytes

from pipeline.errors import printable

MOST = 2**63 - 1  # of bytes, pixels and the like: a file with holes can be as large as the kernel counts
LATEST = 253_402_300_799  # the last second of the year 9999
_ENCODING = sys.getfilesystemencoding()  # what os.fsencode uses; asked once, because these run for every row
_UTF8 = _ENCODING.lower().replace("_", "-") == "utf-8"


def to_bytes(name: str) -> bytes:
    """The exact bytes of a name that came from `os.fsdecode`."""
    return name.encode(_ENCODING, "surrogateescape")


def to_name(raw: bytes) -> str:
    """The reverse of `to_bytes`."""
    return raw.decode(_ENCODING, "surrogateescape")


def shown(name: str) -> str | None:
    """The printable form for the database, or None where the bytes themselves are printable UTF-8 (nearly always)."""
    if _UTF8 and name.isprintable():
        return None
    return printable(name)


def percent(name: str) -> str:
    """The exact bytes of `name` in URL escapes: reversible, on one line, ASCII."""
    return quote_from_bytes(to_bytes(name))


def folder_of(path: str) -> str:
    """The folder part of a relative path; "" for the root."""
    return path.rpartition("/")[0]


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
