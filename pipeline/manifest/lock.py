"""One run at a time: a lock of the kernel on a file of its own, which is free as soon as its holder has ended.

The file is never deleted, because two runs could then lock two files of one name. Its text is for messages only: a
stale text locks out no run.
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
from pipeline.manifest.place import LOCK, beside, ensure_folder, file_mode

_PATIENCE = (
    0.3  # seconds that a caller with `wait` 0 keeps trying: `status` may test the lock, or a process may be ending
)
_LAST_WILL = 3.0  # seconds in which the processes that a dead run has started, and that hold its lock, end as well
_POLL = 0.05
_SIGNATURE = b'{"pid": '  # how the text of each holder begins
_LONGEST = 4096  # bytes of such a text, and of all that is read of a lock


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock: process, host, when it began (seconds since 1970), and the id of its run, if it has one."""

    pid: int
    host: str
    started: float
    run: str = ""

    def is_dead(self) -> bool:
        """Whether the process has ended for certain: it was one of this host, and is gone, or waits to be reaped."""
        if self.host != socket.gethostname() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return _waits_to_be_reaped(self.pid)

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
        shared: bool = False,
    ) -> None:
        """`path` is the lock file, where it is not beside the manifest. `run` is shown to others who want the lock.
        `shared`: others may hold it, too, if they share it.

        `wait` is for the `with` statement; see `acquire`. `check` is called while waiting and may raise.
        """
        self.path = path or beside(manifest, LOCK)
        self._run = run
        self._wait = wait
        self._check = check
        self._kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._descriptor: int | None = None

    def acquire(self, wait: float | None = 0.0) -> None:
        """Take the lock within `wait` seconds (None: without limit).

        It waits in short sleeps, so that signals are handled at once. Raises `Locked`, whose text names the holder, and
        `ManifestTrouble` where the file system has no locks.
        """
        ensure_folder(self.path.parent)
        began = time.monotonic()
        deadline = None if wait is None else began + max(wait, _PATIENCE)
        descriptor = self._open(os.O_RDWR | os.O_CREAT)
        try:
            while not _try_lock(self.path, descriptor, self._kind):
                holder = _read(descriptor)
                patience = _LAST_WILL if holder is not None and holder.is_dead() else 0.0
                if deadline is not None and time.monotonic() >= max(deadline, began + patience):
                    who = f"another run: {holder}" if holder else "another run that has not said which"
                    raise Locked(f"{printable(str(self.path))} is held by {who}")
                self._check()
                time.sleep(_POLL)
            self._check_content(descriptor)
            self._sign(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def descriptor(self) -> int:
        """The descriptor of the locked file. Raises `ValueError` where the lock is not held."""
        if self._descriptor is None:
            raise ValueError("the lock is not held")
        return self._descriptor

    def holder(self) -> Holder | None:
        """The present holder; None where the lock is free. `acquire` has patience with this test (`_PATIENCE`)."""
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

    def _check_content(self, descriptor: int) -> None:
        """Raise `ManifestTrouble` where the file holds what no run has written: `lock:` may name the wrong file.

        What a power cut leaves of a signature is nothing, zeros, or its beginning.
        """
        try:
            text = os.pread(descriptor, _LONGEST + 1, 0)
        except OSError:  # a pipe, say: it cannot be written over
            return
        begun = _SIGNATURE.startswith(text[: len(_SIGNATURE)])
        if len(text) > _LONGEST or (text.strip(b"\0") and not begun):
            raise ManifestTrouble(
                f"{printable(str(self.path))}: this is no lock but another file, and was left as it is: name a file of "
                "its own with `lock:` in the config"
            )

    def _sign(self, descriptor: int) -> None:
        holder = Holder(os.getpid(), socket.gethostname(), time.time(), self._run)
        with contextlib.suppress(OSError):  # on a full disk the lock works, but cannot name its holder
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


def _waits_to_be_reaped(pid: int) -> bool:
    """Whether the process has ended, and only its parent has not asked how: so they stay where nothing reaps them, as
    in many containers. Without /proc: False.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[:1] == [b"Z"]


def _read(descriptor: int) -> Holder | None:
    try:
        text = json.loads(os.pread(descriptor, _LONGEST, 0))
        return Holder(int(text["pid"]), str(text["host"]), float(text["started"]), str(text["run"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
