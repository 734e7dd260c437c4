"""The lease of a run whose lanes are on other machines, where no lock and no parent's death ends them.

It is a small file in the target, or an object. The driver rewrites it every `BEAT`. A lane looks at it right before
its files get their names, and ends when it names another run, says that this lane is given up, or has not changed for
`SILENCE`. A lane that is given up has its temporary files removed after that is written, so none of its files can come
late.

The file is rewritten in place, never renamed: NFS shows the new bytes of a file at its next open, and the new file
behind a name only when the folder's cached entries expire. No two clocks are compared.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from pipeline.errors import Locked, TargetTrouble, printable

BEAT = 2.0  # seconds between two signs of life of the driver
SILENCE = 10.0  # seconds without one, after which a lane ends
_WAITED_OUT = SILENCE + 5.0  # seconds without one, after which the next run begins
_LONG_AGO = 600.0  # seconds by the file's time: more than clocks of machines in a cluster differ
_LOOK = 1.0  # seconds between two looks of a lane that writes nothing
LONGEST = 2**20  # bytes: more is no lease, and is not read
PROBE = ".probe-"  # in the name of what `probe_beside` says


class LeaseLost(TargetTrouble):
    """The lane may give no more files their names: its run is over, or has given it up, or is not heard."""


class _Text(NamedTuple):
    run: str
    beat: int
    given_up: tuple[int, ...]  # lanes


class Place(Protocol):
    """Where a lease is. It crosses processes. Its methods raise `OSError`."""

    @property
    def at_each_write(self) -> bool:
        """Whether reading it costs so little that lanes look at it before each write, and not once a second."""
        ...

    def read(self) -> bytes:
        """All of it."""
        ...

    def write(self, text: bytes, *, create: bool) -> None:
        """Write all of it, also where nothing is if `create`."""
        ...

    def remove(self) -> None:
        """Remove it."""
        ...

    def beside(self, suffix: str) -> Place:
        """Another place, named like this one with a dot and `suffix` behind."""
        ...


@dataclass(frozen=True, slots=True)
class InFolder:
    """A `Place` that is a file."""

    path: Path
    at_each_write = True

    def read(self) -> bytes:
        """See `Place`."""
        with self.path.open("rb") as file:
            return file.read(LONGEST)

    def write(self, text: bytes, *, create: bool) -> None:
        """See `Place`."""
        flags = os.O_WRONLY | (os.O_CREAT if create else 0) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))  # of an older lease
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """See `Place`."""
        self.path.unlink()

    def beside(self, suffix: str) -> InFolder:
        """See `Place`."""
        return InFolder(self.path.with_name(f"{self.path.name}.{suffix}"))

    def __str__(self) -> str:
        return printable(str(self.path))


def probe_beside(lease: Place, number: int) -> Place:
    """Where the worker of lane `number` writes a file, so that the driver knows that both see one target."""
    return lease.beside(f"{PROBE[1:]}{number}")


def shard_of(part: Path | None) -> str:
    """What the names of a shard's run end with. `part`: of the manifest; None: no shard."""
    return f".{part.name.rpartition('.')[2]}" if part is not None else ""


def lease_in(target: Path, part: Path | None = None) -> InFolder:
    """The place of the lease of a run that writes into the folder `target`."""
    return InFolder(target / ".pipeline" / f"lease{shard_of(part)}")


