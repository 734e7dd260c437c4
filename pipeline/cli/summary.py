"""The one sentence a run ends with, and the list of its failures."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.amounts import count, duration, of_each, pace, size
from pipeline.errors import ExitStatus, printable
from pipeline.model.record import MADE, Status
from pipeline.program import to_copy
from pipeline.run.tally import Summary

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.manifest.rounds import Round

_MOST_FAILURES = 20  # listed on a terminal or in a mail; `pipeline failures` lists all
_MOST_FILTERED = 20
_MOST_KINDS = 6  # of warnings
_MOST_SHARDS = 20  # that are to run again

_OTHERS = (
    (Status.TOUCHED, "touched"),
    (Status.VANISHED, "vanished"),
    (Status.DEFERRED, "deferred"),
    (Status.SKIPPED, "skipped"),
    (Status.PENDING, "pending"),
)


def sentence(config: Path, summary: Summary, *, verbose: bool = False) -> str:
    """For example: `thumbs: 24 pictures done (48 renditions), 3 unchanged; 30.0 MB -> 0.5 MB in 2.5 s`.

    With `verbose`, files that are no pictures, or of a format that is not read, are counted, too.
    """
    parts = []
    if summary.done or not summary.pictures.get(Status.UNCHANGED):
        renditions = sum(summary.renditions.get(status, 0) for status in MADE)
        reused = f", {summary.reused:,} reused" if summary.reused else ""
        parts.append(f"{count(summary.done, 'picture')} done ({count(renditions, 'rendition')}{reused})")
    if summary.damaged:
        parts.append(f"{summary.damaged:,} of them with damage")
    if unchanged := summary.pictures.get(Status.UNCHANGED):
        parts.append(f"{unchanged:,} unchanged" if parts else f"{count(unchanged, 'picture')} unchanged")
    if summary.failed:
        parts.append(f"{summary.failed:,} failed")
    if summary.known_failures:
        parts.append(f"{count(summary.known_failures, 'known failure')} ({to_copy('failures', str(config))})")
    parts += [*_left_out(summary, verbose=verbose), *_of_the_target(summary)]
    text = f"{printable(config.stem)}: {', '.join(parts)}"
    if summary.target_bytes:
        saved = 1 - summary.target_bytes / max(1, summary.source_bytes)
        share = f" ({saved:.0%} saved)" if saved > 0 else ""
        text += f"; {size(summary.source_bytes)} -> {size(summary.target_bytes)}{share}"
    text += f" in {duration(summary.seconds)}"
    if summary.done and summary.seconds > 0:
        text += f", {pace(summary.done, summary.seconds)}"
    return text + _ending(summary)


def _left_out(summary: Summary, *, verbose: bool) -> list[str]:
    parts = [f"{summary.pictures[status]:,} {word}" for status, word in _OTHERS if summary.pictures.get(status)]
    if summary.filtered:
        parts.append(f"{sum(summary.filtered.values()):,} filtered ({of_each(summary.filtered)})")
    if verbose and (unsupported := summary.pictures.get(Status.UNSUPPORTED)):
        parts.append(f"{unsupported:,} unsupported")
    return parts


def _of_the_target(summary: Summary) -> list[str]:
    them = "it" if summary.unseen == 1 else "them"
    unseen = f" ({summary.unseen:,} seen by no earlier run: the next --prune may remove {them})"
    counts = (
        (summary.shards, "tar shard", " written"),
        (summary.orphans, "orphan", unseen if summary.unseen else ""),
        (summary.removed, "orphan", " removed"),
    )
    return [f"{count(number, what)}{became}" for number, what, became in counts if number]


def _ending(summary: Summary) -> str:
    if summary.stopped:
        return f"; stopped: {summary.stopped}, the next run tries again"
    match summary.status:
        case ExitStatus.HANGUP | ExitStatus.INTERRUPTED | ExitStatus.TERMINATED:
            return "; stopped by a signal, the next run goes on from here"
        case _:
            return "; stopped at the time limit, the next run goes on from here" if summary.out_of_time else ""


def failure_lines(config: Path, summary: Summary, most: int | None = None) -> list[str]:
    """One line for each failure, `photos/a.jpg: truncated: ...`; the first `most` of them (None: a screenful)."""
    most = _MOST_FAILURES if most is None else most
    lines = [
        f"{printable(failure.source)}{f' ({failure.rendition})' if failure.rendition else ''}: {failure.error}"
        for failure in summary.failures[:most]
    ]
    if (more := len(summary.failures) - most) > 0:
        lines.append(f"... and {more:,} more: {to_copy('failures', str(config))}")
    return lines


def remark_line(config: Path, counts: Mapping[str, int]) -> str:
    """`warnings: first of N frames only (2 pictures), ...` and the command that lists them; "" where there are none."""
    if not counts:
        return ""
    kinds = [f"{printable(kind)} ({count(number, 'picture')})" for kind, number in [*counts.items()][:_MOST_KINDS]]
    if (more := len(counts) - _MOST_KINDS) > 0:
        kinds.append(f"and {count(more, 'more kind')}")
    return f"warnings: {', '.join(kinds)}; {to_copy('failures', str(config), '--warnings')} lists them"


def not_run_yet(config: Path, settings: Config) -> str:
    """What is said of a config without a manifest: it has not run yet, or its manifest was lost."""
    missing = f"there is no manifest at {printable(str(settings.manifest))}"
    if any(map(_holds_files, settings.target.folders)):
        plan = to_copy("plan", "--summary", str(config))
        return f"{missing}, but the target holds files: if runs have made them, it was lost; {plan} says what follows"
    return f"{config} has not run yet: {missing}; {to_copy('run', str(config))} makes it"


def _holds_files(folder: Path) -> bool:
    try:
        return any(not name.startswith(".pipeline") for name in os.listdir(folder))
    except OSError:
        return False


def passed_over_lines(config: Path, summary: Summary) -> list[str]:
    """One line for each source that was passed over without a failure, `photos/a.jpg: skipped: a symbolic link`. Of the
    pictures that `only` leaves out, which may be most of all, the first ones.
    """
    filtered = [passed for passed in summary.passed_over if passed.status is Status.FILTERED]
    left_out = set(filtered[_MOST_FILTERED:])
    lines = [
        f"{printable(passed.source)}: {passed.status}: {printable(passed.reason)}"
        for passed in summary.passed_over
        if passed not in left_out
    ]
    if left_out:
        command = to_copy("manifest", "query", str(config), "status=filtered", "--view", "pictures")
        lines.append(f"... and {len(left_out):,} more that were filtered: {command}")
    return lines


def unfinished_shards(config: Path, current: Round | None) -> list[str]:
    """A line for each shard that is to run again, with its command; of very many, for the first."""
    if current is None:
        return []
    missing = current.unfinished()
    lines = [
        f"shard {number} of {current.count} {how}: start it again: "
        f"{to_copy('run', str(config), '--shard', f'{number}/{current.count}')}"
        for number, how in list(missing.items())[:_MOST_SHARDS]
    ]
    more = len(missing) - len(lines)
    return [*lines, f"... and {count(more, 'shard')} more"] if more else lines
