"""A folder whose files take their time to be opened, for any number at once, as on storage that is far away.

The kernel asks before it lets anybody open one of them (fanotify's permission events, Linux, root only), and is
answered when the time has passed.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import select
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

_CLASS_CONTENT, _CLOEXEC, _UNLIMITED_QUEUE = 0x4, 0x1, 0x10
_MARK_ADD = 0x1
_OPEN_PERM, _ON_CHILD = 0x10000, 0x8000000
_ALLOW = 1
_AT_FDCWD = -100
_EVENT = struct.Struct("=IBBHQii")  # length, version, reserved, length of this, mask, descriptor, process
_ANSWER = struct.Struct("=iI")


class Asked:
    """When the first file was asked for, by the monotonic clock; infinity as long as none was."""

    first = math.inf


@contextlib.contextmanager
def slowed(folder: Path, seconds: float) -> Iterator[Asked]:
    """Within the block every `open` of a file in `folder`, by anybody, takes `seconds`. Raises OSError where that
    cannot be had.
    """
    asked = Asked()
    events = _marked(folder)
    stop, stopped = os.pipe()
    answering = threading.Thread(target=_answer, args=(events, stop, seconds, asked), daemon=True)
    answering.start()
    try:
        yield asked
    finally:
        os.close(stopped)
        answering.join()
        os.close(stop)
        os.close(events)  # openers that still wait may go on


def _marked(folder: Path) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    events = libc.fanotify_init(_CLASS_CONTENT | _CLOEXEC | _UNLIMITED_QUEUE, os.O_RDONLY | os.O_CLOEXEC)
    if events < 0:
        raise _failure("fanotify_init")
    mask = ctypes.c_uint64(_OPEN_PERM | _ON_CHILD)
    if libc.fanotify_mark(events, _MARK_ADD, mask, _AT_FDCWD, os.fsencode(folder)) < 0:
        failure = _failure("fanotify_mark")
        os.close(events)
        raise failure
    return int(events)


def _failure(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(
        number, f"{call}: {os.strerror(number)} (needs root, and a kernel with fanotify's permission events)"
    )


def _answer(events: int, stop: int, seconds: float, asked: Asked) -> None:
    waiting: deque[tuple[float, int]] = deque()  # when each may go on, and its descriptor; all wait equally long
    poll = select.poll()
    poll.register(events, select.POLLIN)
    poll.register(stop, select.POLLIN)
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) * 1000 if waiting else None
        ready = dict(poll.poll(left))
        now = time.monotonic()
        if events in ready:
            asked.first = min(asked.first, now)
            waiting.extend((now + seconds, descriptor) for descriptor in _opened(os.read(events, 65536)))
        while waiting and (waiting[0][0] <= now or stop in ready):
            _when, descriptor = waiting.popleft()
            os.write(events, _ANSWER.pack(descriptor, _ALLOW))
            os.close(descriptor)
        if stop in ready:
            return


def _opened(said: bytes) -> Iterator[int]:
    at = 0
    while at + _EVENT.size <= len(said):
        length, _version, _reserved, _own, _mask, descriptor, _process = _EVENT.unpack_from(said, at)
        if descriptor >= 0:
            yield descriptor
        at += length
