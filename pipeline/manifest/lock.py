"""One run at a time: a kernel lock on a file of its own, that is free the moment its holder is gone, however it went.

The file is never deleted (two runs could then lock two files of one name) and what is written in it is only for the
message: a stale text never keeps anybody out.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import json
import os
import socket
import time
import types
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import Locked, ManifestTrouble, printable
from pipeline.manifest.place import beside, ensure_folder, file_mode

_PATIENCE = (
    0.3  # seconds that even a caller who will not wait keeps trying: for those who only looked, or are just dying
)
_LAST_WILL = 3.0  # seconds in which what a dead run has started, and what holds its lock with it, is gone as well
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: process, host, since when (seconds since 1970), and the run's id if it gave one."""

    pid: int
    host: str
    started: float
    run: str = ""

    def is_dead(self) -> bool:
        """Whether it is known to have ended."""
        if self.host != socket.gethostname() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return False

    def __str__(self) -> str:
        since = datetime.datetime.fromtimestamp(self.started).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
        run = f", run {printable(self.run)}" if self.run else ""
        return f"process {self.pid} on {printable(self.host)} since {since}{run}"


class RunLock:
    """The lock of the manifest at `manifest`, held from `acquire` (or entering) to `release` (or leaving)."""

    def __init__(
        self,
        manifest: Path,
        *,
        path: Path | None = None,
        run: str = "",
        wait: float | None = 0.0,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`path` is the lock's own, where it is not beside the manifest. `run` is told to others; `wait` is for those
        who enter with `with`. `check` is called while waiting, and may raise.
        """
        self.path = path or beside(manifest, ".lock")
        self._run = run
        self._wait = wait
        self._check = check
        self._descriptor: int | None = None

    def acquire(self, wait: float | None = 0.0) -> None:
        """Take the lock within `wait` seconds (None: for ever).

        Raises `Locked`, which says who holds it since when, or `ManifestTrouble` where there can be no lock. Waits in
        short sleeps, so that signals are seen at once.
        """
        ensure_folder(self.path.parent)
        began = time.monotonic()
        deadline = None if wait is None else began + max(wait, _PATIENCE)
        descriptor = self._open(os.O_RDWR | os.O_CREAT)
        try:
            while not _try_lock(self.path, descriptor, fcntl.LOCK_EX):
                holder = _read(descriptor)
                patience = _LAST_WILL if holder is not None and holder.is_dead() else 0.0
                if deadline is not None and time.monotonic() >= max(deadline, began + patience):
                    who = f"another run: {holder}" if holder else "another run that has not said which"
                    raise Locked(f"{printable(str(self.path))} is held by {who}")
                self._check()
                time.sleep(_POLL)
            self._sign(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def descriptor(self) -> int:
        """Its open file. Raises `ValueError` where it is not held."""
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        return self._descriptor

    def holder(self) -> Holder | None:
        """Who holds the lock now, for `status`; None: nobody. One who wants it is not disturbed (see `_PATIENCE`)."""
        try:
            descriptor = self._open(os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            if _try_lock(self.path, descriptor, fcntl.LOCK_SH):
                return None
            return _read(descriptor) or Holder(0, "an unknown host", time.time())
        finally:
            os.close(descriptor)

    def __enter__(self) -> RunLock:
        self.acquire(self._wait)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.release()

    def _open(self, flags: int) -> int:
        try:
            return os.open(self.path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, file_mode(self.path.parent))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ManifestTrouble(f"{printable(str(self.path))}: cannot open the lock: {error.strerror}") from error

    def _sign(self, descriptor: int) -> None:
        holder = Holder(os.getpid(), socket.gethostname(), time.time(), self._run)
        with contextlib.suppress(OSError):  # on a full disk the lock still holds, it only cannot say whose it is
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)


def _try_lock(path: Path, descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise ManifestTrouble(
            f"{printable(str(path))}: its file system gives no locks ({error.strerror}): name a file on a local disk "
            "with `lock:` in the config, and one for `manifest:` where that is on the same file system"
        ) from error
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(found["pid"]), str(found["host"]), float(found["started"]), str(found["run"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
