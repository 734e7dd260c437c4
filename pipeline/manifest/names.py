"""Names of files as the database keeps them: the exact bytes, and a printable form only where it would differ."""

from __future__ import annotations

import sys
from urllib.parse import quote_from_bytes

from pipeline.errors import printable

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
