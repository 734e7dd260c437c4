"""`pipeline tune`: which `workers` are fastest, measured on the user's own pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.amounts import count, pace, size
from pipeline.cli.console import complain, on_terminal, tell
from pipeline.cli.options import Duration, config_argument, only_option
from pipeline.cli.redrawing import ShareBar
from pipeline.program import to_copy

if TYPE_CHECKING:
    from pipeline.config.settings import WorkerSettings
    from pipeline.run.tune.setting import Setting, Verdict
    from pipeline.run.tune.tuning import Tuning

_BAR = 10  # characters: the table fits into 80 columns
_FORMAT = "{desc} {percentage:3.0f}% {bar} {elapsed}{postfix}"


@click.command("tune")
@config_argument
@only_option
@click.option(
    "--seconds",
    type=Duration(2, 3600),
    default=40.0,
    show_default=True,
    help="How long to measure at the most; less where the answer is clear.",
)
@click.option("--seed", type=click.IntRange(0, 2**32), default=0, help="Another sample of the pictures.")
@click.option(
    "--in-threads",
    is_flag=True,
    help="Try `processes: 0`, too: pictures are rendered without limits, blame or confinement.",
)
@click.option(
    "--write",
    is_flag=True,
    help="Put the result into the config's workers, where it is certain; comments and order stay.",
)
@click.option("--force", is_flag=True, help="With --write: also where it is not certain.")
@click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")
def command(
    config: Path,
    only: tuple[str, ...],
    seconds: float,
    seed: int,
    in_threads: bool,
    write: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Measure which workers make the renditions of CONFIG fastest. Changes no picture; the config only with --write.

    Renders a sample of the pictures again and again into a folder that is removed afterwards. The target is locked
    meanwhile; a run would wait or give way.
    """
    from pipeline.config.edit import write_workers
    from pipeline.config.load import checked, read_text
    from pipeline.run.tune.tuning import TuneOptions, tune

    if force and not write:
        raise click.UsageError("--force is for --write: nothing else is held back")
    text = read_text(config)
    settings = checked(text, config)
    told = ""
    with ShareBar(config.stem, _FORMAT) as bar:

        def watch(best: Setting, share: float) -> None:
            nonlocal told
            bar.show(share, postfix=f"best so far: {_said(best)}")
            if not on_terminal() and told != (
                line := f"{10 * int(10 * min(1.0, share))} %, best so far: {_said(best)}"
            ):
                told = line
                complain(f"{config.stem}: {line}")

        tuning = tune(settings, TuneOptions(seconds, seed, only, in_threads), watch)
    wanted = tuning.settings(settings.workers)
    doubtful = wanted != settings.workers and not tuning.outcome.clear
    written = write and (force or not doubtful) and write_workers(settings, text, wanted)
    if as_json:
        tell(json.dumps(_plain(tuning, wanted, written=written)))
        return
    for line in table(tuning):
        tell(line)
    tell("")
    for line in sentences(tuning):
        tell(line)
    if write and doubtful and not written:
        complain(f"{config}: left as it is, because {_workers(wanted)} is not certain to be faster")
    elif write:
        complain(f"{config}: {'now says' if written else 'says already'} {_workers(wanted)}")
    elif wanted != settings.workers:
        complain(f"to have it: workers: {{{_workers(wanted)}}}, or {to_copy('tune', '--write', str(config))}")


def _said(setting: Setting) -> str:
    """`6 threads, 2 processes`."""
    threads = f"auto ({setting.threads}+) threads" if setting.scales else count(setting.threads, "thread")
    queue = "" if setting.queue == 64 else f", queue {setting.queue}"
    return f"{threads}, {count(setting.processes, 'process', 'processes')}{queue}"


