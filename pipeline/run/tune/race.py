"""The race: which settings are tried, how often, and when the result is clear. It does not depend on how trials run.

Settings are measured in rounds, one trial of each, so that other load on the machine affects all of them equally. A
setting's score is its rate as a multiple of the rate of `auto` in the same round. After each round, clearly slower
settings drop out.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.run.tune.setting import Bound, Setting, Verdict, verdict
from pipeline.run.tune.trial import Trial

EQUAL = 0.03  # a setting slower than the best by less than this is as good, and the simpler one is chosen
_TRUST = 0.1  # the doubt of figures that vary between rounds, up to which `auto` is kept
_DROP = (0.6, 0.75, 0.85, 0.9)  # of the best: slower settings drop out after the first, second ... and each later round
_ENOUGH = 3  # rounds, before the result can be clear
_MOST_ROUNDS = 20
_STUDENT = (2.92, 2.35, 2.13, 2.02, 1.94, 1.9, 1.86, 1.83)  # Student's t for 3, 4 ... rounds, 9 of 10 times
_GROWTH = 1.05  # one of two doublings of the threads must gain this for the next one to be tried
_MOST_THREADS = 256
_TRIALS = 45  # that should fit into the time
_PATIENCE = 1.6  # a trial is cut short when it takes so many times as long as the best would
_LEAST_SECONDS, _MOST_SECONDS = 0.4, 3.0  # of a trial
_MOST_PICTURES = 5000  # in a trial
_QUEUES = (16, 256)  # tried with the best setting, beside its own


@dataclass(frozen=True, slots=True)
class Course:
    """The terms of a race."""

    auto: Setting  # without tuning
    cpus: int
    seconds: float  # that the race may take, about
    present: Setting | None = None  # of the config, if not `auto`
    in_threads: bool = False  # whether settings without children are tried, too


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a race ended."""

    chosen: Setting
    best: Setting
    verdicts: tuple[Verdict, ...]  # the fastest first
    clear: bool  # whether more trials would hardly change the result
    rounds: int


def _nobody(best: Setting, share: float) -> None:
    """The default `watch`: does nothing."""


