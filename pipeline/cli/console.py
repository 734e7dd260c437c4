"""Words for people: to standard error, safe for any terminal; and how numbers are said."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from pipeline.errors import PipelineError, printable


class OutputTrouble(PipelineError):
    """What was asked for cannot be delivered: the disk that standard output goes to is full, or the like."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to standard output: {error.strerror or error}")


def complain(text: str) -> None:
    """Write a line to standard error, if there is one. Never raises: a message that cannot be told changes nothing."""
    try:
        if sys.stderr is not None:
            safe = "\n".join(printable(line) for line in text.split("\n"))  # a net below those who made the text
            sys.stderr.write(_fit(sys.stderr.encoding, safe) + "\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        pass


def tell(text: str) -> None:
    """Write a line to standard output; nothing happens where that is closed.

    Raises `OutputTrouble`, or `BrokenPipeError` when the reader has gone, as `head` does.
    """
    if sys.stdout is not None:
        try:
            sys.stdout.write(_fit(sys.stdout.encoding, text) + "\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputTrouble(error) from error


def on_terminal() -> bool:
    """Whether a person is watching standard error."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # closed
        return False


def _fit(encoding: str | None, text: str) -> str:
    """`text` with what the stream's encoding cannot hold escaped: LC_ALL=C must not turn a name into a traceback."""
    encoding = encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


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


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 picture`, `1,234 pictures`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def of_each(counts: Mapping[str, int]) -> str:
    """Numbers of pictures or renditions by status or reason, those that are none left out: `3 done, 2 known failures`.

    Words that end like a noun have a plural, the others say how it was.
    """
    return ", ".join(
        count(number, word) if word.endswith("failure") else f"{number:,} {word}"
        for word, number in counts.items()
        if number
    )
