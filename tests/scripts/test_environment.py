"""`scripts/pipeline` makes the environment when it must, once, and leaves a good one alone.

Most tests use an interpreter that only notes what it was asked to do; the last one makes a real environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/bin:/usr/bin:/bin"

# Notes `venv` and `pip` calls; the environment that it makes has itself as its python.
INTERPRETER = """#!/bin/sh
case "$*" in
    *'import sys; print('*) echo "${FAKE_VERSION:-3.11.0}" ;;
    *version_info*) [ -z "${FAKE_VERSION:-}" ] ;;
    *ensurepip*) [ -z "${FAKE_NO_VENV:-}" ] ;;
    *'-m venv'*)
        for folder; do :; done
        echo venv >>"$FAKE_NOTES"
        mkdir -p "$folder/bin" "$folder/lib/python3.11/site-packages"
        ln -s "$(readlink -f "$0")" "$folder/bin/python"
        echo "#!$folder/bin/python" >"$folder/bin/tool" ;;
    *'-m pip '*)
        for file; do :; done
        echo "pip ${file##*/}" >>"$FAKE_NOTES"
        [ "${FAKE_BAD_PIP:-}" != "${file##*/}" ] || { echo "no such wheel"; exit 1; } ;;
    *'import click'*) [ -z "${FAKE_LACKS:-}" ] ;;
    *'import os, sys'*) shift 3; sed -i "s|$1|$2|" "$1"/bin/tool ;;
    *'-m pipeline'*) shift 3; for word; do echo "<$word>"; done; [ "${1:-}" != wait ] || read -r _ ;;
    *) exit 99 ;;
esac
"""


class Checkout:
    """A repository with nothing in it but the scripts, in a folder whose name has a space."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.notes = folder / "notes"
        self.python = folder / "fake" / "python3"
        self.script = self.root / "scripts" / "pipeline"
        self.before: list[str] = []  # words before each command
        self.environment = {
            "PATH": f"{self.python.parent}:{PATH}",
            "FAKE_NOTES": str(self.notes),
        }
        requirements = self.root / "scripts" / "requirements"
        requirements.mkdir(parents=True)
        for name in ("pipeline", "environment.sh"):
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts" / name)
        for name in ("build", "run", "dev", "jxl", "parquet"):
            (requirements / f"{name}.txt").write_text(f"# {name}\n")
        self.python.parent.mkdir()
        self.python.write_text(INTERPRETER)
        self.python.chmod(0o755)

    def run(self, *arguments: str, script: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.before, str(script or self.script), *arguments],
            env=self.environment | more,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def everything(self) -> dict[str, int]:
        """What is in the environment, and when it was written last."""
        return {str(path): path.lstat().st_mtime_ns for path in (self.root / ".venv").rglob("*")}

    def noted(self) -> list[str]:
        """What the interpreter was asked to do since the last call."""
        text = self.notes.read_text() if self.notes.exists() else ""
        self.notes.write_text("")
        return [line.split()[-1] for line in text.splitlines()]


BUILT = ["venv", "build.txt", "run.txt"]
FIRST = "pipeline: making the environment in .venv (once, half a minute)\n"  # also where no terminal is


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def built(checkout: Checkout) -> Checkout:
    assert checkout.run().returncode == 0
    assert checkout.noted() == BUILT
    return checkout


def test_the_first_call_makes_the_environment_and_then_runs_silently(checkout: Checkout) -> None:
    for told in (FIRST, ""):
        done = checkout.run("run", "a b", "", "--x=*")
        assert (done.returncode, done.stdout, done.stderr) == (0, "<run>\n<a b>\n<>\n<--x=*>\n", told)
    assert checkout.noted() == BUILT


