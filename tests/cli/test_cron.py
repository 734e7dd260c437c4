"""The world that cron makes: no environment, no terminal, any descriptor closed, and nobody there but a mailbox."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.errors import ExitStatus
from pipeline.manifest.store import Manifest
from pipeline.program import program
from pipeline.run import rendering
from pipeline.workers import process
from tests.pictures import encoded
from tests.world import World, jpeg

PYTHON = (sys.executable, "-I", "-m", "pipeline")
HOSTILE = (
    "new\nline.jpg",
    "esc\x1b[31m\x07\x9b.jpg",
    "back\rspace\x08.jpg",
    "\xe9\u202e.jpg",
    os.fsdecode(b"latin\xe9\xff.jpg"),
)


def cron(*words: str, mask: int = 0o022, shell: str = '"$@"', **streams: object) -> subprocess.CompletedProcess[bytes]:
    """Run as cron would, through its shell; all streams are caught unless they are given."""
    chosen: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", *words],
        cwd="/",
        env={"LC_ALL": "C"},
        umask=mask,
        timeout=100,
        check=False,
        **chosen | streams,  # type: ignore[call-overload]
    )
    return done


def small(world: World) -> World:
    world.configure(world.text + "workers: {threads: 2, processes: 1}\n")
    world.fill(2)
    return world


def assert_mail(text: bytes) -> str:
    """Lines that any mail program and any terminal can show."""
    lines = text.decode("utf-8").split("\n")
    assert all(line.isprintable() for line in lines), lines
    return "\n".join(lines)


def test_it_is_silent_on_success_and_a_short_mail_on_failure(world: World) -> None:
    small(world)
    run = (*program(), "run", str(world.config_path))
    for _ in range(2):
        done = cron(*run)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    world.put("bad.jpg", jpeg()[:300])
    done = cron(*run)
    assert (done.returncode, done.stdout) == (ExitStatus.FAILED, b"")
    first, second, end = assert_mail(done.stderr).split("\n")
    assert first.startswith("bad.jpg: truncated")
    assert second.startswith("thumbs: ")
    assert "1 failed" in second
    assert end == ""


def test_rendering_in_threads_prints_no_warning_and_no_log_of_a_library(world: World) -> None:
    world.configure(world.text + "workers: {threads: 2, processes: 0}\n")
    tiff = encoded(Image.effect_noise((40, 30), 50).convert("RGB"), "TIFF")
    samples = tiff.index(b"\x15\x01\x03\x00\x01\x00\x00\x00\x03\x00")  # tag 277, a short, one of them, 3
    world.put("warned.tif", tiff[: samples + 4] + b"\x02" + tiff[samples + 5 :])
    world.put("logged.tif", tiff[: samples + 8] + b"\x00\x08" + tiff[samples + 10 :])
    done = cron(*PYTHON, "run", str(world.config_path))
    assert done.returncode == ExitStatus.FAILED
    said = assert_mail(done.stderr).splitlines()
    assert [line.partition(":")[0] for line in said] == ["logged.tif", "thumbs"], said


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_any_descriptor_may_be_closed(world: World, closed: tuple[int, ...]) -> None:
    small(world)
    world.put("bad.jpg", jpeg()[:300])
    shell = '"$@"' + "".join(f" {number}>&-" for number in closed)
    done = cron(*PYTHON, "run", str(world.config_path), shell=shell)
    assert done.returncode == ExitStatus.FAILED
    assert done.stdout == b""
    assert (b"bad.jpg: truncated" in done.stderr) == (2 not in closed)
    assert len(world.tree()) == 2
    with Manifest.reader_at(world.config.manifest) as reader:
        assert reader.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert dict(reader.totals().sources) == {"done": 2, "failed": 1}
    done = cron(*PYTHON, "plan", str(world.config_path), shell=shell)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_a_closed_descriptor_leads_nowhere_and_an_open_one_stays(tmp_path: Path) -> None:
    code = "import os, sys; from pipeline.cli import main; main.open_standard_descriptors(); "
    code += "os.write(1, b'out'); os.write(2, b'err')"
    words = ["/bin/sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", code + "; open(sys.argv[1], 'x')"]
    done = subprocess.run([*words, str(tmp_path / "file")], capture_output=True, check=True)
    assert (done.stdout, (tmp_path / "file").read_bytes()) == (b"out", b"")


def test_a_run_opens_no_file_as_its_standard_error(world: World) -> None:
    command = "for n in 0 1 2; do readlink /proc/$PPID/fd/$n; done > fds"
    world.configure(world.text + f"notify: {{command: {{run: [sh, -c, '{command}'], on: always}}}}\n")
    assert cron(*PYTHON, "run", str(world.config_path), shell='"$@" <&- >&- 2>&-').returncode == 0
    assert (world.root / "fds").read_text() == "/dev/null\n" * 3


ANSWERS = [
    ("plan", "CONFIG"),
    ("manifest", "export", "CONFIG"),
    ("manifest", "query", "CONFIG", "status=done"),
    ("run", "CONFIG", "--json"),
    ("run", "--help"),
]


def answers(world: World) -> list[tuple[str, ...]]:
    small(world)
    world.run()
    world.put("new.jpg")
    return [tuple(str(world.config_path) if word == "CONFIG" else word for word in words) for words in ANSWERS]


def test_an_answer_that_nobody_reads_to_its_end_is_no_success_and_no_noise(world: World) -> None:
    for words in answers(world):
        reading, writing = os.pipe()
        os.close(reading)
        done = cron(*PYTHON, *words, stdout=writing)
        os.close(writing)
        assert done.returncode == ExitStatus.UNFINISHED, words
        assert b"Traceback" not in done.stderr, words
        assert b"rror" not in done.stderr, words


def test_an_answer_to_nobody_is_none_and_a_success(world: World) -> None:
    for words in answers(world):
        done = cron(*PYTHON, *words, shell='"$@" >&-')
        assert done.returncode == ExitStatus.OK, words
        assert b"Traceback" not in done.stderr, words
        assert b"closed" not in done.stderr, words


@pytest.mark.parametrize("how", ["imports", "dies", "never was"])
def test_children_that_cannot_start_are_one_line_and_status_3(
    world: World, how: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small(world)
    (tmp_path / "kills").write_bytes(bytes(100))
    monkeypatch.setenv("KILLS", str(tmp_path / "kills"))
    name = {"imports": "fail_to_start", "dies": "killed_while_starting"}.get(how, "")
    if name:
        monkeypatch.setattr(rendering, "_WARM_UP", f"tests.workers.functions:{name}")
    else:
        monkeypatch.setattr(process, "_CODE", "\0")  # Popen refuses it by ValueError
    assert main.status_of(["run", str(world.config_path)]) == ExitStatus.UNFINISHED
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("pipeline: ")
    assert "a rendering child" in said
    assert world.tree() == {}


def test_a_long_answer_to_head_ends_at_once_and_in_silence(world: World) -> None:
    for number in range(3000):
        world.put(f"{number:04}.jpg", b"")
    shell = '{ "$@"; echo "status $?" >&2; } | head -n 1'
    done = cron(*PYTHON, "plan", str(world.config_path), shell=shell)
    assert done.stdout.startswith(b"new             0000.jpg -> ")
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b"status 3\n"


def test_a_long_answer_onto_a_full_disk_is_one_clear_line(world: World) -> None:
    for number in range(3000):
        world.put(f"{number:04}.jpg", b"")
    with open("/dev/full", "wb") as full:
        done = cron(*PYTHON, "plan", str(world.config_path), stdout=full)
    assert done.returncode == ExitStatus.UNFINISHED
    assert done.stderr == b"pipeline: cannot write to standard output: No space left on device\n"


def test_an_answer_onto_a_full_disk_is_one_clear_line_and_no_success(world: World) -> None:
    for words in answers(world):
        with open("/dev/full", "wb") as full:
            done = cron(*PYTHON, *words, stdout=full)
        assert done.returncode == ExitStatus.UNFINISHED, words
        said = assert_mail(done.stderr).splitlines()
        assert said[-1] == "pipeline: cannot write to standard output: No space left on device", words
        assert "Traceback" not in said[0]


def test_a_full_disk_for_the_log_does_not_change_what_is_made_nor_its_status(world: World) -> None:
    small(world)
    world.put("bad.jpg", jpeg()[:300])
    with open("/dev/full", "wb") as full:
        done = cron(*PYTHON, "run", str(world.config_path), "-v", stderr=full)
    assert done.returncode == ExitStatus.FAILED
    assert len(world.tree()) == 2


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_are_those_of_the_umask_but_not_for_all_to_write_and_the_manifest_is_private(
    world: World, mask: int
) -> None:
    world.configure(
        world.text + "workers: {threads: 1, processes: 1}\nnotify: {metrics: m.prom, status_file: s.json}\n"
    )
    world.fill(3)
    for _ in range(2):
        assert cron(*program(), "run", str(world.config_path), mask=mask).returncode == 0
    wanted = {"file": 0o664 & ~mask, "folder": 0o775 & ~mask}
    for folder, folders, names in os.walk(world.target):
        here = Path(folder)
        private = ".pipeline" in here.parts
        for name in folders:
            assert mode(here / name) == (0o700 if name == ".pipeline" else wanted["folder"]), name
        for name in names:
            assert mode(here / name) == (0o600 if private else wanted["file"]), name
    assert (mode(world.root / "m.prom"), mode(world.root / "s.json")) == (0o644, wanted["file"])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_names_can_break_neither_the_mail_nor_the_terminal(world: World) -> None:
    world.configure(world.text + "workers: {threads: 1, processes: 1}\nnotify: {status_file: s.json}\n")
    for name in HOSTILE:
        world.put(name, jpeg()[:300])
    os.mkfifo(world.source / "pipe\n\x1b.jpg")
    (world.source / "link\n\x1b.jpg").symlink_to("nowhere")
    done = cron(*program(), "run", str(world.config_path))
    assert done.returncode == ExitStatus.FAILED
    said = assert_mail(done.stderr)
    assert "new\\nline.jpg: truncated" in said
    assert "esc\\x1b[31m" in said
    assert "latin\\xe9\\xff.jpg: truncated" in said
    assert len(said.splitlines()) <= len(HOSTILE) + 3
    for words in (["plan"], ["status"], ["verify"], ["doctor"], ["run", "-v"], ["manifest", "query"]):
        more = ["status=failed"] if words[0] == "manifest" else []
        told = world.command(*words, str(world.config_path), *more)
        assert "Traceback" not in told.stderr
        assert_mail(told.stderr.encode())
        assert_mail(told.stdout.encode())
    status = json.loads((world.root / "s.json").read_text())
    assert status["sentence"].isprintable()
    assert all(line.isprintable() for line in status["failures"])


def test_a_hostile_name_of_the_config_itself_is_escaped_too(world: World) -> None:
    world.fill(1)
    path = world.root / os.fsdecode(b"c\x1b[31m\n\xff.yaml")
    path.write_text(world.text + "workers: {threads: 1, processes: 0}\n")
    done = cron(*PYTHON, "run", str(path), "-v")
    assert done.returncode == 0
    assert_mail(done.stderr)
    path.write_text("nothing: 1\n")
    done = cron(*PYTHON, "run", str(path))
    assert done.returncode == ExitStatus.USAGE
    assert_mail(done.stderr)


def test_a_locale_that_cannot_say_a_name_escapes_it(world: World) -> None:
    world.put("é.jpg", jpeg()[:300])
    done = subprocess.run(
        [*PYTHON, "run", str(world.config_path), "--processes", "0"],
        env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == ExitStatus.FAILED
    assert b"Traceback" not in done.stderr
