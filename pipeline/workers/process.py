"""The parent's side of one child: starts, reads, watches and ends it. What a child reports is not trusted."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from pipeline.errors import PictureError, printable
from pipeline.workers import wire
from pipeline.workers.cgroup import oom_kills
from pipeline.workers.child import Setup
from pipeline.workers.exchange import Confinement, Held, Spawned
from pipeline.workers.limits import MAXRSS_UNIT, own_peak
from pipeline.workers.token import TICK, Token
from pipeline.workers.watch import Allowance

_CODE = "import sys; sys.path[:] = sys.argv[2:]; from pipeline.workers.child import main; main(int(sys.argv[1]))"
_START = 600  # ticks a child may take to import its function, warm up and confine itself
_PASSED = frozenset(
    ("LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "GLIBC_TUNABLES", "VIPSHOME")
)
_CHATTER = 65536  # bytes that a pipe holds by default; more is not kept
_LINES = 20  # the last ones of a picture's chatter
_EXIT = 2000  # milliseconds in which a child that has closed its socket must have ended


class Child:
    """One process and the socket to it. Used by one thread at a time; any thread may end it meanwhile, or ask whether
    it is alive. The system reuses its process id and descriptors once it is gone, so a lock guards their use.
    """

    def __init__(self, setup: Setup, zygote: Zygote | None = None) -> None:
        """Start it, or have `zygote` spawn it with the same function. Raises `OSError`, and as `Zygote.spawned`."""
        self._lock = threading.RLock()
        self._listening = False
        self._started: subprocess.Popen[bytes] | None = None
        self._inherited = 0  # bytes: the kernel counts the process that has started it in its peak, up to its exec
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._chatter, chatter_end = os.pipe2(os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe()
        try:
            with theirs:
                # A full pipe blocks no writer: what does not fit is lost.
                if zygote is None:
                    self._started = _start(theirs.fileno(), chatter_end)
                    self.pid = self._started.pid
                    self._inherited = own_peak() * 11 // 10  # the kernel sums pages up roughly, per CPU
                else:
                    zygote.spawn(theirs.fileno(), chatter_end, setup)
            if zygote is not None:
                self.pid = zygote.spawned(mine)
        except BaseException:
            mine.close()
            os.close(self._chatter)
            raise
        finally:
            os.close(chatter_end)
        self.socket = mine
        self.confinement: Confinement | None = None  # None until it is ready
        self.allowance: Allowance | None = None  # likewise
        self.beyond: PictureError | None = None  # the limit its request exceeded, if it was killed for that
        self.code: int | None = None
        self.how_it_ended = ""
        self.last_words: tuple[str, ...] = ()
        self._oom_kills = oom_kills()
        self.peak = 0  # bytes resident at the most in its life, set when it has ended
        self.worn = False
        self._kept = setup.kept
        if zygote is None:
            with suppress(wire.Closed):
                self.tell(setup)

    def await_ready(self, token: Token) -> None:
        """Wait until it can take requests. Raises `Revoked`; `TimeoutError` or `wire.Closed` if it cannot start."""
        if self.confinement is None:
            said, descriptors = self.await_reply(token, _START)
            wire.close_all(descriptors)
            if not isinstance(said, Confinement):
                raise wire.Closed
            self.confinement = said
            self.allowance = Allowance(self.pid, self._kept)
            self.chatter()  # what it printed until now belongs to no picture

    def await_reply(self, token: Token, ticks: float, files: int = 0) -> tuple[object, tuple[int, ...]]:
        """The next message, with at most `files` descriptors. Raises `Revoked`, `TimeoutError` after so many ticks,
        `wire.Closed` when the child died and `wire.NotOurs` on anything that is no message.
        """
        with self._in_use():
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            while not poll.poll(TICK * 1000):
                token.check()
                ticks -= 1
                if ticks <= 0:
                    raise TimeoutError
            return wire.take(self.socket, files)

    def tell(self, message: object, held: Sequence[Held] = ()) -> None:
        """Send it a message and the files that it is about. Raises `wire.Closed` if the child has died."""
        with self._in_use():
            wire.tell(self.socket, message, held)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Around every use of the socket: if another thread ends the child meanwhile, the socket is closed after."""
        with self._lock:
            if self.code is not None:
                raise wire.Closed
            self._listening = True
        try:
            yield
        finally:
            with self._lock:
                self._listening = False
                if self.code is not None:
                    self.socket.close()

    def chatter(self) -> tuple[str, ...]:
        """The lines on its standard error since the last call, as far as they were kept; safe to print."""
        with self._lock:
            if self.code is not None:
                return ()
            try:
                text = os.read(self._chatter, _CHATTER)
            except OSError:  # nothing there
                return ()
        lines = [line for line in text.decode(errors="backslashreplace").splitlines() if line.strip()]
        return tuple(printable(line)[:300] for line in lines[-_LINES:])

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        with self._lock:
            if self.code is not None:
                return False
            if not hasattr(os, "waitid"):
                return True
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def look(self) -> None:
        """Kill it if it exceeds its allowance, which closes its socket. `beyond` is then the limit that its request
        exceeded; without a request nothing is blamed. Any thread; never waits for another one.
        """
        if self.allowance is None or not self._lock.acquire(blocking=False):
            return
        try:
            if not self.is_alive():  # a socket closed by a death is no message
                return
            waits = self.allowance.waits  # read first: a request that comes meanwhile is not to blame
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            why = self.allowance.beyond(spoke=bool(poll.poll(0)))
            if why is not None:
                self.beyond = None if waits else why
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
        finally:
            self._lock.release()

    def end(self, *, closed: bool = False) -> None:
        """Kill and reap it; `how_it_ended`, `last_words`, `code` and `peak` then say how it ended. `closed`: it has
        closed its socket, so it is about to end by itself and may print why. Idempotent.
        """
        if closed:
            self._await_exit()
        with self._lock:
            if self.code is None:
                self._end(closed=closed)

    def _await_exit(self) -> None:
        """Give it a moment to end by itself, without the lock, so that it is still watched."""
        with self._lock:
            if self.code is not None or not hasattr(os, "pidfd_open"):
                return
            try:
                ended = os.pidfd_open(self.pid)
            except OSError:  # an old kernel
                return
        try:
            poll = select.poll()
            poll.register(ended, select.POLLIN)
            poll.poll(_EXIT)
        finally:
            os.close(ended)

    def _end(self, *, closed: bool) -> None:
        with suppress(OSError):  # the other side has closed it
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads it
        if not self._listening:
            self.socket.close()
        for kill in (os.killpg, os.kill):  # it may have left its group
            with suppress(ProcessLookupError, PermissionError):  # one that has died already keeps its exit status
                kill(self.pid, signal.SIGKILL)
        _pid, status, usage = os.wait4(self.pid, 0)
        self.peak = usage.ru_maxrss * MAXRSS_UNIT
        if self.peak <= self._inherited and self.allowance is not None:
            self.peak = self.allowance.peak
        self.last_words = self.chatter()
        os.close(self._chatter)
        self.code = os.waitstatus_to_exitcode(status)
        if self._started is not None:
            self._started.returncode = self.code  # it is reaped already
        how = f"killed by {_signal_name(-self.code)}" if self.code < 0 else f"ended with status {self.code}"
        if closed and self.code == -signal.SIGKILL and oom_kills() > self._oom_kills:
            how += ", perhaps out of memory"
        self.how_it_ended = f"{how}: {self.last_words[-1]}" if self.last_words else how


