#!/usr/bin/env python3
"""Is `pipeline tune` right, and how good is `auto`? To be run as `.venv/bin/python scripts/tune_experiment.py`.

For each kind of load: `tune` makes its choice in its usual time. Then every setting of a grid is measured on the same
sample by the same trials, in two rounds. Those that come out ahead, `auto` and the choice are then measured once more,
in many short rounds: only these figures count, so that nobody wins by luck in the grid. A setting's rate is held
against the mean of all in the same round, so that a busy machine slows all of them equally; medians count.

Loads: `png`: PNGs of 64x64 to 32 pixels. `photos`: camera JPEGs to 300 pixels, from the folder given or made here.
`slow` and `slower`: JPEGs of 640x480 to 160 pixels from storage that takes 100 and 400 milliseconds to answer each
time, which is pretended: a source that sleeps before it reads, in the thread that reads, with any number of them at
once. Real slow storage may also be slow together: it has its own limit on how many it serves, or on bytes a second.

On a machine that others use, too, run it in a session of its own (`setsid`): the kernel then gives it the same share of
the CPUs however many threads a setting has.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import geometric_mean, median

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from pipeline.config.load import load  # noqa: E402 - the folder above comes first
from pipeline.model.source import Stat  # noqa: E402
from pipeline.model.spec import Limits  # noqa: E402
from pipeline.run.tune.ground import Choice, Ground, prepared  # noqa: E402
from pipeline.run.tune.setting import Setting  # noqa: E402
from pipeline.run.tune.tuning import race  # noqa: E402
from pipeline.sources.local import LocalSource  # noqa: E402
from pipeline.sources.source import Picture  # noqa: E402
from pipeline.workers import cpus  # noqa: E402
from scripts.benchmarks import folders  # noqa: E402

_THREADS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 64)
_AHEAD = 4  # of the grid: measured again
_SECONDS = 1.0  # of a trial
_GRID_ROUNDS = 2
_SMALL_JPEGS = 240


class Slow(LocalSource):
    """Storage that takes its time to answer, for as many as ask at once."""

    delay = 0.0  # seconds

    def read(self, source: str, stat: Stat, limits: Limits) -> Picture:
        """Wait, and read."""
        time.sleep(self.delay)
        picture = super().read(source, stat, limits)
        return replace(picture, seconds=picture.seconds + self.delay)


@dataclass(frozen=True)
class Load:
    """One kind of work."""

    name: str
    source: Path
    config: str  # the renditions
    delay: float = 0.0


@dataclass(frozen=True)
class Found:
    """What came of one load. Ratios are of rates to that of the best setting."""

    load: str
    best: Setting
    best_rate: float
    chosen: Setting
    chosen_ratio: float
    auto_ratio: float
    tune_seconds: float
    clear: bool
    grid: dict[str, float]  # by setting: its rate as a multiple of the mean of all
    ahead: dict[str, float]  # of those measured again: as a share of the best


def loads(cache: Path, photos: Path | None) -> Iterator[Load]:
    """All of them; pictures are made on the first call."""
    small = "renditions: {thumb: {width: 160, height: 160}}\n"
    yield Load("png", folders.tiny(cache, 2000), "renditions: {icon: {width: 32, height: 32, format: png}}\n")
    camera = photos.resolve() if photos else folders.photos(cache)
    yield Load("photos", camera, "renditions: {thumb: {width: 300, height: 300}}\n")
    jpegs = folders.repeated(folders.photos(cache, small=True), cache / "jpegs", _SMALL_JPEGS)
    yield Load("slow", jpegs, small, 0.1)
    yield Load("slower", jpegs, small, 0.4)


def examine(load_: Load, folder: Path, *, seconds: float, rounds: int) -> Found:
    """Let tune choose, then measure everything."""
    path = folder / f"{load_.name}.yaml"
    path.write_text(f"source: {load_.source}\ntarget: {folder / load_.name}\n{load_.config}")
    config = load(path)
    source = Slow(config.sources[0])
    source.delay = load_.delay
    children = cpus.available()
    with prepared(config, Choice(), source) as ground:
        began = time.monotonic()
        outcome = race(ground, seconds, lambda best, share: None)
        took = time.monotonic() - began
        grid = [Setting(count, threads) for count in range(1, children + 1) for threads in _THREADS]
        first, _ = _rounds(ground, grid, _GRID_ROUNDS)
        ahead = sorted(first, key=lambda setting: -first[setting])[:_AHEAD]
        scores, rates = _rounds(ground, [ground.auto, outcome.chosen, *ahead], rounds)
    best = max(scores, key=lambda setting: scores[setting])
    return Found(
        load_.name,
        best,
        rates[best],
        outcome.chosen,
        scores[outcome.chosen] / scores[best],
        scores[ground.auto] / scores[best],
        took,
        outcome.clear,
        {_said(setting): round(first[setting], 3) for setting in sorted(first, key=lambda setting: -first[setting])},
        {
            _said(setting): round(scores[setting] / scores[best], 3)
            for setting in sorted(scores, key=lambda setting: -scores[setting])
        },
    )


def _rounds(
    ground: Ground, settings: Sequence[Setting], rounds: int
) -> tuple[dict[Setting, float], dict[Setting, float]]:
    """Of each setting the median of its rates, each as a multiple of the round's mean; and of the rates themselves."""
    wanted = list(dict.fromkeys(settings))
    shares: dict[Setting, list[float]] = {setting: [] for setting in wanted}
    rates: dict[Setting, list[float]] = {setting: [] for setting in wanted}
    best = ground.trial(ground.auto, 4 * ground.auto.threads, 20.0).rate
    for number in range(rounds):
        made = {}
        for setting in wanted[number % len(wanted) :] + wanted[: number % len(wanted)]:  # each comes first some time
            pictures = max(2 * setting.threads, round(best * _SECONDS))
            made[setting] = max(1e-9, ground.trial(setting, pictures, 3 * _SECONDS).rate)
            best = max(best, made[setting])
        for setting, rate in made.items():
            shares[setting].append(rate / geometric_mean(made.values()))
            rates[setting].append(rate)
    return {setting: median(measured) for setting, measured in shares.items()}, {
        setting: median(measured) for setting, measured in rates.items()
    }