def test_a_good_environment_is_left_alone(built: Checkout) -> None:
    before = os.stat(built.root / ".venv").st_mtime_ns
    done = built.run("plan", PATH=PATH, FAKE_BAD_PIP="run.txt", PIPELINE_PYTHON="/nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, "<plan>\n", "")
    assert built.noted() == []
    assert os.stat(built.root / ".venv").st_mtime_ns == before


def test_it_works_through_a_symbolic_link(built: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "pipeline"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(built.script, link.parent))
    assert built.run("x", script=link).stdout == "<x>\n"
    assert built.noted() == []


def _change_the_lock(checkout: Checkout) -> None:
    (checkout.root / "scripts" / "requirements" / "run.txt").write_text("# other\n")


def _lose_the_stamp(checkout: Checkout) -> None:  # as a build that was killed leaves it
    (checkout.root / ".venv" / ".stamp-run").unlink()


def _lose_the_interpreter(checkout: Checkout) -> None:
    (checkout.root / ".venv" / "bin" / "python").unlink()


def _upgrade_the_interpreter(checkout: Checkout) -> None:
    python = checkout.root / ".venv" / "bin" / "python"
    shutil.copy(python, python.with_name("python3.99"))
    python.unlink()
    python.symlink_to("python3.99")


@pytest.mark.parametrize("spoil", [_change_the_lock, _lose_the_stamp, _lose_the_interpreter, _upgrade_the_interpreter])
def test_a_stale_environment_is_made_anew(built: Checkout, spoil: Callable[[Checkout], None]) -> None:
    left = built.root / ".venv" / "left over"
    left.touch()
    spoil(built)
    assert built.run("x").stdout == "<x>\n"
    assert built.noted() == BUILT
    assert not left.exists()
    assert built.run("x").stdout == "<x>\n"
    assert built.noted() == []


def test_an_environment_gets_an_extra_once_and_keeps_it(built: Checkout) -> None:
    done = built.run("--with", "jxl", "run", "a b")
    assert (done.returncode, done.stdout, done.stderr) == (0, "<run>\n<a b>\n", "")
    assert built.noted() == [*BUILT, "jxl.txt"]
    for words in (["x"], ["--with", "jxl", "x"]):
        assert built.run(*words).stdout == "<x>\n"
        assert built.noted() == []
    _change_the_lock(built)
    assert built.run("--with", "parquet", "x").stdout == "<x>\n"
    assert built.noted() == [*BUILT, "jxl.txt", "parquet.txt"]


def test_what_was_an_extra_once_may_still_be_asked_for(built: Checkout) -> None:
    for extra in ("heif", "optimize"):
        assert built.run("--with", extra, "x").stdout == "<x>\n"
    assert built.noted() == []


def test_an_extra_that_is_none_is_refused_before_anything_is_done(checkout: Checkout) -> None:
    for words in (["--with", "speed"], ["--with"]):
        done = checkout.run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--with takes one of cloud dask faces jxl parquet, not" in done.stderr
    assert checkout.noted() == []


def test_a_failed_build_says_so_and_is_tried_again(checkout: Checkout) -> None:
    done = checkout.run(FAKE_BAD_PIP="run.txt")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        FIRST.rstrip(),
        "no such wheel",
        "pipeline: the environment could not be made (status 1; the end of .venv.new/build.log is above)",
    ]
    assert checkout.noted() == BUILT
    assert checkout.run().returncode == 0
    assert checkout.noted() == BUILT


@pytest.mark.parametrize("fails", [{"FAKE_BAD_PIP": "run.txt"}, {"FAKE_VERSION": "3.9"}, {"FAKE_NO_VENV": "1"}])
def test_a_build_that_fails_leaves_the_environment_that_was_there(built: Checkout, fails: dict[str, str]) -> None:
    before = built.everything()
    lock = built.root / "scripts" / "requirements" / "run.txt"
    text = lock.read_text()
    _change_the_lock(built)
    usual = built.environment
    built.environment = usual | fails | {"PATH": str(_with_tools(built))}
    assert built.run("x").returncode == 3
    assert built.everything() == before
    built.noted()
    built.environment = usual
    lock.write_text(text)
    assert built.run("x").stdout == "<x>\n"
    assert built.noted() == []


def _with_tools(checkout: Checkout, *without: str) -> Path:
    """The folder of the interpreter, which is the only one there then, with the programs that the script needs."""
    only = checkout.python.parent
    for tool in {"sh", "readlink", "cksum", "cat", "flock", "rm", "mkdir", "mv", "tail"} - set(without):
        (only / tool).unlink(missing_ok=True)
        (only / tool).symlink_to(shutil.which(tool, path=PATH) or "")
    return only


def test_an_environment_tells_its_own_new_place(built: Checkout) -> None:
    tool = built.root / ".venv" / "bin" / "tool"
    assert tool.read_text() == f"#!{built.root}/.venv/bin/python\n"
    assert not list(built.root.glob(".venv.*"))


@pytest.mark.parametrize("left", [".venv.new", ".venv.old"])
def test_what_a_killed_build_left_is_cleared_away(built: Checkout, left: str) -> None:
    (built.root / left / "bin").mkdir(parents=True)
    _change_the_lock(built)
    assert built.run("x").stdout == "<x>\n"
    assert built.noted() == BUILT
    assert not list(built.root.glob(".venv.*"))


def test_a_build_that_was_killed_before_its_last_step_is_not_made_again(built: Checkout) -> None:
    (built.root / ".venv").rename(built.root / ".venv.new")
    (built.root / ".venv.old").mkdir()
    assert built.run("x").stdout == "<x>\n"
    assert built.noted() == []
    assert not list(built.root.glob(".venv.*"))


def test_an_environment_that_cannot_be_checked_is_used_as_it_is(built: Checkout) -> None:
    only = _with_tools(built, "cksum")
    failing = only / "cksum"
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    done = built.run("x", PATH=str(only))
    assert (done.returncode, done.stdout, done.stderr) == (0, "<x>\n", "")
    assert built.noted() == []


