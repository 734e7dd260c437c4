"""Bars of characters: blocks where the terminal's encoding has them, else `#`."""

from __future__ import annotations

import sys

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int, encoding: str | None = None) -> str:
    """A bar of `share` (0 to 1) of `width` characters, nothing behind it. `encoding`: that of standard output."""
    share = min(1.0, max(0.0, share))
    if not _has_blocks(encoding or getattr(sys.stdout, "encoding", None) or "ascii"):
        return "#" * round(share * width)
    whole, eighth = divmod(round(share * width * 8), 8)
    return "█" * whole + _EIGHTHS[eighth].strip()


def _has_blocks(encoding: str) -> bool:
    try:
        _EIGHTHS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
