"""Lines for people: results on standard output; messages on standard error, safe for any terminal."""

from __future__ import annotations

import enum
import os
import sys
from typing import TextIO

from pipeline.errors import PipelineError, printable


class OutputTrouble(PipelineError):
    """Standard output cannot be written: the disk that it goes to is full, or the like."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to standard output: {error.strerror or error}")


class Colour(enum.StrEnum):
    """The kind of a line, as terminals show it."""

    FAILURE = "31"  # red
    WARNING = "33"  # yellow


def complain(text: str, colour: Colour | None = None) -> None:
    """Write a line to standard error, if there is one. Never raises: an unwritten message changes nothing."""
    try:
        if sys.stderr is not None:
            safe = "\n".join(printable(line) for line in text.split("\n"))  # again, in case a caller did not
            sys.stderr.write(_painted(_fit(sys.stderr.encoding, safe), colour, sys.stderr) + "\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        pass


def _painted(text: str, colour: Colour | None, stream: TextIO) -> str:
    """`text` in `colour` where `stream` is a terminal that has colours and NO_COLOR is not set."""
    if colour is None or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb" or not stream.isatty():
        return text
    return "\n".join(f"\x1b[{colour}m{line}\x1b[0m" for line in text.split("\n"))


def tell(text: str, colour: Colour | None = None) -> None:
    """Write a line to standard output; nothing happens where that is closed.

    Raises `OutputTrouble`, or `BrokenPipeError` when the reader has gone, as `head` does.
    """
    if sys.stdout is not None:
        try:
            sys.stdout.write(_painted(_fit(sys.stdout.encoding, text), colour, sys.stdout) + "\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputTrouble(error) from error


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # closed
        return False


def _fit(encoding: str | None, text: str) -> str:
    """`text`, escaped where the stream's encoding lacks a character: LC_ALL=C must not turn a name into a traceback."""
    encoding = encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)
