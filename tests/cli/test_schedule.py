from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import crontab, main, systemd
from pipeline.cli.timing import EVERY, Timing, timing
from pipeline.config.load import load
from pipeline.errors import UsageError
from pipeline.program import program
from tests.world import World

ODD = "a b's $HOME; 100%n \\n é"
analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def odd(tmp_path: Path) -> World:
    (tmp_path / ODD).mkdir()
    return World(tmp_path / ODD)


@pytest.mark.parametrize(
    ("every", "at", "cron", "calendar"),
    [
        ("day", "02:30", "30 2 * * *", "*-*-* 02:30:00"),
        ("day", "2:05", "5 2 * * *", "*-*-* 02:05:00"),
        ("hour", ":07", "7 * * * *", "*-*-* *:07:00"),
        ("weekday", "23:59", "59 23 * * 1-5", "Mon..Fri *-*-* 23:59:00"),
        ("sunday", "00:00", "0 0 * * 0", "Sun *-*-* 00:00:00"),
        ("saturday", "12:00", "0 12 * * 6", "Sat *-*-* 12:00:00"),
        ("month", "04:00", "0 4 1 * *", "*-*-01 04:00:00"),
        ("day", None, "30 2 * * *", "*-*-* 02:30:00"),
        ("hour", None, "30 * * * *", "*-*-* *:30:00"),
    ],
)
def test_a_time_is_the_same_for_cron_and_for_systemd(every: str, at: str | None, cron: str, calendar: str) -> None:
    when = timing(at, every)
    assert (when.cron, when.calendar) == (cron, calendar)


@pytest.mark.parametrize(
    ("every", "at"), [("day", "24:00"), ("day", "2:5"), ("day", ":30"), ("day", "noon"), ("hour", "02:30"), ("day", "")]
)
def test_what_is_no_time_is_refused(every: str, at: str) -> None:
    if at:
        with pytest.raises(UsageError, match="--at"):
            timing(at, every)


@analyze
@pytest.mark.parametrize("every", EVERY)
def test_systemd_reads_every_time(every: str) -> None:
    words = ["systemd-analyze", "calendar", timing(None, every).calendar]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


def as_cron_would(line: str) -> tuple[str, str]:
    """The command and what it gets on its input: a bare % ends the one and begins the other, an escaped one is a %."""
    command, _, fed = re.sub(r"(?<!\\)%", "\n", line.split(" ", 5)[5]).partition("\n")
    return command.replace(r"\%", "%"), fed


@pytest.mark.parametrize(
    "path", ["/plain.yaml", f"/{ODD}.yaml", "/%d%%.yaml", '/"double".yaml', "/*?[a]~#&|<>()`.yaml"]
)
def test_any_path_survives_cron_and_its_shell(path: str) -> None:
    words = (sys.executable, "-c", "import sys; print(sys.argv[1], end='')", path)
    command, fed = as_cron_would(crontab.line(words, Timing("day", 2, 30)))
    assert fed == ""
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == path


def test_a_line_that_cron_would_cut_is_refused() -> None:
    with pytest.raises(UsageError, match="too long"):
        crontab.line(("/" + "x" * 999,), Timing("day", 2, 30))


def test_the_variable_of_the_ping_is_asked_for_and_never_filled_in(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HC_URL", "https://hc.example/s3cret")
    world.configure(world.text + "notify: {ping: {url_env: HC_URL}}\n")
    assert main.status_of(["schedule", str(world.config_path), "--at", "02:30"]) == 0
    said = capsys.readouterr().out
    assert "#HC_URL=https://..." in said
    assert f"EnvironmentFile=-/etc/pipeline/{systemd.unit_name(world.config_path)}.env" in said
    assert "PrivateNetwork" not in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("source: photos", "source: urls.txt"),
        ("target: out", "target: s3://bucket/out\nmanifest: m.sqlite"),
        ("target: out", "target: out\nexecutor: {dask: 'tcp://scheduler:8786'}"),
    ],
)
def test_the_service_of_a_list_of_urls_or_a_cluster_has_the_network(
    world: World, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    assert main.status_of(["schedule", str(world.config_path), "--format", "systemd"]) == 0
    assert "PrivateNetwork=yes" in capsys.readouterr().out
    world.configure(world.text.replace(old, new))
    assert main.status_of(["schedule", str(world.config_path), "--format", "systemd"]) == 0
    said = capsys.readouterr().out
    assert "PrivateNetwork" not in said
    assert "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n" in said
    assert "After=network-online.target" in said


def test_paths_are_absolute_wherever_it_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.root)
    assert main.status_of(["schedule", "thumbs.yaml", "--format", "cron"]) == 0
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert words[:5] == ["30", "2", "*", "*", "*"]
    assert words[5].startswith("/")
    assert words[-2:] == ["run", str(world.config_path)]


