"""The command line with a fault in it, as a process of its own: python -m tests.run.program FAULT run CONFIG ...

`MARK` is a pipe with a name: a byte in it says that the fault has come. `GATE` is another: a byte from it ends a wait.
`MARK`.heard is a third: a byte in it for each signal that was heard.
`PATIENCE`: ticks that a stopped run which is in no haste waits for pictures in flight, and for threads that hang.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.cli.main import main
from pipeline.errors import ExitStatus
from pipeline.run import rendering, stop
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Folder, Picture
from pipeline.workers import crew, process

_read = LocalSource.read
_request = stop.Stop.request


def _mark() -> None:
    os.write(os.open(os.environ["MARK"], os.O_RDWR), b"x")


def _heard(self: stop.Stop, status: ExitStatus) -> None:
    _request(self, status)
    os.write(os.open(os.environ["MARK"] + ".heard", os.O_RDWR), b"x")


def _wait(gate: str) -> None:
    os.read(os.open(gate, os.O_RDWR), 1)


def _hung_read(self: LocalSource, source: str, *rest: Any) -> Picture:
    if "hang" in source:
        _mark()
        _wait(os.environ["MARK"] + ".never")
    return _read(self, source, *rest)


def _gated_read(self: LocalSource, source: str, *rest: Any) -> Picture:
    if "gate" in source:
        _mark()
        _wait(os.environ["GATE"])
    return _read(self, source, *rest)


def _hung_scan(self: LocalSource, apart: Sequence[Path]) -> Iterator[Folder]:
    _mark()
    _wait(os.environ["MARK"] + ".never")
    yield from ()


if __name__ == "__main__":
    fault = sys.argv.pop(1)
    stop.Stop.request = _heard  # type: ignore[method-assign]
    if ticks := int(os.environ.get("PATIENCE", "0")):
        stop._PATIENCE = 3 * ticks
        crew._PATIENCE = crew.Crew.__init__.__kwdefaults__["grace"] = ticks  # type: ignore[index]
    if fault == "spin":
        rendering._RENDER = "tests.run.renderers:misbehaving"
        process._PASSED |= {"MARK", "VICTIM", "MISCHIEF"}
    elif fault == "hung read":
        LocalSource.read = _hung_read  # type: ignore[assignment, method-assign]
    elif fault == "gate":
        LocalSource.read = _gated_read  # type: ignore[assignment, method-assign]
    elif fault == "hung scan":
        LocalSource.folders = _hung_scan  # type: ignore[assignment, method-assign]
    main()
