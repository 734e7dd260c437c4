"""Functions that children are told to import by the tests of this room. The request says what to do."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.source import Header
from pipeline.workers import zygote
from pipeline.workers.exchange import Held, Reply
from pipeline.workers.peer import Messages

ODD = "two\nlines, \x1b, \u202e, \U000e0001"
_REMARK = b"libfoo warning: bar\n"


def echo(held: Held, request: object) -> Iterator[Reply]:
    """Answers with the size of what it was given; misbehaves on request."""
    match request:
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(3600)
        case "spin":
            while True:
                pass
        case "refuse":
            raise PictureError(ErrorKind.DAMAGED, "as asked")
        case "lack":
            raise PictureError(ErrorKind.MEMORY_LIMIT, "as asked")
        case "refuse oddly":
            raise PictureError(ErrorKind.DAMAGED, ODD)
        case "defect":
            raise KeyError("a defect")
        case "allocate":
            _hog = [bytearray(2**20) for _ in range(4096)]
        case "pixels":
            _picture = [bytearray(b"x" * 2**20) for _ in range(48)]
        case "chatter":
            os.write(2, _REMARK)
        case "endless chatter":  # as C's standard error does: what cannot be written is dropped
            for _ in range(100_000):
                with suppress(BlockingIOError):
                    os.write(2, _REMARK)
        case "chatter and die":
            os.write(2, _REMARK)
            os._exit(3)
        case "chatter and refuse":
            os.write(2, _REMARK)
            raise PictureError(ErrorKind.DAMAGED)
        case "chatter and defect":
            os.write(2, _REMARK)
            raise KeyError("a defect")
    yield Reply(("size", held.size, os.getpid()))
    if request == "refuse late":
        raise PictureError(ErrorKind.TRUNCATED, "late")
    if request == "kill late":
        os.kill(os.getpid(), signal.SIGKILL)
    made = os.memfd_create("made", os.MFD_ALLOW_SEALING)
    os.write(made, os.pread(held.descriptor, held.size, 0)[::-1])
    fcntl.fcntl(made, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    yield Reply(("made", tuple(sorted(signal.Signals(s).name for s in signal.valid_signals() if _ignored(s)))), (made,))


def _ignored(number: int) -> bool:
    return number in (1, 2, 15) and signal.getsignal(number) == signal.SIG_IGN


def warm_up() -> None:
    """Nothing to warm."""


def killed_while_starting() -> None:
    """Be killed as by somebody else, as many times as the file named in the environment has bytes: its first letters.

    `K` stands for SIGKILL and `S` for SIGSEGV.
    """
    path = os.environ["KILLS"]
    with open(path, "r+b") as file:
        if kills := file.read():
            file.truncate(len(kills) - 1)
            os.kill(os.getpid(), signal.SIGKILL if kills.endswith(b"K") else signal.SIGSEGV)


def fail_to_start() -> None:
    """As a broken installation would."""
    print("no codec here", file=sys.stderr)
    raise ImportError("no codec here")


def chatty_start() -> None:
    """As a library that greets."""
    os.write(2, b"libfoo: starting\x1b[2J\n")


def each(held: Held, request: object) -> Iterator[Reply]:
    """As `echo`, for several in one request: each content says what to do with it."""
    content = os.pread(held.descriptor, held.size, 0)
    if content == b"unsealed":
        yield Reply(None)
        made = os.memfd_create("made", os.MFD_ALLOW_SEALING)
        yield Reply(None, (made,))
    replies = echo(held, content.decode() if content.isalpha() else request)
    first = next(replies)
    yield Reply(Header("png", 1, 1, 1, "L", int(content[5:]))) if content.startswith(b"need ") else first
    yield from replies


def counted_warm_up() -> None:
    """Adds a byte to the file named in the environment."""
    with open(os.environ["WARMED"], "ab") as file:
        file.write(b"x")


def endless_warm_up() -> None:
    """As a library that waits for something that never comes."""
    time.sleep(3600)


def barren() -> None:
    """As a system that does not let a process spawn others for its parent."""
    zygote._CLONE[platform.machine()] = 9999


def deadly() -> None:
    """As a filter that kills a process that spawns."""
    zygote._clone = lambda: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment, return-value]


def threaded() -> None:
    """As a library that keeps a thread."""
    threading.Thread(target=threading.Event().wait, daemon=True).start()


def about_itself(held: Held, request: object) -> Iterator[Reply]:
    """Answers with its number, those of its parent and its group, its open files, and whether its memory is its own."""
    open_files = []
    for number in range(64):
        with suppress(OSError):
            fcntl.fcntl(number, fcntl.F_GETFD)
            open_files.append(number)
    _MARKS.append(1)
    about = (os.getpid(), os.getppid(), os.getpgrp(), tuple(open_files), len(_MARKS))
    yield Reply(about)
    yield Reply(about)


_MARKS: list[int] = []


def until_the_end(messages: Messages) -> None:
    """Another process of this program that waits until the one that started it closes the socket."""
    while not messages.closed:
        messages.wait(1.0)
        messages.receive()
