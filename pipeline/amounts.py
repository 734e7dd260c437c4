"""Numbers as text: bytes, seconds and counts, in messages and on pages."""

from __future__ import annotations

from collections.abc import Mapping


def size(count: float) -> str:
    """Bytes as people read them: 512 B, 3.4 kB, 28.1 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds as people read them: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def pace(pictures: float, seconds: float, unit: str = " pictures a second") -> str:
    """`5.3 pictures a second`, or below one `20 s a picture`. `unit`: other words for those above one."""
    if 0 < pictures < seconds:
        return f"{duration(seconds / pictures)} a picture"
    return f"{pictures / seconds:.1f}{unit}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """`1 picture`, `1,234 pictures`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def of_each(counts: Mapping[str, int]) -> str:
    """Numbers of pictures or renditions by status or reason, without zeros: `3 done, 2 known failures`.

    Words that end like a noun get a plural, the others stay as they are.
    """
    return ", ".join(
        count(number, word) if word.endswith("failure") else f"{number:,} {word}"
        for word, number in counts.items()
        if number
    )
