"""The lease of a run that writes into a store: an object that keeps runs on other machines away.

It is made only where there is none (If-None-Match), renewed by a thread (If-Match), and removed at the end. One that
was not renewed for `EXPIRY`, by the store's own clock, is that of a run that has died. A run that could not renew its
own writes nothing more before another run may take it.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.config.settings import StoreSettings
from pipeline.errors import Locked, TargetTrouble, printable
from pipeline.stores.opening import store_at
from pipeline.stores.store import UPLOAD, Entry, Fault, Store, StoreFailure
from pipeline.targets.lease import PROBE
from pipeline.targets.objects.place import DRIVER
from pipeline.targets.paths import RESERVED

RENEWED = 15.0  # seconds between two renewals
EXPIRY = 90.0  # seconds without one, after which a run counts as dead
_SPARE = 20.0  # seconds before that, from which on it writes nothing itself: a put takes its time
_POLL = 1.0
_UPLOAD = 3600.0  # seconds without another byte, after which an upload was cut off
_PREFIX = f"{RESERVED}/lease"
_CLOCK = f"{RESERVED}/clock-"
_LONGEST = 4096  # bytes of a lease

_HELD: set[str] = set()  # the runs of this process that hold one: it may have left others behind in a store that died


@dataclass(frozen=True, slots=True)
class _Holder:
    """What a lease says."""

    run: str
    pid: int
    host: str
    machine: str  # this start of this machine, and its name space of processes
    started: float  # seconds since 1970

    def is_dead(self) -> bool:
        """Whether it was a process of this machine and has ended for certain."""
        if not self.machine or self.machine != _machine():
            return False
        if self.pid == os.getpid():
            return self.run not in _HELD
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return False

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(self.started))
        return f"process {self.pid} on {printable(self.host)} since {since}, run {printable(self.run)}"


class StoreLease:
    """One run's lease. `check` may be called in any thread, all else in that of the run."""

    def __init__(self, place: StoreSettings, run: str, part: Path | None = None) -> None:
        """`part` is a shard's part of the manifest: runs of other shards may write at the same time."""
        self._place = place
        self._quick = replace(place, retry=min(place.retry, RENEWED / 3))  # another try comes soon
        self._name = f"{_PREFIX}.{part.name.rpartition('.')[2]}" if part is not None else _PREFIX
        self._holder = _Holder(run, os.getpid(), socket.gethostname(), _machine(), time.time())
        self._renewed: float | None = None  # when the last renewal was begun, by a clock that counts sleep
        self._lost = ""
        self._over = threading.Event()

    def check(self) -> None:
        """Raise `TargetTrouble` where another run may be writing by now. Before it is held, it does nothing."""
        if self._lost:
            raise TargetTrouble(self._lost)
        if self._renewed is not None and _now() - self._renewed > EXPIRY - _SPARE:
            self._lost = (
                f"the lease of the target {self._place.shown} could not be renewed for {EXPIRY - _SPARE:g} s, and "
                "another run may begin: run again"
            )
            raise TargetTrouble(self._lost)

    @contextmanager
    def held(self, wait: float | None, check: Callable[[], None]) -> Generator[None]:
        """Hold it within the block. Waits so many seconds for another run to end (None: for ever).

        Raises `Locked`, with the holder, and `TargetTrouble`.
        """
        try:
            store = store_at(self._quick)
            self._acquire(store, None if wait is None else time.monotonic() + wait, check)
        except StoreFailure as failure:
            raise TargetTrouble(f"cannot write to the target {self._place.shown}: it {failure.text}") from None
        thread = threading.Thread(target=self._renew, args=(store,), name="lease", daemon=True)
        thread.start()
        _HELD.add(self._holder.run)
        try:
            yield
        finally:
            _HELD.discard(self._holder.run)
            self._over.set()
            thread.join(_POLL)  # a renewal may hang; the process ends nevertheless
            with suppress(StoreFailure, TargetTrouble):
                self.check()  # a run that was halted for long must not remove that of the next one
                store.remove(self._name)

    def _acquire(self, store: Store, deadline: float | None, check: Callable[[], None]) -> None:
        while True:
            began = _now()
            rival = self._taken(store)
            if rival is None:
                self._renewed = began
                return
            if deadline is not None and time.monotonic() >= deadline:
                raise Locked(rival)
            check()
            time.sleep(_POLL)

    def _taken(self, store: Store) -> str | None:
        """Take the lease, unless a living run has it or one that excludes this run; returns what it is then."""
        there = store.look(self._name)
        if there is not None and (alive := self._alive(store, there)):
            return alive
        if not self._put(store, there):
            return f"{self._place.shown}/{self._name} has just been taken by another run"
        entries = store.entries_in(RESERVED)[0]
        for entry in entries:
            if self._excludes(entry.name) and (alive := self._alive(store, entry)):
                store.remove(self._name)
                return alive
        _sweep(store, entries)
        return None

    def _excludes(self, name: str) -> bool:
        """Whether the object is the lease of a run that may not write at the same time: of two shards, both may."""
        if name == self._name or not name.startswith(_PREFIX):
            return False
        return _PREFIX in (name, self._name)

    def _put(self, store: Store, over: Entry | None) -> bool:
        """Write the lease in the place of `over`, or where there is none; returns whether it is ours then.

        It is read again, because a store may ignore conditions, and because an answer may be lost: the put is tried
        again then, and finds itself in the way.
        """
        content = memoryview(json.dumps(asdict(self._holder)).encode())
        try:
            store.put(self._name, content, {}, replace=over is not None, over=over)
        except StoreFailure as failure:
            if failure.fault not in (Fault.TAKEN, Fault.MISSING):
                raise
        holder = self._read(store, self._name)
        return holder is not None and holder.run == self._holder.run

    def _alive(self, store: Store, entry: Entry) -> str:
        """Who holds the lease and when it was renewed, if its run may be alive; else ""."""
        holder = self._read(store, entry.name)
        if holder is not None and holder.is_dead():
            return ""
        clock = f"{_CLOCK}{self._holder.run}"
        store.put(clock, memoryview(b"the store's time\n"), {})
        now = store.look(clock)
        store.remove(clock)
        age = 0.0 if now is None else max(0.0, now.modified - entry.modified)
        if age > EXPIRY:
            return ""
        whose = f"another run: {holder}" if holder else "another run that has not said which"
        return (
            f"{self._place.shown}/{entry.name} is held by {whose}; it was renewed {age:.0f} s ago, and is free "
            f"{EXPIRY:g} s after its run has died"
        )

    def _read(self, store: Store, name: str) -> _Holder | None:
        """What the lease says; None where it is gone or says nothing that can be read. Raises `StoreFailure`."""
        try:
            body = store.get(name)
            if body.entry.size > _LONGEST:
                return None
            text = json.loads(b"".join(body.pieces))
            started = float(text["started"])
            time.localtime(started)
            return _Holder(str(text["run"]), int(text["pid"]), str(text["host"]), str(text["machine"]), started)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError, OSError):  # the last is localtime's
            return None
        except StoreFailure as failure:
            if failure.fault is Fault.MISSING:
                return None
            raise

    def _renew(self, store: Store) -> None:
        while not self._over.wait(RENEWED):
            began = _now()
            with suppress(StoreFailure):  # it is tried again; when that is too late, `check` says so
                there = store.look(self._name)
                holder = self._read(store, self._name) if there is not None else self._holder
                if holder is None or holder.run != self._holder.run or not self._put(store, there):
                    self._lost = f"another run has taken the lease of the target {self._place.shown}: run again"
                    return
                self._renewed = began


def _sweep(store: Store, entries: list[Entry]) -> None:
    """Remove what dead runs and workers wrote to ask for the time and whether they see one target, and what they have
    not stored whole. All that live do that themselves. The newest entry, the lease just written, has the store's time.
    """
    now = max((entry.modified for entry in entries), default=0.0)
    for entry in entries:
        asked = entry.name.startswith(_CLOCK) or (entry.name.startswith(DRIVER) and PROBE in entry.name)
        cut_off = entry.name.startswith(UPLOAD) and now - entry.modified > _UPLOAD
        if (asked and now - entry.modified > EXPIRY) or cut_off:
            with suppress(StoreFailure):  # the next run tries again
                store.remove(entry.name)


def _now() -> float:
    """Seconds by a clock that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