class Lease:
    """The driver's side, for a `with` block: within it the lease is renewed by a thread of its own. Thread-safe."""

    def __init__(self, place: Place, run: str) -> None:
        self.place = place
        self.run = run
        self._lock = threading.Lock()
        self._beats = 0
        self._given_up: list[int] = []
        self._taken = ""  # by this run
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Raises `TargetTrouble`."""
        self.begin()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if run_of(self.place) == self.run:
            with suppress(OSError):
                self.place.remove()

    def check(self) -> None:
        """Raise `Locked` where another run has taken it, because this one was halted for long."""
        if self._taken:
            raise Locked(f"run {self._taken} writes into this target now: this one was halted, and goes on next time")

    def give_up(self, lane: int) -> None:
        """From now on the lane of this number gives no file its name. Raises `TargetTrouble`."""
        with self._lock:
            self._given_up.append(lane)
        self.renew()

    def begin(self) -> None:
        """Write it for the first time, over that of a run that is dead. Raises `TargetTrouble`."""
        self._write(create=True)

    def renew(self) -> None:
        """Write the next sign of life, unless another run has taken the lease. Raises `TargetTrouble`."""
        if (run := run_of(self.place)) not in ("", self.run):
            self._taken = run
        else:
            self._write()

    def _keep(self) -> None:
        while not self._taken and not self._over.wait(BEAT):
            with suppress(TargetTrouble):  # lanes end if it stays so, and the run meets the trouble by itself
                self.renew()

    def _write(self, *, create: bool = False) -> None:
        with self._lock:
            self._beats += 1
            text = json.dumps({"run": self.run, "beat": self._beats, "given_up": self._given_up}) + "\n"
            try:
                self.place.write(text.encode(), create=create)
            except OSError as error:
                raise TargetTrouble(f"the lease {self.place}: {error.strerror or error}") from error


class LeaseWatch:
    """A lane's side. Thread-safe."""

    def __init__(self, place: Place, run: str, lane: int) -> None:
        self._place = place
        self._run = run
        self._lane = lane
        self._lock = threading.Lock()
        self._beat = -1
        self._heard = time.monotonic()
        self._lost = ""

    def begin(self) -> None:
        """Look at it once a second, in a thread of its own."""
        threading.Thread(target=self._watch, name="lease", daemon=True).start()

    def check(self) -> None:
        """Raise `LeaseLost` if the lane may give no more files their names. Any thread."""
        if self._place.at_each_write or time.monotonic() - self._heard > SILENCE:
            self.look()
        self.raise_lost()

    def raise_lost(self) -> None:
        """Raise `LeaseLost` if it is known to be lost, without looking. Any thread."""
        if self._lost:
            raise LeaseLost(self._lost)

    def look(self) -> None:
        """Look whether it is lost. What was lost once stays so."""
        self._lost = self._lost or self._verdict()

    def _watch(self) -> None:
        while not self._lost:
            self.look()
            time.sleep(_LOOK)

    def _verdict(self) -> str:
        before = time.monotonic()
        try:
            lease = _parsed(self._place.read())
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._beat >= 0:  # a new file may be seen late
                return "its run is over"
            lease = None
        with self._lock:
            if before - self._heard > SILENCE:  # also one that was itself halted: its pictures are another's by now
                return f"its driver was not heard for {SILENCE:g} seconds"
            if lease is None:
                return ""
            run, beat, given_up = lease
            if run != self._run:
                return "its run is over"
            if self._lane in given_up:
                return "its driver has given it up"
            if beat != self._beat:
                self._beat, self._heard = beat, before
            return ""


def run_of(place: Place) -> str:
    """The id of the run whose lease is there; "" if there is none."""
    lease = _read(place)
    return "" if lease is None else lease[0]


def wait_out(target: Path, part: Path | None, check: Callable[[], None]) -> None:
    """Return when no lane of an earlier run writes into the folder `target`: when no lease is left or none is renewed.

    `part` is that of a shard's run, which waits for its own lease only. To be called under the run's locks; `check` is
    called meanwhile and may raise. Removes what `probe_beside` says. Raises `Locked` where a lease is renewed: its run
    lives, on a file system that did not keep the two apart.
    """
    own = lease_in(target, part).path
    for path in sorted(own.parent.glob(f"{own.name}*")):
        lease, probe, _ = path.name.partition(PROBE)
        if part is not None and lease != own.name:
            continue
        if probe:  # of a worker that the dead run has not judged any more
            with suppress(OSError):
                path.unlink()
            continue
        with suppress(FileNotFoundError):
            if abs(time.time() - path.stat().st_mtime) <= _LONG_AGO:
                _wait_out(InFolder(path), check)


def _wait_out(place: InFolder, check: Callable[[], None]) -> None:
    first = _read(place)
    end = time.monotonic() + _WAITED_OUT
    while place.path.exists() and time.monotonic() < end:
        if first != (now := _read(place)):
            if first is not None and now is not None:
                raise Locked(f"another run writes into this target: {place} is renewed by run {now[0]}")
            first = now
        check()
        time.sleep(0.1)


def _read(place: Place) -> _Text | None:
    """What the lease says; None where it cannot be read, or is being written at this moment."""
    try:
        return _parsed(place.read())
    except OSError:
        return None


def _parsed(text: bytes) -> _Text | None:
    try:
        values = json.loads(text)
        return _Text(str(values["run"]), int(values["beat"]), tuple(values["given_up"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