def _said(setting: Setting) -> str:
    threads = f"auto ({setting.threads}+)" if setting.scales else str(setting.threads)
    return f"{setting.processes} x {threads}" + ("" if setting.queue == 64 else f", queue {setting.queue}")


def main() -> int:
    """Run all loads, print a table, write everything as JSON where asked."""
    parser = argparse.ArgumentParser(description="tune's choice and auto against an exhaustive grid")
    parser.add_argument("--photos", type=Path, help="a folder of camera JPEGs, instead of some made here")
    parser.add_argument("--only", action="append", help="png, photos, slow or slower")
    parser.add_argument("--seconds", type=float, default=40.0, help="that tune may take")
    parser.add_argument("--rounds", type=int, default=15, help="of the settings that came out ahead")
    parser.add_argument("--cache", type=Path, default=_ROOT / "build" / "tune", help="where pictures are made and kept")
    parser.add_argument("--json", type=Path, help="write everything there")
    options = parser.parse_args()
    results: list[Found] = []
    print(
        f"{'load':<8} {'best':<14} {'pictures/s':>10}  {'tune chose':<22} {'of best':>7} {'auto':>6} {'tune took':>9}"
    )
    for load_ in loads(options.cache, options.photos):
        if options.only and load_.name not in options.only:
            continue
        with tempfile.TemporaryDirectory(dir=options.cache) as folder:
            came = examine(load_, Path(folder), seconds=options.seconds, rounds=options.rounds)
        results.append(came)
        print(
            f"{came.load:<8} {_said(came.best):<14} {came.best_rate:>10.1f}  {_said(came.chosen):<22} "
            f"{came.chosen_ratio:>7.2f} {came.auto_ratio:>6.2f} {came.tune_seconds:>8.0f}s",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