def test_what_it_names_can_be_started_from_anywhere(world: World) -> None:
    done = subprocess.run([*program(), "--version"], cwd="/", env={}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_installed_command_is_named_by_the_path_it_was_started_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "1").write_text("#!/bin/sh\n")
    (tmp_path / "versions" / "1").chmod(0o755)
    (tmp_path / "pipeline").symlink_to("versions/1")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "pipeline"), "schedule"])
    assert program() == (str(tmp_path / "pipeline"),)


def test_a_name_that_no_schedule_can_hold_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a\nb", os.fsdecode(b"a\xff")):
        (tmp_path / name).mkdir()
        world = World(tmp_path / name)
        assert main.status_of(["schedule", str(world.config_path)]) == 2
        assert "rename it" in capsys.readouterr().err


def written(world: World, folder: Path, *options: str) -> list[Path]:
    world.target.mkdir(exist_ok=True)
    words = ["schedule", str(world.config_path), "--output", str(folder), *options]
    assert main.status_of(words) == 0
    return sorted(folder.iterdir())


def test_the_folder_of_the_units_is_made_or_refused_in_a_line(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(written(world, tmp_path / "deep" / "units")) == 2
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "units"
    assert main.status_of(["schedule", str(world.config_path), "--output", str(folder)]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"pipeline: cannot write {folder}: ")


def value(unit: Path, key: str) -> str:
    return str(re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)[-1])


@analyze
@pytest.mark.parametrize("more", ["", "notify: {ping: {url_env: HC_URL}, metrics: ../node/thumbs.prom}\n"])
def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path, odd: World, more: str) -> None:
    odd.configure(odd.text + more)
    units = written(odd, tmp_path / "units", "--user", "daemon")
    name = systemd.unit_name(odd.config_path)
    assert [unit.name for unit in units] == [f"{name}.service", f"{name}.timer"]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if name in line]
    assert (done.returncode, said) == (0, [])


def test_a_service_may_write_where_a_run_writes_and_nowhere_else(tmp_path: Path, world: World) -> None:
    world.configure(
        world.text + "manifest: /var/lib/m/x.sqlite\nnotify: {metrics: /srv/n/t.prom, status_file: out2/s.json}\n"
        "report: /srv/reports/r.html\n"
    )
    service, _timer = written(world, tmp_path / "units")
    assert value(service, "ReadWritePaths").split() == sorted(
        ["/srv/n", "/srv/reports", "/var/lib/m", str(world.target), str(world.root / "out2")]
    )
    assert value(service, "ProtectSystem") == "strict"


@analyze
def test_a_watch_is_a_service_without_a_timer_that_is_kept_up(tmp_path: Path, odd: World) -> None:
    (service,) = written(odd, tmp_path / "units", "--watch", "--user", "daemon")
    name = f"{systemd.unit_name(odd.config_path)}-watch"
    assert service.name == f"{name}.service"
    assert " watch " in value(service, "ExecStart")
    assert (value(service, "Type"), value(service, "Restart")) == ("exec", "on-failure")
    assert value(service, "RestartPreventExitStatus") == "2"
    assert value(service, "WantedBy") == "multi-user.target"
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(service)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if name in line]) == (0, [])


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ("/srv/site/pipeline.yaml", "pipeline-site"),
        ("/srv/site/thumbs.yaml", "pipeline-site-thumbs"),
        ("/srv/a b/ü.yaml", "pipeline-a-b--"),
        ("/pipeline.yaml", "pipeline"),
    ],
)
def test_units_are_named_by_folder_and_config(config: str, name: str) -> None:
    assert systemd.unit_name(Path(config)) == name