class Zygote(Child):
    """A warm child that spawns others; see `workers.zygote`. Used by the thread that starts children."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(replace(setup, spawns=True))
        self.is_ready = False
        self.has_spawned = False

    def await_ready(self, token: Token) -> None:
        """See `Child`."""
        said, descriptors = self.await_reply(token, _START)
        wire.close_all(descriptors)
        if said != Spawned(0):
            raise wire.Closed
        self.chatter()  # what it printed until now is not why it may end later
        self.is_ready = True

    def give_up(self) -> None:
        """Shut its socket down: a waiting thread gets `wire.Closed`, and the zygote ends by itself. Any thread."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def spawn(self, sock: int, chatter: int, setup: Setup) -> None:
        """Ask it for a process with that socket and standard error. Raises `wire.Closed` if it has died."""
        wire.tell(self.socket, setup, (Held(sock, 0), Held(chatter, 0)))

    def spawned(self, sock: socket.socket) -> int:
        """The id of the process that has the other end of `sock`. Raises `OSError` if it could not be spawned,
        `wire.Closed` if the zygote has died, and as `wire.take` does.
        """
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        poll.register(self.socket, 0)  # poll always reports a hang-up
        ticks = _START
        while not (answered := poll.poll(TICK * 1000)) and ticks:
            ticks -= 1
        if sock.fileno() not in dict(answered):  # a process spawned before it died has a moment to answer
            poll.unregister(self.socket)
            if not poll.poll(_EXIT):
                raise wire.Closed
        said, descriptors = wire.take(sock)
        wire.close_all(descriptors)
        number = said.number if isinstance(said, Spawned) else 0
        if number <= 0:
            raise OSError(-number, os.strerror(-number))
        self.has_spawned = True
        return number


def _environment() -> dict[str, str]:
    """The variables that libraries need. A child gets no others, because they may hold secrets."""
    return {name: text for name, text in os.environ.items() if name in _PASSED or name.startswith("LC_")}


def _start(sock: int, chatter: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own code
        [sys.executable, "-I", "-S", "-c", _CODE, str(sock), *sys.path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=chatter,
        pass_fds=(sock,),
        process_group=0,
        env=_environment(),
    )


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
