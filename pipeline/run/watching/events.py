"""Waits until the kernel reports a change below the sources, a signal comes, or time is up."""

from __future__ import annotations

import importlib.util
import os
import select
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from pipeline.extras import how_to_have
from pipeline.mounts import mount_of

# The library's own words name any one of the folders: each time another.
_LIMIT = "the kernel's limit of watches is reached, one for each folder (raise it: sysctl fs.inotify.max_user_watches)"
_CHANGED = b"\0"  # no signal has this number
_GATHERED = 200  # milliseconds: changes that come together wake the watch once
_LOOK = 5000  # milliseconds between two looks whether to end


def why_none(folders: Sequence[Path]) -> str:
    """Why changes below `folders` cannot be waited for, in a few words with what follows; "" where they can."""
    if importlib.util.find_spec("watchfiles") is None:
        return f"the extra watch is not installed ({how_to_have('watch')})"
    for folder in folders:
        mount = mount_of(folder)
        if mount is not None and mount.network:
            return f"{folder} is on {mount.kind}, where changes made elsewhere are not reported"
    return ""


class Wakes:
    """What the main thread waits for. A context manager: within the block signals wake it, too."""

    def __init__(self) -> None:
        self._heard, self._told = os.pipe()
        for end in (self._heard, self._told):
            os.set_blocking(end, False)
        self._before = -1
        self._poll = select.poll()
        self._poll.register(self._heard, select.POLLIN)

    def __enter__(self) -> Wakes:
        self._before = signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._before)
        os.close(self._heard)
        os.close(self._told)

    def changed(self) -> None:
        """Wake the main thread because of a change. Any thread."""
        with suppress(OSError):  # full: it is awake; closed: nobody waits any more
            os.write(self._told, _CHANGED)

    def wait(self, seconds: float) -> bool:
        """Wait so long at the most. Gives whether there was a change; a signal ends the wait without one."""
        if not self._poll.poll(max(0.0, seconds) * 1000):
            return False
        return _CHANGED in os.read(self._heard, 4096)


class Events:
    """The kernel's reports about everything below some folders, heard by a thread until `end`."""

    def __init__(self, folders: Sequence[Path], targets: Sequence[Path], wakes: Wakes) -> None:
        """Changes in the folders `targets` wake nobody. `folders` must exist."""
        self.trouble = ""  # why no more reports come
        self.identity = identity(folders)
        self._folders = folders
        self._targets = tuple(os.path.realpath(target).rstrip("/") + "/" for target in targets)
        self._wakes = wakes
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="events", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop listening; the thread ends in the background."""
        self._end.set()

    def _listen(self) -> None:
        import watchfiles  # noqa: PLC0415 - an extra, and 30 ms

        first = True
        try:
            for changes in watchfiles.watch(
                *map(os.path.realpath, self._folders),
                watch_filter=None,
                debounce=_GATHERED,
                stop_event=self._end,
                rust_timeout=_LOOK,
                yield_on_timeout=True,
                raise_interrupt=False,
                ignore_permission_denied=True,
                force_polling=False,
            ):
                # The first time also without changes: some may have come before everything was listened to.
                if first or any(self._counts(path) for _kind, path in changes):
                    self._wakes.changed()
                first = False
        except (OSError, RuntimeError) as error:  # the kernel's limit of watches, a folder that is gone
            self.trouble = f"changes cannot be waited for: {_LIMIT if 'limit' in str(error) else error}"
            self._wakes.changed()

    def _counts(self, path: str) -> bool:
        """Whether the file can be a source: it is not hidden, and not in the target."""
        return not os.path.basename(path).startswith(".") and not f"{path}/".startswith(self._targets)


def identity(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Which folders these are on the disk: another one may be mounted or moved to their place."""
    inodes: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            stat = os.stat(folder)
            inodes.append((stat.st_dev, stat.st_ino))
        except OSError:
            inodes.append(None)
    return inodes
