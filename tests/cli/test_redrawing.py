from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest

from pipeline.cli.redrawing import Line


class Terminal:
    """A line on a terminal of our own."""

    def __init__(self, columns: int) -> None:
        self._ours, theirs = pty.openpty()
        self._file = os.fdopen(theirs, "w", encoding="utf-8", newline="")
        self.resize(columns)
        self.line = Line(self._file)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._file.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def draw(self, text: str) -> str:
        self.line(text)
        return os.read(self._ours, 1000).decode()

    def close(self) -> None:
        self._file.close()
        os.close(self._ours)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal(80)
    yield terminal
    terminal.close()


def test_a_line_takes_the_place_of_the_one_before(terminal: Terminal) -> None:
    assert terminal.draw("x" * 80) == "\r\x1b[K" + "x" * 80
    assert terminal.draw("short") == "\r\x1b[Kshort"


def test_the_rows_that_a_narrower_terminal_has_made_of_it_are_erased(terminal: Terminal) -> None:
    terminal.draw("x" * 80)
    terminal.resize(30)
    assert terminal.draw("y" * 30) == "\r\x1b[K" + "\x1b[A\x1b[K" * 2 + "y" * 30
    terminal.resize(120)
    assert terminal.draw("z" * 120) == "\r\x1b[K" + "z" * 120


def test_characters_count_as_wide_as_they_are(terminal: Terminal) -> None:
    terminal.draw("\u732b" * 40)
    terminal.resize(79)
    assert terminal.draw("") == "\r\x1b[K\x1b[A\x1b[K"
