"""Races on machines made up of a few numbers: what limits reading, rendering and writing, and how much else goes on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from pipeline.run.tune.race import Course, Outcome, Race
from pipeline.run.tune.setting import Bound, Setting
from pipeline.run.tune.trial import Trial

AUTO = Setting(2, 4, 64, scales=True)


@dataclass
class Machine:
    """Seconds that a picture takes in a child, and that a thread waits for its bytes."""

    render: float = 0.02
    read: float = 0.001
    cpus: int = 2
    slots: int = 2  # children that can really work at once: with one, two CPUs are only called so
    scaled: int = 4  # threads that `auto` ends up with
    noise: float = 0.0  # standard deviation of a trial's rate, as a share
    drift: float = 0.0  # how much the whole machine slows down and recovers from round to round
    crowd: float = 0.0  # what each thread costs all others, and each child five times
    now: float = 0.0
    trials: list[Setting] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def rate(self, setting: Setting) -> float:
        threads = self.scaled if setting.scales else setting.threads
        children = min(setting.processes or self.cpus, self.slots)
        rate = min(children / self.render, threads / (self.read + self.render))
        return rate * (1 - self.crowd) ** (threads + 5 * setting.processes)

    def trial(self, setting: Setting, pictures: int, seconds: float) -> Trial:
        self.trials.append(setting)
        rate = self.rate(setting) * max(0.1, self.rng.gauss(1, self.noise))
        rate *= 1 - self.drift * (int(self.now / 7) % 2)
        done = min(pictures, max(1, int(rate * seconds)))
        self.now += done / rate + 0.05
        stages = {"read": self.read * done, "render": self.render * done, "memory": 0.0, "write": 0.0, "child": 0.0}
        threads = self.scaled if setting.scales else setting.threads
        return Trial(done, done / rate, done == pictures, stages, 0.0, threads)

    def race(self, seconds: float = 40.0, **course: object) -> Outcome:
        held = Course(AUTO, self.cpus, seconds, **course)  # type: ignore[arg-type]
        return Race(held, self.trial, clock=lambda: self.now).run()


def test_auto_is_kept_where_nothing_is_faster() -> None:
    machine = Machine()
    outcome = machine.race()
    assert outcome.chosen == AUTO
    assert outcome.clear
    assert machine.now < 35


def test_the_answer_comes_sooner_than_the_time_is_over_where_it_is_clear() -> None:
    machine = Machine()
    machine.race(seconds=400)
    assert machine.now < 120


def test_the_time_is_kept_where_nothing_becomes_clear() -> None:
    machine = Machine(noise=0.5)
    outcome = machine.race()
    assert machine.now < 46
    assert not outcome.clear


@pytest.mark.parametrize("scaled", [4, 16])
def test_slow_storage_gets_as_many_threads_as_help(scaled: int) -> None:
    machine = Machine(render=0.01, read=0.5, scaled=scaled)  # 102 threads keep both children busy
    outcome = machine.race()
    assert machine.rate(outcome.chosen) >= 0.9 * 200
    assert outcome.chosen.threads <= 256


def test_as_many_threads_as_auto_would_hire_anyway_are_no_reason_to_write_them_down() -> None:
    assert Machine(render=0.01, read=0.5, scaled=102).race().chosen == AUTO


def test_fewer_children_are_chosen_where_more_bring_nothing() -> None:
    machine = Machine(render=0.01, read=0.002, crowd=0.05, slots=1)
    outcome = machine.race()
    assert outcome.chosen.processes == 1
    assert machine.rate(outcome.chosen) > 0.9 * machine.rate(Setting(1, 2))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("scaled", [4, 40])
def test_on_a_noisy_machine_the_choice_is_near_the_best(seed: int, scaled: int) -> None:
    machine = Machine(render=0.02, read=0.4, scaled=scaled, noise=0.08, drift=0.2, rng=random.Random(seed))
    outcome = machine.race()
    best = max(machine.rate(Setting(2, threads)) for threads in range(2, 257))
    assert machine.rate(outcome.chosen) >= 0.9 * best


@pytest.mark.parametrize("seed", range(12))
def test_noise_makes_nobody_choose_what_is_slower(seed: int) -> None:
    machine = Machine(noise=0.15, rng=random.Random(seed))
    assert machine.rate(machine.race().chosen) >= 0.9 * machine.rate(AUTO)


def test_what_is_clearly_slower_is_not_measured_again_and_again() -> None:
    machine = Machine(noise=0.05, rng=random.Random(3))
    machine.race()
    trials = machine.trials
    assert 1 <= sum(setting.processes == 1 for setting in trials) <= 4
    assert trials.count(AUTO) >= 3


def test_rendering_in_the_threads_is_tried_only_where_that_was_asked_for() -> None:
    machine = Machine()
    machine.race()
    assert all(setting.processes for setting in machine.trials)
    machine.race(in_threads=True)
    assert any(setting.processes == 0 for setting in machine.trials)


def test_what_the_config_says_now_is_measured_too() -> None:
    present = Setting(2, 9, 128)
    outcome = Machine().race(present=present)
    assert present in [verdict.setting for verdict in outcome.verdicts]


def test_verdicts_say_what_bounds() -> None:
    bounds = {verdict.setting: verdict.bound for verdict in Machine(render=0.02, read=0.2).race().verdicts}
    assert bounds[AUTO] is Bound.READ
    bounds = {verdict.setting: verdict.bound for verdict in Machine().race().verdicts}
    assert {bound for setting, bound in bounds.items() if setting.processes == 1} == {Bound.CHILDREN}
    assert bounds[AUTO] is Bound.CPU
