"""A lease keeps lanes on other machines from writing once their run is over, is another's, or has given them up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import Locked, TargetTrouble
from pipeline.targets import lease
from pipeline.targets.lease import Lease, LeaseLost, LeaseWatch, Place, lease_in, probe_beside, wait_out


class Clock:
    """Stands in for `time` in the module."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.meanwhile: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return os.stat(".").st_mtime

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Clock:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".pipeline").mkdir()
    clock = Clock()
    monkeypatch.setattr(lease, "time", clock)
    return clock


def dead(place: Place, run: str = "dead") -> None:
    """Leave the lease of a run that was killed."""
    Lease(place, run).begin()


def test_a_lane_writes_while_its_driver_is_heard(clock: Clock, tmp_path: Path) -> None:
    path = lease_in(tmp_path)
    ours = Lease(path, "run")
    ours.begin()
    watch = LeaseWatch(path, "run", 1)
    for _ in range(20):
        watch.check()
        clock.now += lease.SILENCE - 1
        ours.renew()


def test_a_lane_that_has_not_heard_its_driver_ends_even_if_it_is_heard_again(clock: Clock, tmp_path: Path) -> None:
    ours = Lease(lease_in(tmp_path), "run")
    ours.begin()
    watch = LeaseWatch(ours.place, "run", 1)
    watch.check()
    clock.now += lease.SILENCE + 1
    ours.renew()  # it was halted itself, say
    with pytest.raises(LeaseLost, match="not heard for 10 seconds"):
        watch.check()
    with pytest.raises(LeaseLost):
        watch.raise_lost()


def test_a_lane_that_is_given_up_ends_and_the_others_go_on(clock: Clock, tmp_path: Path) -> None:
    ours = Lease(lease_in(tmp_path), "run")
    ours.begin()
    ours.give_up(2)
    LeaseWatch(ours.place, "run", 1).check()
    with pytest.raises(LeaseLost, match="has given it up"):
        LeaseWatch(ours.place, "run", 2).check()


def test_a_lane_whose_lease_is_gone_ends_but_waits_for_one_that_it_has_never_seen(clock: Clock, tmp_path: Path) -> None:
    never = LeaseWatch(lease_in(tmp_path), "run", 2)
    clock.now += lease.SILENCE + 1
    with pytest.raises(LeaseLost, match="not heard for 10 seconds"):
        never.check()
    watch = LeaseWatch(lease_in(tmp_path), "run", 1)
    watch.check()
    with Lease(lease_in(tmp_path), "run"):
        watch.check()
    with pytest.raises(LeaseLost, match="its run is over"):
        watch.check()


def test_a_lane_whose_lease_is_another_runs_ends(clock: Clock, tmp_path: Path) -> None:
    path = lease_in(tmp_path)
    dead(path, "another")
    with pytest.raises(LeaseLost, match="its run is over"):
        LeaseWatch(path, "run", 1).check()


@pytest.mark.parametrize("text", [b"", b'{"run": "ru', b"[]", b"\0" * 40])
def test_a_lease_that_is_being_written_is_looked_at_again(clock: Clock, tmp_path: Path, text: bytes) -> None:
    path = lease_in(tmp_path)
    path.path.write_bytes(text)
    watch = LeaseWatch(path, "run", 1)
    watch.check()
    clock.now += lease.SILENCE + 1
    with pytest.raises(LeaseLost):
        watch.check()


def test_a_run_that_was_halted_ends_when_another_has_its_lease(clock: Clock, tmp_path: Path) -> None:
    ours = Lease(lease_in(tmp_path), "run")
    ours.begin()
    ours.check()
    dead(ours.place, "another")
    ours.renew()
    with pytest.raises(Locked, match="run another writes into this target now"):
        ours.check()
    assert lease.run_of(ours.place) == "another"


def test_the_next_run_waits_a_dead_runs_lease_out(clock: Clock, tmp_path: Path) -> None:
    dead(lease_in(tmp_path))
    began = clock.now
    wait_out(tmp_path, None, lambda: None)
    assert clock.now - began >= lease.SILENCE + 5


def test_a_lease_that_is_given_back_meanwhile_is_not_waited_out(clock: Clock, tmp_path: Path) -> None:
    path = lease_in(tmp_path)
    dead(path)
    clock.meanwhile = lambda: path.path.unlink(missing_ok=True)
    began = clock.now
    wait_out(tmp_path, None, lambda: None)
    assert clock.now - began < 1


def test_a_lease_of_long_ago_is_not_waited_out(clock: Clock, tmp_path: Path) -> None:
    path = lease_in(tmp_path)
    dead(path)
    os.utime(path.path, (1e9, 1e9))
    began = clock.now
    wait_out(tmp_path, None, lambda: None)
    assert clock.now == began


def test_a_run_that_was_halted_and_ends_leaves_the_lease_of_another(clock: Clock, tmp_path: Path) -> None:
    with Lease(lease_in(tmp_path), "run") as ours:
        dead(ours.place, "another")
    assert lease.run_of(ours.place) == "another"


@pytest.mark.parametrize("part", [None, Path("m.sqlite.shard-1-of-4")])
def test_what_a_worker_has_written_to_be_judged_is_removed_and_not_waited_for(
    clock: Clock, tmp_path: Path, part: Path | None
) -> None:
    place = lease_in(tmp_path, part)
    for number in (1, 2):
        probe_beside(place, number).write(b"dead", create=True)
    others = lease_in(tmp_path, Path("m.sqlite.shard-1-of-40")).beside("probe-1")
    others.write(b"alive", create=True)
    began = clock.now
    wait_out(tmp_path, part, lambda: None)
    assert clock.now == began
    assert list((tmp_path / ".pipeline").iterdir()) == ([others.path] if part else [])


def test_a_run_whose_lease_is_renewed_locks_others_out(clock: Clock, tmp_path: Path) -> None:
    living = Lease(lease_in(tmp_path), "living")
    living.begin()
    clock.meanwhile = living.renew
    with pytest.raises(Locked, match="is renewed by run living"):
        wait_out(tmp_path, None, lambda: None)


def test_a_shard_waits_for_its_own_lease_and_a_whole_run_for_all(clock: Clock, tmp_path: Path) -> None:
    parts = [tmp_path / f"manifest.sqlite.shard-{number}-of-2" for number in (1, 2)]
    assert lease_in(tmp_path, parts[0]).path.name == "lease.shard-1-of-2"
    dead(lease_in(tmp_path, parts[0]))
    began = clock.now
    wait_out(tmp_path, parts[1], lambda: None)
    assert clock.now == began
    wait_out(tmp_path, None, lambda: None)
    assert clock.now > began


def test_a_lease_is_renewed_within_its_block_and_gone_after_it(tmp_path: Path) -> None:
    (tmp_path / ".pipeline").mkdir()
    with Lease(lease_in(tmp_path), "run") as ours:
        assert lease.run_of(ours.place) == "run"
    assert not lease_in(tmp_path).path.exists()


def test_a_target_that_takes_no_lease_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(TargetTrouble, match="lease: No such file or directory"):
        Lease(lease_in(tmp_path), "run").begin()
