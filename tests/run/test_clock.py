"""A run has its time: nothing is begun that would not fit, and the next run goes on."""

from __future__ import annotations

import datetime
import time

import pytest

from pipeline.cli.summary import sentence
from pipeline.errors import ExitStatus
from pipeline.manifest.store import Manifest
from pipeline.run.clock import Pace, deadline, seconds_until
from tests.world import World, jpeg

HOUR = 3600


@pytest.mark.parametrize(
    ("now", "until", "hours"),
    [
        ("2026-07-01 02:30:00", "06:00", 3.5),
        ("2026-07-01 06:00:00", "06:00", 24),
        ("2026-07-01 23:00:00", "06:00", 7),
        ("2026-03-29 01:00:00", "06:00", 4),  # the clock skips an hour
        ("2026-10-25 01:00:00", "06:00", 6),  # the clock goes back
    ],
)
def test_until_is_the_next_time_that_the_clock_on_the_wall_shows_it(
    monkeypatch: pytest.MonkeyPatch, now: str, until: str, hours: float
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        seconds = seconds_until(datetime.time.fromisoformat(until), datetime.datetime.fromisoformat(now))
    time.tzset()
    assert seconds == hours * HOUR


def test_of_both_ends_the_earlier_counts_and_none_is_none() -> None:
    assert deadline(None, None) is None
    ends = deadline(5.0, (datetime.datetime.now() + datetime.timedelta(hours=1)).time())
    assert ends is not None
    assert ends - time.monotonic() <= 5.0


def test_a_picture_fits_by_the_pace_of_this_run_once_it_is_known() -> None:
    pace = Pace(time.monotonic() + 10_000, 1.0)
    assert pace.fits(9000)
    assert not pace.fits(10_001)
    for _ in range(5):
        pace.took(10, 100.0)
    assert not pace.fits(9000)
    assert Pace(time.monotonic() + 10_000, None).fits(10**12)
    assert Pace(None, 1.0).fits(10**12)


def test_what_would_not_fit_is_left_for_the_next_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(3)
    size = len(world.put("large.jpg", jpeg(size=(300, 200))).read_bytes())
    monkeypatch.setattr(Manifest, "pace", lambda self: 0.99 * 1000 / size)
    summary = world.run(max_runtime=980)
    assert (summary.pictures, summary.status) == ({"done": 3, "pending": 1}, ExitStatus.TIME_UP)
    assert "large-thumb.jpg" not in world.tree()
    assert world.run(max_runtime=2000).status == ExitStatus.OK
    assert "large-thumb.jpg" in world.tree()


def test_when_the_time_is_over_the_run_stops_and_says_so(world: World) -> None:
    world.fill(9)
    summary = world.run(max_runtime=1e-9)
    assert (summary.done, summary.status) == (0, ExitStatus.TIME_UP)
    assert world.run().pictures == {"done": 9}


def test_a_new_failure_outranks_the_clock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("bad.jpg", jpeg()[:300])
    size = len(world.put("large.jpg", jpeg(size=(300, 200))).read_bytes())
    monkeypatch.setattr(Manifest, "pace", lambda self: 0.99 * 1000 / size)
    summary = world.run(max_runtime=980)
    assert (summary.pictures, summary.status) == ({"failed": 1, "pending": 1}, ExitStatus.FAILED)
    assert sentence(world.config_path, summary).endswith("; stopped at the time limit, the next run goes on from here")
    summary = world.run(max_runtime=980)
    assert (summary.pictures, summary.status) == ({"known failure": 1, "pending": 1}, ExitStatus.TIME_UP)


def test_the_pace_of_earlier_runs_is_in_the_manifest(world: World) -> None:
    world.fill(3)
    world.run()
    with Manifest.open(world.config.manifest, owner=str(world.config_path.resolve())) as manifest:
        pace = manifest.pace()
    assert pace is not None
    assert 0 < pace < 1


def test_nothing_is_pruned_while_work_is_left(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fill(9)
    world.run()
    (world.source / "a/000.jpg").unlink()
    world.run()
    world.put("b/new.jpg", jpeg(size=(300, 200)))
    monkeypatch.setattr(Manifest, "pace", lambda self: 1.0)
    summary = world.run(max_runtime=10, prune=True)
    assert (summary.status, summary.removed) == (ExitStatus.TIME_UP, 0)
    assert len(world.tree()) == 9


@pytest.mark.parametrize("where", ["command", "config"])
def test_the_limit_can_stand_in_the_config_and_on_the_command_line(world: World, where: str) -> None:
    world.fill(60)  # more than can be done while the children start
    options = ["--max-runtime", "0.1s"] if where == "command" else []
    if where == "config":
        world.configure(world.text + "max_runtime: 0.1s\n")
    done = world.command("run", str(world.config_path), *options)
    assert done.returncode == ExitStatus.TIME_UP
    assert done.stderr.endswith("; stopped at the time limit, the next run goes on from here\n")
    for wrong in ("--max-runtime=0.05", "--until=24:00", "--until=6"):
        assert world.command("run", str(world.config_path), wrong).returncode == ExitStatus.USAGE