class Race:
    """One race, held in the thread that calls `run`."""

    def __init__(
        self,
        course: Course,
        trial: Callable[[Setting, int, float], Trial],
        watch: Callable[[Setting, float], None] = _nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`trial(setting, pictures, seconds)` carries so many pictures, for about so many seconds at the most. `watch`
        is called after each trial with the best setting and the share of the time that has passed.
        """
        self._course = course
        self._trial = trial
        self._watch = watch
        self._clock = clock
        self._started = clock()
        self._rounds: list[dict[Setting, Trial]] = [{}]
        self._best_rate = 0.0

    def run(self) -> Outcome:
        """Hold the race."""
        course = self._course
        pilot = self._trial(course.auto, 2 * course.auto.threads, course.seconds / 8)
        self._best_rate = pilot.rate
        self._first_round()
        while not (clear := self._is_clear()) and len(self._rounds) < _MOST_ROUNDS:
            left = self._left_over()
            if self._remaining() < self._seconds_of(left):
                break
            if len(self._rounds) == _ENOUGH - 1:
                left += [replace(left[0], queue=queue) for queue in _QUEUES if queue != left[0].queue]
            self._rounds.append({})
            left = [course.auto, *(setting for setting in left if setting != course.auto)]
            for setting in left[:: 1 if len(self._rounds) % 2 else -1]:
                self._measure(setting)
        return self._outcome(clear=clear)

    # -- which settings

    def _first_round(self) -> None:
        """Try numbers of threads first, with all children: a few around `auto`, or ever more if the children lack work.
        Then try fewer children.
        """
        auto, cpus = self._course.auto, self._course.cpus
        full = auto.processes
        self._measure(auto)
        if self._lacks_work(auto):
            self._measure(replace(auto, scales=False))  # what scaling gains
        else:
            for threads in (full, full + 1, full + 2, full + 4, 2 * auto.threads):
                if self._remaining() > 0 and threads != auto.threads:  # `auto` begins with that many
                    self._measure(Setting(full, threads, auto.queue))
        self._climb()
        best = max(self._rounds[-1], key=self._score)
        threads = self._rounds[-1][best].threads
        wanted = [
            Setting(fewer, max(1, count), auto.queue)
            for fewer in _fewer(full)
            for count in sorted({fewer + 1, fewer + threads - full} if threads < 2 * full else {threads})
        ]
        if self._course.in_threads:
            wanted += [Setting(0, count, auto.queue) for count in sorted({cpus, cpus + 2, threads})]
        for setting in wanted:
            if self._remaining() > self._course.seconds / 3:
                self._measure(setting)
        if self._course.present is not None:
            self._measure(self._course.present)

    def _climb(self) -> None:
        """Double the threads while children lack work and it helps, and once more, because a trial may err."""
        start = max(self._rounds[-1], key=lambda setting: self._rounds[-1][setting].threads)
        most = replace(start, scales=False, threads=max(1, self._rounds[-1][start].threads // 2))
        fastest, fruitless = 0.0, 0
        lacks_work = more = self._lacks_work(start)
        while more and fruitless < 2 and self._remaining() > 0 and most.threads < _MOST_THREADS:
            most = replace(most, threads=min(_MOST_THREADS, most.threads * 2))
            self._measure(most)
            fruitless = 0 if self._score(most) > fastest * _GROWTH else fruitless + 1
            fastest = max(fastest, self._score(most))
            more, lacks_work = lacks_work, self._lacks_work(most)

    def _lacks_work(self, setting: Setting) -> bool:
        """Whether the setting's children waited for pictures, and not for a CPU or for memory."""
        judged = verdict(setting, [self._rounds[-1][setting]], 1.0, self._course.cpus)
        return judged.bound in (Bound.READ, Bound.WRITE, Bound.THREADS)

    def _left_over(self) -> list[Setting]:
        """The settings that may still win, the fastest first. All were in the last round."""
        current = self._rounds[-1]
        often = max(len(self._ratios(setting, self._course.auto)) for setting in current)
        leader = max(
            (setting for setting in current if len(self._ratios(setting, self._course.auto)) == often), key=self._score
        )
        least = _DROP[min(len(self._rounds), len(_DROP)) - 1]
        to_leader = {setting: self._compared(setting, leader)[0] for setting in current}
        return sorted(
            (setting for setting in current if to_leader[setting] >= least), key=lambda setting: -to_leader[setting]
        )

    # -- trials

    def _measure(self, setting: Setting) -> None:
        """Make the trial of `setting` in this round, unless it was made already."""
        if setting in self._rounds[-1]:
            return
        pictures = self._pictures(setting)
        patience = _PATIENCE * pictures / max(self._best_rate, 1e-3) + _LEAST_SECONDS
        done = self._trial(setting, pictures, patience)
        self._rounds[-1][setting] = done
        self._best_rate = max(self._best_rate, done.rate)
        self._watch(max(self._rounds[-1], key=self._score), 1 - self._remaining() / self._course.seconds)

    def _pictures(self, setting: Setting) -> int:
        """The number of pictures in a trial: as many as fill its time, but enough to use every thread."""
        wanted = max(_LEAST_SECONDS, min(_MOST_SECONDS, self._course.seconds / _TRIALS))
        return max(2 * setting.threads, min(_MOST_PICTURES, round(self._best_rate * wanted)))

    def _seconds_of(self, settings: Sequence[Setting]) -> float:
        """Seconds that a round of these settings takes."""
        return sum(self._rounds[-1][setting].seconds for setting in settings)

    def _remaining(self) -> float:
        return self._course.seconds - (self._clock() - self._started)

    # -- results

    def _ratios(self, setting: Setting, to: Setting) -> list[float]:
        """How many times as fast as `to` the setting was, in each round with both."""
        both = [trials for trials in self._rounds if setting in trials and to in trials]
        return [trials[setting].rate / max(trials[to].rate, 1e-9) for trials in both]

    def _score(self, setting: Setting) -> float:
        return statistics.median(self._ratios(setting, self._course.auto) or [0.0])

    def _is_clear(self) -> bool:
        """Whether there are enough trials to call each setting left slower than the best, or as good."""
        left = self._left_over()
        return len(self._rounds) >= _ENOUGH and all(self._is_judged(left[0], other) for other in left[1:])

    def _is_judged(self, best: Setting, other: Setting) -> bool:
        middle, doubt = self._compared(other, best)
        return middle + doubt < 1 - EQUAL or doubt < EQUAL

    def _compared(self, setting: Setting, other: Setting) -> tuple[float, float]:
        """How many times as fast as `other` `setting` is, and the error of that."""
        ratios = self._ratios(setting, other)
        middle = statistics.median(ratios or [0.0])
        if len(ratios) < _ENOUGH:
            return middle, 1.0
        deviation = 1.25 * statistics.mean(abs(ratio - middle) for ratio in ratios)  # for a normal distribution
        student = _STUDENT[min(len(ratios) - _ENOUGH, len(_STUDENT) - 1)]
        return middle, student * deviation / math.sqrt(len(ratios))

    def _is_as_good(self, setting: Setting, best: Setting, most: float = EQUAL) -> bool:
        """Whether `setting` is not slower than `best`, or only by what may be chance, `most` at the most."""
        middle, doubt = self._compared(setting, best)
        return setting == best or middle + min(doubt, most) >= 1 - EQUAL

    def _outcome(self, *, clear: bool) -> Outcome:
        auto, often = self._course.auto, min(_ENOUGH, len(self._rounds))
        left = [setting for setting in self._left_over() if len(self._ratios(setting, auto)) >= often] or [auto]
        usual = [setting for setting in left if setting.queue == auto.queue] or [auto]
        best = usual[0]
        chosen = min(
            (setting for setting in usual if self._is_as_good(setting, best)),
            key=lambda setting: (setting.processes == 0, setting),
        )
        if self._is_as_good(auto, best, _TRUST):
            chosen = auto
        for other in left:  # change the queue only if that is faster beyond doubt
            middle, doubt = self._compared(other, best)
            sure = len(self._ratios(other, best)) > _ENOUGH and middle - doubt > 1 + EQUAL
            if other.queue != best.queue and sure:
                best = chosen = other
        trials: dict[Setting, list[Trial]] = {}
        for made in self._rounds:
            for setting, trial in made.items():
                trials.setdefault(setting, []).append(trial)
        verdicts = [
            verdict(setting, those, self._score(setting), self._course.cpus) for setting, those in trials.items()
        ]
        verdicts.sort(key=lambda judged: (-judged.ratio, judged.setting))
        return Outcome(chosen, best, tuple(verdicts), clear, len(self._rounds))


def _fewer(processes: int) -> list[int]:
    """Numbers of children below the full one that are worth a trial: all if few, else fractions."""
    if processes <= 4:
        return list(range(processes - 1, 0, -1))
    return sorted({processes * 3 // 4, processes // 2}, reverse=True)
