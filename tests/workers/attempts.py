"""What a child that was taken over would try. Imported by a child, which answers with what each attempt came to."""

from __future__ import annotations

import array
import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

from pipeline.workers.exchange import Held, Reply

_LIBC = ctypes.CDLL(None, use_errno=True)
_PARENT = os.getppid()
_TGKILL = {"x86_64": 234, "aarch64": 131}.get(os.uname().machine, 0)
_CLONE = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine, 0)
_Address = tuple[str, int] | str


def _called(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _connect(family: int, address: _Address) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.connect(address)


def _datagram(family: int, address: _Address) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"hello", address)


def _pair(address: _Address) -> None:
    """A pair of datagram sockets can be made without `socket`, and send to anybody."""
    near, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, other:
        near.sendto(b"hello", address)


def _fork(then: Callable[[], object]) -> None:
    if not (pid := os.fork()):
        try:
            then()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def _signal_by_descriptor(descriptor: int) -> None:
    """A descriptor can be told to send a signal of choice to a process of choice."""
    _called(_LIBC.fcntl(descriptor, fcntl.F_SETOWN, _PARENT))


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "open for reading": lambda world: os.open("/etc/passwd", os.O_RDONLY),
    "open for writing": lambda world: os.open(f"{world}/file", os.O_WRONLY),
    "create": lambda world: os.open(f"{world}/new", os.O_WRONLY | os.O_CREAT),
    "open itself": lambda world: os.open("/proc/self/mem", os.O_RDWR),
    "list": os.listdir,
    "import": lambda world: __import__("xmlrpc.client"),
    "unlink": lambda world: os.unlink(f"{world}/file"),
    "rename": lambda world: os.rename(f"{world}/file", f"{world}/other"),
    "link": lambda world: os.link(f"{world}/file", f"{world}/other"),
    "symlink": lambda world: os.symlink("/etc", f"{world}/other"),
    "mkdir": lambda world: os.mkdir(f"{world}/folder"),
    "truncate": lambda world: os.truncate(f"{world}/file", 0),
    "chmod": lambda world: os.chmod(f"{world}/file", 0o777),
    "chown": lambda world: os.chown(f"{world}/file", 1, 1),
    "utime": lambda world: os.utime(f"{world}/file", (1, 1)),
    "setxattr": lambda world: os.setxattr(f"{world}/file", "user.x", b"y"),
    "connect by TCP": lambda world: _connect(socket.AF_INET, ("127.0.0.1", int(os.environ["TCP"]))),
    "send by UDP": lambda world: _datagram(socket.AF_INET, ("127.0.0.1", int(os.environ["UDP"]))),
    "connect by Unix socket": lambda world: _connect(socket.AF_UNIX, f"{world}/socket"),
    "connect by abstract socket": lambda world: _connect(socket.AF_UNIX, f"\0{world}"),
    "send by a pair of sockets": lambda world: _pair(f"{world}/datagrams"),
    "exec": lambda world: os.execv("/bin/true", ["true"]),
    "fork and exec": lambda world: subprocess.run(["/bin/true"], check=True),
    "fork": lambda world: _fork(lambda: None),
    "kill the parent": lambda world: os.kill(_PARENT, signal.SIGUSR1),
    "kill the parent's thread": lambda world: _called(_LIBC.syscall(_TGKILL, _PARENT, _PARENT, signal.SIGUSR1)),
    "kill everybody": lambda world: os.kill(-1, 0),
    "open the parent's pidfd": lambda world: os.pidfd_open(_PARENT),
    "signal the parent by descriptor": lambda world: _signal_by_descriptor(0),
    "ptrace the parent": lambda world: _called(_LIBC.ptrace(16, _PARENT, None, None)),
    "read the parent's memory": lambda world: _called(_LIBC.process_vm_readv(_PARENT, None, 0, None, 0, 0)),
    "write the parent's memory": lambda world: _called(_LIBC.process_vm_writev(_PARENT, None, 0, None, 0, 0)),
    "limit the parent": lambda world: resource.prlimit(_PARENT, resource.RLIMIT_CPU, (1, 1)),
    "slow the parent down": lambda world: os.setpriority(os.PRIO_PROCESS, _PARENT, 19),
    "outlive the parent": lambda world: _called(_LIBC.prctl(1, 0, 0, 0, 0)),
    "mount": lambda world: _called(_LIBC.mount(b"none", world.encode(), b"tmpfs", 0, None)),
    "unshare": lambda world: _called(_LIBC.unshare(0x10000000)),
    "set the clock": lambda world: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "set the host's name": lambda world: socket.sethostname(socket.gethostname()),
    "list interfaces": lambda world: fcntl.ioctl(0, 0x8912, bytes(16)),
    "read an extended attribute": lambda world: os.getxattr(f"{world}/file", "user.x"),
    "list extended attributes": lambda world: os.listxattr(f"{world}/file"),
    "read a link": lambda world: os.readlink("/proc/self/exe"),
    "ask for access": lambda world: _called(_LIBC.access(f"{world}/file".encode(), 0)),
    "ask for the folder": lambda world: os.getcwd(),
    "sync": lambda world: _called(_LIBC.syncfs(0)),
    "shared memory without a file": lambda world: mmap.mmap(-1, 4096),
    "a thread with its own descriptors": lambda world: _called(_LIBC.syscall(_CLONE, 0x10900, 0, 0, 0, 0)),
    "shared memory": lambda world: _called(_LIBC.shmget(0x1234, 4096, 0o1600)),
}


def attempt(held: Held, request: str) -> Iterator[Reply]:
    """`request`: a name of the above and a folder, with a line between. The answer: "done", or the error's number."""
    name, _line, world = request.partition("\n")
    try:
        ATTEMPTS[name](world)
    except ImportError:
        came = "refused"
    except OSError as error:
        came = "refused" if error.errno in (1, 13, 38) else f"{type(error).__name__} {error}"
    else:
        came = "done"
    yield Reply(came)
    yield Reply(came)


def allowed(held: Held, request: object) -> Iterator[Reply]:
    """What libraries do and must go on doing. Answers with its names; raises where one is refused."""
    done: list[str] = []
    thread = threading.Thread(target=done.append, args=("thread",))
    thread.start()
    thread.join()
    os.write(made := os.memfd_create("made"), b"x" * 4096)
    done.append("memory file")
    done.append(f"seek {os.lseek(made, 0, os.SEEK_END)}")
    os.close(made)
    fcntl.ioctl(0, 0x5452, array.array("i", [0]))  # FIOASYNC off: any harmless one
    os.kill(os.getpid(), 0)
    done.append("signal to itself")
    os.urandom(8)
    time.localtime()
    time.sleep(0)
    bytearray(64 * 2**20)
    done.append("memory")
    yield Reply(tuple(done))
    yield Reply(tuple(done))
