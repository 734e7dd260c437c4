from __future__ import annotations

import ctypes
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.workers import landlock, seccomp
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, Confinement, whole
from pipeline.workers.seccomp import EXAMINED, FORBIDDEN, LAST
from pipeline.workers.token import Token
from tests.workers.attempts import ATTEMPTS

BOUNDS = Bounds(seconds=60, memory=2**30)
ABLE = seccomp.machine() is not None and "Seccomp" in Path("/proc/self/status").read_text()
needs_seccomp = pytest.mark.skipif(not ABLE, reason="needs seccomp filters and a machine whose system calls are known")


def ask(pool: ChildPool, request: object) -> object:
    with tempfile.TemporaryFile() as file, pool.ask(whole(file.fileno()), request, BOUNDS, Token()) as exchange:
        first = exchange.first()
        exchange.last()
        return first


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a file, and sockets that answer, so that an attempt that is not refused succeeds."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "file").write_text("content")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for family, kind, address in (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "socket")),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{folder}"),
            (socket.AF_UNIX, socket.SOCK_DGRAM, str(folder / "datagrams")),
        ):
            sock = stack.enter_context(socket.socket(family, kind))
            sock.bind(address)
            if kind == socket.SOCK_STREAM:
                sock.listen()
            if family == socket.AF_INET:
                patch.setenv("TCP" if kind == socket.SOCK_STREAM else "UDP", str(sock.getsockname()[1]))
        yield folder


@pytest.fixture(scope="module")
def child(world: Path) -> Iterator[ChildPool]:
    with ChildPool("tests.workers.attempts:attempt", None, 1) as pool:
        yield pool


@needs_seccomp
@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_child_can_reach_nothing_but_its_memory_and_its_descriptors(child: ChildPool, world: Path, name: str) -> None:
    struck = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: struck.append(number))
    try:
        assert ask(child, f"{name}\n{world}") == "refused"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not struck
    assert (world / "file").read_text() == "content"
    assert sorted(path.name for path in world.iterdir()) == ["datagrams", "file", "socket"]


# Each layer alone, in a process of its own: (what is applied, attempts that it must refuse alone).
_LAYERS = {
    "landlock": ["open for reading", "open for writing", "create", "unlink", "mkdir", "symlink", "exec", "truncate"],
    "seccomp": list(ATTEMPTS),
}
_ALONE = """
import ctypes, sys
from pipeline.workers import landlock, seccomp
from tests.workers.attempts import attempt
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
why = landlock.restrict(libc, int(sys.argv[2])) if sys.argv[1] == "landlock" else seccomp.install(libc)
assert not why, why
for name in sys.argv[4:]:
    print(next(attempt(0, name + "\\n" + sys.argv[3])).payload, name)
"""


@needs_seccomp
@pytest.mark.parametrize("layer", ["seccomp", *(f"landlock {version}" for version in (1, 3, 4, 6))])
def test_each_layer_refuses_its_part_alone(world: Path, layer: str) -> None:
    layer, _space, version = layer.partition(" ")
    names = _LAYERS[layer]
    if layer == "landlock":
        if landlock.version(ctypes.CDLL(None, use_errno=True)) < int(version):
            pytest.skip(f"needs landlock {version}")
        names = [name for name in names if name != "truncate" or int(version) >= 3]
        names += ["connect by TCP"] * (int(version) >= 4) + ["connect by abstract socket"] * (int(version) >= 6)
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, layer, version or "0", str(world), *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"refused {name}" for name in names]


def test_what_libraries_need_is_left(world: Path) -> None:
    with ChildPool("tests.workers.attempts:allowed", None, 1) as pool:
        assert ask(pool, None) == ("thread", "memory file", "seek 4096", "signal to itself", "memory")


def test_a_child_has_nothing_of_the_environment_but_what_libraries_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PING_URL", "https://example.org/secret")
    monkeypatch.setenv("LC_TIME", "C")
    with ChildPool("tests.workers.functions:echo", None, 2) as pool:
        pid = ask(pool, "plain")[2]  # type: ignore[index]
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"secret" not in environment
    assert b"LC_TIME=C" in environment


@needs_seccomp
def test_a_child_says_what_is_enforced_and_is_right() -> None:
    with ChildPool("tests.workers.functions:echo", None, 1) as pool:
        assert pool.confinement is None
        confinement = pool.await_confinement(Token())
        pid = ask(pool, "plain")[2]  # type: ignore[index]
        status = Path(f"/proc/{pid}/status").read_text()
        assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "500\n"
        limits = Path(f"/proc/{pid}/limits").read_text()
    assert pool.confinement == confinement
    assert confinement.seccomp
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
    assert re.search(r"^CapPrm:\t0+$", status, re.MULTILINE)
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    assert re.search(r"^Max open files +1024 ", limits, re.MULTILINE)
    assert confinement.landlock == landlock.version(ctypes.CDLL(None, use_errno=True))
    assert confinement.complete == bool(confinement.landlock)


@pytest.mark.parametrize(
    ("confinement", "said"),
    [
        (Confinement(7, seccomp=True), "landlock 7 and seccomp"),
        (Confinement(0, seccomp=True, lacking=("landlock: not offered by the kernel",)),
         "seccomp (lacking landlock: not offered by the kernel)"),
        (Confinement(lacking=("no confinement on darwin",)), "nothing (lacking no confinement on darwin)"),
    ],
)  # fmt: skip
def test_what_is_enforced_is_said_in_words(confinement: Confinement, said: str) -> None:
    assert str(confinement) == said
    assert confinement.complete == (not confinement.lacking)


def test_a_kernel_that_offers_nothing_is_told_and_worked_with(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.workers import confine

    monkeypatch.setattr(landlock, "version", lambda libc: 0)
    monkeypatch.setattr(seccomp, "install", lambda libc: "Invalid argument")
    monkeypatch.setattr(confine, "_give_up_capabilities", lambda libc: False)
    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **kwargs: _Libc())
    said = confine.confine()
    assert said.lacking == ("capabilities", "landlock: not offered by the kernel", "seccomp: Invalid argument")
    assert not said.complete


class _Libc:
    def prctl(self, *arguments: int) -> int:
        return 0


_HEADERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")


@pytest.mark.skipif(not _HEADERS.exists(), reason="needs linux-libc-dev for x86_64")
def test_the_numbers_of_system_calls_are_the_kernel_s() -> None:
    defined = {name: int(number) for name, number in re.findall(r"__NR_(\w+) (\d+)", _HEADERS.read_text())}
    for name, (number, _other) in (FORBIDDEN | EXAMINED).items():
        assert number is None or number <= LAST
        assert defined.get(name, number) == number, name


def test_no_system_call_stands_in_the_table_twice() -> None:
    for column in (0, 1):
        numbers = [row[column] for row in (FORBIDDEN | EXAMINED).values() if row[column] is not None]
        assert len(numbers) == len(set(numbers))