def table(tuning: Tuning) -> list[str]:
    """A line for each setting that was measured, under a header."""
    from pipeline.cli.table import bar

    verdicts = tuning.outcome.verdicts
    fastest = max((verdict.rate for verdict in verdicts), default=0.0) or 1.0
    lines = [f"{'threads':>9} {'processes':>9} {'queue':>5} {'pictures/s':>10} {'spread':>13} {'auto=1':>6}  bound by"]
    for verdict in sorted(
        verdicts, key=lambda verdict: (-verdict.setting.processes, not verdict.setting.scales, verdict.setting)
    ):
        setting = verdict.setting
        threads = f"auto {setting.threads}+" if setting.scales else f"{setting.threads}"
        spread = f"{verdict.low:.1f} - {verdict.high:.1f}" if verdict.trials > 1 else "once"
        mark = "*" if setting == tuning.outcome.chosen else " "
        lines.append(
            f"{threads:>9} {setting.processes:>9} {setting.queue:>5} {verdict.rate:>10.1f} {spread:>13} "
            f"{verdict.ratio:>6.2f}  {verdict.bound:<9}{mark} {bar(verdict.rate / fastest, _BAR)}".rstrip()
        )
    return lines


def sentences(tuning: Tuning) -> list[str]:
    """The conclusions from the measurement, as sentences."""
    from pipeline.run.prestart import lane_processes

    outcome = tuning.outcome
    by_setting = {verdict.setting: verdict for verdict in outcome.verdicts}
    chosen, auto, best = by_setting[outcome.chosen], by_setting[tuning.auto], by_setting[outcome.best]
    lines = [_choice(chosen, auto, best)]
    if not outcome.clear:
        lines.append("That is not certain: rounds differ by more than settings do. More --seconds would tell.")
    sample = f"{tuning.sample:,} of {count(tuning.pictures, 'picture')}, {outcome.rounds} rounds"
    machine = f"{count(tuning.cpus, 'CPU')}, {size(tuning.memory)} for pictures in flight"
    lines.append(f"Measured on {sample}, {_WARMTH[tuning.warmth]}; {machine}.")
    children = chosen.setting.processes
    if lanes := lane_processes(children):
        lines.append(
            f"A trial is one process with its children. A large run shares {children} children among {lanes} lane "
            "processes and is faster than this where pictures are small."
        )
    return lines


_WARMTH = {
    "cold": "read from storage each time",
    "warm": "read from the page cache, which could not be emptied: storage may turn out slower",
    "unknown": "whether from storage or from the page cache cannot be told here",
}
_WHY = {
    "CPU": "the CPUs have no more to give",
    "children": "all children are busy",
    "read": "most of the time goes into reading",
    "write": "most of the time goes into writing",
    "memory": "pictures wait for room in memory",
    "threads": "there is no more in flight",
}


def _choice(chosen: Verdict, auto: Verdict, best: Verdict) -> str:
    if chosen is auto:
        other = "" if best is auto else f", and nothing is surely more than 3 % faster (best: {_said(best.setting)})"
        return f"auto is fine: {pace(auto.rate, 1)}{other}; {_WHY[auto.bound]}."
    how = (
        f"{chosen.ratio:.2f} times as fast as auto" if chosen.ratio >= 1 else f"{chosen.ratio:.0%} of the speed of auto"
    )
    simpler = "" if chosen is best else f", as fast as {_said(best.setting)} within 3 %"
    return f"{_said(chosen.setting)}: {pace(chosen.rate, 1)}, {how}{simpler}; {_WHY[chosen.bound]}."


def _workers(wanted: WorkerSettings) -> str:
    threads = "auto" if wanted.threads is None else wanted.threads
    processes = "auto" if wanted.processes is None else wanted.processes
    return f"threads: {threads}, processes: {processes}, queue: {wanted.queue}"


def _plain(tuning: Tuning, wanted: WorkerSettings, *, written: bool) -> dict[str, object]:
    outcome = tuning.outcome
    return {
        "workers": {
            "threads": "auto" if wanted.threads is None else wanted.threads,
            "processes": "auto" if wanted.processes is None else wanted.processes,
            "queue": wanted.queue,
        },
        "written": written,
        "chosen": asdict(outcome.chosen),
        "best": asdict(outcome.best),
        "auto": asdict(tuning.auto),
        "present": asdict(tuning.present),
        "clear": outcome.clear,
        "rounds": outcome.rounds,
        "settings": [asdict(verdict) for verdict in outcome.verdicts],
        "pictures": tuning.pictures,
        "sample": tuning.sample,
        "page_cache": tuning.warmth,
        "cpus": tuning.cpus,
        "memory": tuning.memory,
        "seconds": tuning.seconds,
    }
