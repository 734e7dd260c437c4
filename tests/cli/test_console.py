from __future__ import annotations

import io

import pytest

from pipeline.cli.console import Colour, complain, tell


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def complained(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    complain("one\ntwo\x1b[1m", Colour.FAILURE)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_failures_are_red_on_a_terminal_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complained(monkeypatch, Terminal()) == "\x1b[31mone\x1b[0m\n\x1b[31mtwo\\x1b[1m\x1b[0m\n"


def test_there_is_no_colour_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in complained(monkeypatch, io.StringIO())


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_there_is_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in complained(monkeypatch, Terminal())


def test_standard_output_has_its_own_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    tell("slow", Colour.WARNING)
    assert stream.getvalue() == "\x1b[33mslow\x1b[0m\n"