def test_the_originals_are_read_once_a_month_if_asked_for(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    service, timer = written(world, tmp_path / "units", "--verify")
    assert service.name == f"{systemd.unit_name(world.config_path)}-verify.service"
    assert value(service, "ExecStart").endswith(f" verify --sources {world.config_path}")
    assert value(timer, "OnCalendar") == "*-*-01 05:30:00"
    assert main.status_of(["schedule", str(world.config_path), "--verify", "--format", "cron"]) == 0
    assert re.search(rf"^30 5 1 \* \* .* verify --sources {world.config_path}$", capsys.readouterr().out, re.MULTILINE)
    assert main.status_of(["schedule", str(world.config_path), "--verify", "--watch"]) == 2


@pytest.mark.parametrize("more", [("--at", "02:30"), ("--every", "hour"), ("--format", "cron")])
def test_a_watch_has_no_times(world: World, more: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.status_of(["schedule", str(world.config_path), "--watch", *more]) == 2
    assert "--watch is a service" in capsys.readouterr().err


def test_paths_are_quoted_as_systemd_reads_them(tmp_path: Path, odd: World) -> None:
    service, _timer = written(odd, tmp_path / "units")
    doubled = ODD.replace("%", "%%")
    assert value(service, "ReadWritePaths") == f'"{tmp_path}/{doubled}/out"'
    command = value(service, "ExecStart")
    escaped = doubled.replace("\\", "\\\\").replace("$", "$$")
    assert command.endswith(f' run "{tmp_path}/{escaped}/thumbs.yaml"')


def test_the_first_word_of_a_command_keeps_its_dollars() -> None:
    assert systemd.command_line(("/opt/$x/pipeline", "$x")) == "/opt/$x/pipeline $$x"


def test_a_path_with_both_quotes_is_refused() -> None:
    assert systemd.quoted_path("/a'b") == '''"/a'b"'''
    assert systemd.quoted_path('/a"b') == """'/a"b'"""
    with pytest.raises(UsageError, match="quotes"):
        systemd.quoted_path("""/a'b"c""")


def test_memory_is_bounded_above_what_the_pictures_may_take(tmp_path: Path, world: World) -> None:
    world.configure(world.text + "workers: {memory: 2 GiB}\n")
    service, _timer = written(world, tmp_path / "units")
    assert value(service, "MemoryMax") == "4096M"


@pytest.mark.slow
@analyze
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_run_needs_no_call_that_the_service_forbids(tmp_path: Path, world: World) -> None:
    world.configure(
        world.text.rstrip() + "\n  web: {width: 20, format: webp}\n  new: {width: 20, format: avif}\n"
        "workers: {threads: 2, processes: 1}\n"
    )
    world.fill(3)
    trace = tmp_path / "trace"
    words = ["strace", "-f", "-qq", "-o", str(trace), sys.executable, "-m", "pipeline", "run", str(world.config_path)]
    assert subprocess.run(words, check=False).returncode == 0
    used = set(re.findall(r"^\d+\s+(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed)", trace.read_text(), re.MULTILINE))
    filters = systemd.units(load(world.config_path), "run", ("/bin/true",), Timing("day", 2, 30), None)
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", next(iter(filters.files.values())), re.MULTILINE):
        for word in line.split():
            allowed |= expanded(word) if word.startswith("@") else {word}
    assert used - allowed == set()


def expanded(group: str) -> set[str]:
    said = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    calls: set[str] = set()
    for word in (line.strip() for line in said.stdout.splitlines()[1:]):
        if word.startswith("@"):
            calls |= expanded(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls
