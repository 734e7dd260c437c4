"""Another process of this program, and the socket to it: messages are pickled values, for each side trusts the other.

The process is started with `subprocess`, never forked from a process with threads. It ends with the thread that started
it, runs in a process group of its own, and ignores the signals by which people stop a run: the process that started it
answers those. Neither side ever waits for the other without a limit: what cannot be sent at once is kept until it can.
"""

from __future__ import annotations

import errno
import importlib
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from pipeline.workers.child import IGNORED, die_with
from pipeline.workers.limits import offer_to_the_killer

_CODE = "import sys; sys.path[:] = sys.argv[4:]; from pipeline.workers.peer import main; main(*sys.argv[1:4])"
_LENGTH = struct.Struct("!I")
_BEGIN = b"!"
_KEPT = 16  # descriptors at the most that come with it
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_AT_ONCE = 2**18  # bytes read in one call
_RANK = 250  # of 1000: when memory runs out, children (500) are killed before it, the process that started it last


class Messages:
    """The messages over one socket, in either process; for one thread."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._to_send = bytearray()
        self._received = bytearray()
        self.closed = False  # whether the other side has closed the socket, or is gone

    def fileno(self) -> int:
        """For `poll`."""
        return self._sock.fileno()

    @property
    def unsent(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._to_send)

    @property
    def events(self) -> int:
        """What to poll for."""
        return select.POLLIN | (select.POLLOUT if self._to_send else 0)

    def send(self, message: object) -> None:
        """Send as much as goes at once; `flush` sends the rest."""
        body = pickle.dumps(message, protocol=5)
        self._to_send += _LENGTH.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        """Send what waits to be sent, as far as it goes. What nobody reads any more is dropped."""
        try:
            while self._to_send:
                del self._to_send[: self._sock.send(self._to_send)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._to_send.clear()

    def receive(self) -> list[object]:
        """The messages that have come whole. Sets `closed` once there will be no more."""
        try:
            while part := self._sock.recv(_AT_ONCE):
                self._received += part
                if len(part) < _AT_ONCE:
                    break
            else:
                self.closed = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.closed = True
        messages, at = [], 0
        while (end := at + _LENGTH.size) <= len(self._received):
            end += _LENGTH.unpack_from(self._received, at)[0]
            if end > len(self._received):
                break
            messages.append(pickle.loads(memoryview(self._received)[at + _LENGTH.size : end]))  # noqa: S301 - our own
            at = end
        if at:
            self._received = self._received[at:]
        return messages

    def wait(self, seconds: float) -> None:
        """Wait until there is something to receive, or room for what waits to be sent; at most so long."""
        self._poll(self.events, seconds)

    def push(self, seconds: float) -> bool:
        """Wait up to `seconds` for room, ignoring what comes in, and send what goes. Returns whether there was room."""
        there_is_room = self._poll(select.POLLOUT, seconds)
        self.flush()
        return there_is_room

    def await_begin(self) -> None:
        """In the new process: wait until `Peer.begin` is called. What comes with it stays open from here on. Raises
        `OSError` where this process may not open as many files.
        """
        self._sock.setblocking(True)
        begin, _kept, flags, _address = socket.recv_fds(self._sock, len(_BEGIN), _KEPT, _CLOEXEC)
        self._sock.setblocking(False)
        if flags & socket.MSG_CTRUNC:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))  # what it is to hold open has not come
        self.closed = not begin

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _poll(self, events: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._sock, events)
        return bool(poll.poll(seconds * 1000))


class Peer(Messages):
    """The process, as the one that started it sees it; for the thread that started it."""

    def __init__(self, function: str) -> None:
        """Start a process that imports and calls `function`, named `module:attribute`, with its `Messages`. Raises
        `OSError`.
        """
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.code: int | None = None  # the exit status once it is reaped; below 0: the signal
        # Blocked until it can ignore them: someone may signal the whole control group.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED)
        try:
            with theirs:
                words = (function, str(theirs.fileno()), str(os.getpid()))
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own code
                    [sys.executable, "-I", "-S", "-c", _CODE, *words, *sys.path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    process_group=0,
                )
        except BaseException:
            mine.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        super().__init__(mine)
        self.pid = self._process.pid

    def begin(self, descriptors: Sequence[int]) -> None:
        """Have the process begin, once it is ready to. It holds `descriptors` open as long as it lives; nothing that it
        starts does. To be called once, before the first message. Raises `OSError`.
        """
        socket.send_fds(self._sock, [_BEGIN], descriptors)

    def kill(self) -> None:
        """Kill it. It is reaped by `reap`."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wake(self) -> None:
        """Have it go on if a signal has stopped it, or this process would wait for it for ever: it stops together with
        this process, never alone (`workers.halt`).
        """
        if hasattr(os, "waitid"):
            with suppress(ChildProcessError, ProcessLookupError):  # it has ended
                if os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None:
                    os.kill(self.pid, signal.SIGCONT)

    def reap(self, seconds: float) -> bool:
        """Whether it has ended, within so many seconds; `code` says how. A process in a system call that does not
        return cannot be killed, so nothing waits for it without a limit.
        """
        with suppress(subprocess.TimeoutExpired):
            self.code = self._process.wait(seconds)
        return self.code is not None

    def abandon(self) -> None:
        """Leave it as it is: the kernel ends it when it can."""
        self._process.returncode = 0  # or its destructor would warn


def main(function: str, descriptor: str, parent: str) -> None:
    """Run in the new process: call `function`, and end the process when it returns, whatever its threads are at."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)
    die_with(int(parent))
    os.set_inheritable(int(descriptor), False)
    offer_to_the_killer(_RANK)
    module, _colon, attribute = function.partition(":")
    serve: Callable[[Messages], None] = getattr(importlib.import_module(module), attribute)
    messages = Messages(socket.socket(fileno=int(descriptor)))
    try:
        serve(messages)
        os._exit(0)
    finally:
        os._exit(1)