@pytest.fixture
def of_others() -> Iterator[Checkout]:
    """A checkout that somebody else has made and brought to a newer state since, as a user who may only read it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        built = Checkout(Path(folder))
        assert built.run().returncode == 0
        built.noted()
        _change_the_lock(built)
        if os.geteuid() == 0:
            if shutil.which("setpriv") is None:
                pytest.skip("needs setpriv")
            built.before = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            built.notes.chmod(0o666)
            yield built
            return
        for path in (built.root, built.root / ".venv"):
            path.chmod(0o555)
        yield built
        for path in (built.root, built.root / ".venv"):
            path.chmod(0o755)


def test_an_environment_of_other_make_that_cannot_be_rewritten_is_used(of_others: Checkout) -> None:
    before = of_others.everything()
    done = of_others.run("x")
    assert (done.returncode, done.stdout, done.stderr) == (0, "<x>\n", "")
    assert of_others.noted() == []
    assert of_others.everything() == before


def test_an_extra_that_cannot_be_added_is_not_passed_over(of_others: Checkout) -> None:
    done = of_others.run("--with", "jxl", "x")
    assert (done.returncode, done.stdout) == (3, "")
    assert of_others.noted() == []


def test_an_environment_that_does_not_work_and_cannot_be_rewritten_is_left_alone(of_others: Checkout) -> None:
    before = of_others.everything()
    done = of_others.run("x", FAKE_LACKS="1")
    assert (done.returncode, done.stdout) == (3, "")
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be made anew" in done.stderr
    assert of_others.noted() == []
    assert of_others.everything() == before


def test_an_old_python_is_named(checkout: Checkout) -> None:
    only = _with_tools(checkout)
    done = checkout.run(PATH=str(only), FAKE_VERSION="3.9.2")
    assert done.returncode == 3
    assert done.stderr.removeprefix(FIRST) == (
        "pipeline: needs Python 3.11 or newer, but python3 is 3.9.2; on Debian: apt-get install python3 python3-venv\n"
    )
    checkout.python.unlink()
    done = checkout.run(PATH=str(only))
    assert done.returncode == 3
    assert "but there is no python3; on Debian" in done.stderr


def test_a_missing_debian_package_is_named(checkout: Checkout) -> None:
    done = checkout.run(FAKE_NO_VENV="1")
    assert done.returncode == 3
    assert (
        done.stderr.removeprefix(FIRST)
        == "pipeline: python3 has no venv module; on Debian: apt-get install python3-venv\n"
    )


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    both = [
        subprocess.Popen([str(checkout.script), "x"], env=checkout.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["<x>\n"] * 2
    assert checkout.noted() == BUILT


def test_an_environment_is_not_pulled_from_under_a_running_command(built: Checkout) -> None:
    _change_the_lock(built)
    running = os.open(built.root, os.O_RDONLY)
    fcntl.flock(running, fcntl.LOCK_SH)  # as every command holds it while it lives
    terminal, stderr = pty.openpty()
    waiting = subprocess.Popen([str(built.script)], env=built.environment, stderr=stderr)
    os.close(stderr)
    said = b""
    while b"\n" not in said:
        said += os.read(terminal, 1000)
    assert b"waiting for other commands to end" in said
    assert built.noted() == []
    os.close(running)
    assert waiting.wait() == 0
    os.close(terminal)
    assert built.noted() == BUILT


def test_a_running_command_holds_the_environment_until_it_ends(built: Checkout) -> None:
    with subprocess.Popen(
        [str(built.script), "wait"], env=built.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdin is not None
        assert command.stdout is not None
        assert command.stdout.readline() == "<wait>\n"
        builder = os.open(built.root, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(builder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        command.stdin.write("go\n")
    fcntl.flock(builder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(builder)


def _wheel(folder: Path) -> str:
    """A package `tiny` in a wheel; its line for a requirements file."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "GREETING = 'hello'\n")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr("tiny-1.0.dist-info/WHEEL", tags)
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    return f"tiny==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.mark.slow
def test_a_real_environment_from_an_empty_one_with_every_descriptor_closed(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    (checkout.root / "scripts" / "requirements" / "run.txt").write_text(_wheel(tmp_path))
    package = checkout.root / "pipeline"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        f"import sys, tiny\nwith open({str(tmp_path / 'said')!r}, 'w') as file:\n"
        "    print(tiny.GREETING, sys.argv[1:], sys.flags.isolated, file=file)\n"
    )
    surroundings = {
        "PATH": PATH,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": tmp_path.as_uri(),
        "PIPELINE_PYTHON": os.path.join(sys.base_prefix, "bin", "python3"),
    }
    command = 'exec "$1" a "b c" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", command, "sh", str(checkout.script)], env=surroundings, cwd="/", check=False)
    assert done.returncode == 0
    assert (tmp_path / "said").read_text() == "hello ['a', 'b c'] 1\n"
