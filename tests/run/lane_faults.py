"""Lane processes with a fault in them, for tests: what a lane process calls in place of `pipeline.run.lane_main:serve`.

`FAULT` in the environment says which; `VICTIM` is part of a source's path, and `MARK` a file that holds a byte for each
time that the fault has come.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

from pipeline.errors import PictureError, SourceTrouble, TargetTrouble
from pipeline.model.record import Written
from pipeline.run import rendering
from pipeline.run.lane_main import serve as real
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from pipeline.targets.local import LocalTarget
from pipeline.targets.target import ToWrite
from pipeline.workers.peer import Messages
from pipeline.workers.token import Token

SERVE = "tests.run.lane_faults:serve"
_read = LocalSource.read
_write_all = LocalTarget.write_all
_sync = LocalTarget.sync
_spend = Token.spend


def _come() -> int:
    """How often the fault has come, this time included."""
    mark = os.open(os.environ["MARK"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX)  # threads and processes that come together are told different numbers
        os.write(mark, b"x")
        return os.fstat(mark).st_size
    finally:
        os.close(mark)


def _dying_read(self: LocalSource, source: str, *rest: Any) -> Picture:
    if os.environ["VICTIM"] in source and (_come() == 1 or "always" in os.environ["FAULT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return _read(self, source, *rest)


def _over_at_once(self: Token, ticks: float) -> bool:
    """The deadline of a call about the victim."""
    return _spend(self, ticks * 10_000 if os.environ["VICTIM"] in getattr(self.about, "source", "") else ticks)


def _hung_read(self: LocalSource, source: str, *rest: Any) -> Picture:
    if os.environ["VICTIM"] in source:
        _come()
        threading.Event().wait()
    return _read(self, source, *rest)


def _stopped_read(self: LocalSource, source: str, *rest: Any) -> Picture:
    if os.environ["VICTIM"] in source and _come() == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    return _read(self, source, *rest)


def _read_that_ends_its_worker(self: LocalSource, source: str, *rest: Any) -> Picture:
    if os.environ["VICTIM"] in source and _come() == 1:
        os.kill(os.getppid(), signal.SIGSTOP if "stops" in os.environ["FAULT"] else signal.SIGKILL)
    return _read(self, source, *rest)


def _defect(self: LocalSource, source: str, *rest: Any) -> Picture:
    if os.environ["VICTIM"] in source:
        raise ZeroDivisionError("as asked")
    return _read(self, source, *rest)


def _dying_after_writing(self: LocalTarget, files: Sequence[ToWrite]) -> list[Written | PictureError]:
    written = _write_all(self, files)
    if any(os.environ["VICTIM"] in file.path for file in files) and _come() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return written


def _dying_while_writing(self: LocalTarget, files: Sequence[ToWrite]) -> list[Written | PictureError]:
    if any(os.environ["VICTIM"] in file.path for file in files) and _come() == 1:
        place = self._root / os.path.dirname(files[0].path)
        place.mkdir(parents=True, exist_ok=True)
        (place / self._temporary()).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return _write_all(self, files)


def _full(self: LocalTarget, files: Sequence[ToWrite]) -> list[Written | PictureError]:
    if any(os.environ["VICTIM"] in file.path for file in files):
        raise TargetTrouble("no space left on the target's disk, as asked")
    return _write_all(self, files)


def _trouble(self: LocalSource) -> None:
    raise SourceTrouble("the source cannot be listed, as asked")


def _unsynced(self: LocalTarget) -> None:
    raise TargetTrouble("the target cannot be synced, as asked")


def serve(messages: Messages) -> None:
    """Be a lane with that fault."""
    LocalSource.settled = lambda self, source, stat, now: True  # type: ignore[method-assign]
    fault = os.environ.get("FAULT", "")
    if "all but one" in fault and _come() == 1:
        fault = ""
    if "dies at start" in fault:
        os._exit(1)
    if "hangs at start" in fault:
        threading.Event().wait()
    if "trouble at start" in fault:
        LocalSource.check = _trouble  # type: ignore[method-assign]
    if "dies in a read" in fault:
        LocalSource.read = _dying_read  # type: ignore[assignment, method-assign]
    if "dies after writing" in fault:
        LocalTarget.write_all = _dying_after_writing  # type: ignore[method-assign]
    if "dies while writing" in fault:
        LocalTarget.write_all = _dying_while_writing  # type: ignore[method-assign]
    if "given up" in fault:
        Token.spend = _over_at_once  # type: ignore[method-assign]
    if "hung read" in fault:
        LocalSource.read = _hung_read  # type: ignore[assignment, method-assign]
    if "stopped read" in fault:
        LocalSource.read = _stopped_read  # type: ignore[assignment, method-assign]
    if "its worker" in fault:
        LocalSource.read = _read_that_ends_its_worker  # type: ignore[assignment, method-assign]
    if "defect" in fault:
        LocalSource.read = _defect  # type: ignore[assignment, method-assign]
    if "full" in fault:
        LocalTarget.write_all = _full  # type: ignore[method-assign]
    if "unsynced" in fault:
        LocalTarget.sync = _unsynced  # type: ignore[method-assign]
    if "no child" in fault:
        rendering._RENDER = "no_such_module:render"
    real(messages)
