"""The watch: waits for changes of the sources, and starts a run for them.

Each run is a process of its own, started by a command line: its lock, manifest, limits and signals are those of every
run, and nothing that it leaves behind (memory, hung threads) stays with the watch, which goes on for months.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from pipeline.amounts import duration
from pipeline.config.settings import Config
from pipeline.errors import ExitStatus
from pipeline.model.record import Status
from pipeline.run.stop import STATUS_OF
from pipeline.run.watching.events import Events, Wakes, identity, why_none
from pipeline.run.watching.fingerprint import fingerprint, state_of
from pipeline.workers import sealed

_TICK = 10.0  # seconds: how often it is seen that the config is another one, or a source's folder (a disk was mounted)
_LONGEST_QUIET = 10  # times `settle`: so long do changes that never end put a run off
_MARGIN = 0.2  # seconds beyond `settle`, so that a file is old enough when the run looks at it
_POLL = 60.0  # seconds between two looks where there are no events
_FIRST_RETRY = 10.0  # seconds until a run that could not finish is tried again; doubled each time, up to `interval`
_GOES_ON = 10.0  # seconds until a run follows one that was out of time
_LONGEST_SUMMARY = 16 * 2**20  # bytes
_DONE = (ExitStatus.OK, ExitStatus.FAILED, ExitStatus.TIME_UP)


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """The options of the command line. Times are in seconds."""

    settle: float = 2.0  # how long a file has to be unchanged before it is taken
    interval: float = 3600.0  # between two runs of which nothing asks
    poll: float | None = None  # look so often instead of waiting for events; None: only where there are none


class Watch:
    """One watch, in the main thread."""

    def __init__(
        self, read_config: Callable[[], Config], run: Sequence[str], options: WatchOptions, say: Callable[[str], None]
    ) -> None:
        """`read_config` may raise `ConfigError`, which ends the watch. `run` is the command line of a run that prints
        its summary as JSON; the time to settle is added to it. `say` is called with lines for people.
        """
        self._read_config = read_config
        self._config = read_config()
        self._run = tuple(run)
        self._options = options
        self._say = say
        self._signal: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._events: Events | None = None
        self._no_events = ""  # why they came to an end
        self._told = ""  # why there are none, as said last
        self._config_state = b""  # of its file, when it was read last
        self._seen = b""  # the fingerprint when the last run began
        self._due = 0.0  # when a run begins
        self._not_before = 0.0  # when one may begin: the last one could not finish
        self._retry = _FIRST_RETRY

    def to_its_end(self) -> ExitStatus:
        """Watch until a signal comes, and give its status. Raises `ConfigError` once the config is wrong."""
        with Wakes() as wakes, self._listening():
            try:
                while self._signal is None:
                    self._listen(wakes)
                    begins = max(self._due, self._not_before)
                    if time.monotonic() >= begins:
                        self._carry_out()
                    elif self._has_changed(wakes, begins - time.monotonic()):
                        self._due = time.monotonic()
            finally:
                self._end_events()
        return STATUS_OF[signal.Signals(self._signal)]

    def _listen(self, wakes: Wakes) -> None:
        """Listen for events where they come. Another folder in a source's place is listened to, and looked at."""
        folders = _folders(self._config)
        if self._events is not None:
            if self._events.identity == identity(folders) and not self._events.trouble:
                return
            self._no_events = self._events.trouble
            self._end_events()
        why = "" if self._options.poll is not None else self._no_events or _no_events(self._config) or why_none(folders)
        if why and why != self._told:
            self._say(f"{why}: looks every {duration(self._often)} instead")
        self._told = why or self._told  # until events have come for as long as nothing was run
        if not why and self._options.poll is None and all(identity(folders)):
            self._events = Events(folders, self._config.target.folders, wakes)

    @property
    def _often(self) -> float:
        """Seconds between two looks without events."""
        return self._options.poll or _POLL

    def _has_changed(self, wakes: Wakes, left: float) -> bool:
        """Wait for a while, `left` at the most. Gives whether sources or config are others than the last run saw."""
        woken = wakes.wait(min(left, _TICK if self._events else self._often))
        if self._events is not None and not woken:
            woken = state_of(self._config.path) != self._config_state  # may be in no folder that is listened to
            if not woken:
                return False
        quiet = self._options.settle + _MARGIN
        end = time.monotonic() + _LONGEST_QUIET * quiet
        while woken and self._signal is None and time.monotonic() < end:
            woken = wakes.wait(quiet)
        return self._signal is None and self._look() != self._seen

    def _look(self) -> bytes:
        return fingerprint(self._config, lambda: self._signal is not None)

    # -- runs

    def _carry_out(self) -> None:
        """One run, and when the next one begins. Raises `ConfigError`."""
        if self._events is not None and not self._events.trouble:
            self._told = ""
        self._config_state = state_of(self._config.path)
        self._config = self._read_config()
        self._seen = self._look()
        if self._signal is not None:
            return
        settle = max(self._options.settle, *(source.settle for source in self._config.sources))
        status, deferred = self._run_once(settle)
        if self._signal is not None:
            return
        now, pause = time.monotonic(), self._options.interval
        if deferred:
            pause = settle + _MARGIN
        elif status == ExitStatus.TIME_UP:  # work is left
            pause = min(_GOES_ON, pause)
        self._due = now + pause
        if status in _DONE:
            self._retry, self._no_events = _FIRST_RETRY, ""
            return
        self._read_config()  # whose error, if it has become wrong meanwhile, ends the watch
        self._due = self._not_before = now + self._retry
        self._say(f"the run ended with status {status}; the next one begins in {duration(self._retry)}")
        self._retry = min(2 * self._retry, self._options.interval)

    def _run_once(self, settle: float) -> tuple[int, int]:
        """Its exit status (negative for a signal that killed it), and how many pictures it has deferred."""
        with os.fdopen(sealed.create("summary"), "w+b") as out:
            # A process group of its own: of Ctrl-C only the watch is told, and passes it on once.
            self._child = subprocess.Popen(  # noqa: S603 - this program
                [*self._run, "--settle", f"{settle:.3f}"], stdin=subprocess.DEVNULL, stdout=out, process_group=0
            )
            if self._signal is not None:
                self._child.send_signal(self._signal)
            status = self._child.wait()
            self._child = None
            out.seek(0)
            return status, _deferred(out.read(_LONGEST_SUMMARY))

    # -- the end

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Within the block, signals are noted and passed on to the run. One that was ignored stays so (nohup)."""
        before = {number: signal.getsignal(number) for number in STATUS_OF}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._note)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._signal = self._signal or number
        if self._child is not None:
            self._child.send_signal(number)

    def _end_events(self) -> None:
        if self._events is not None:
            self._events.end()
            self._events = None


def _folders(config: Config) -> list[Path]:
    """The folders to listen to: the sources, and the folder of a list of URLs. Object storage tells of no changes."""
    local = [source for source in config.sources if source.store is None]
    return [source.local if source.urls is None else source.local.parent for source in local]


def _no_events(config: Config) -> str:
    """Why no event would tell of changes; "" where the sources are folders."""
    store = next((source.place for source in config.sources if source.store is not None), None)
    return f"nothing tells of changes in {store}" if store else ""


def _deferred(summary: bytes) -> int:
    """How many pictures a run has left for the next one, by its summary in JSON; 0 where there is none."""
    try:
        pictures: Mapping[str, int] = json.loads(summary)["pictures"]
        return pictures.get(Status.DEFERRED, 0)
    except (ValueError, KeyError, TypeError):
        return 0
