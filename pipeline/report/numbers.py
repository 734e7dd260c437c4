"""The manifest's contents, counted for a page: one pass over its renditions, and its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.amounts import duration
from pipeline.errors import printable
from pipeline.manifest.runs import RunSummary, Stages
from pipeline.manifest.shown import Shown
from pipeline.model import record
from pipeline.model.record import Status
from pipeline.model.remarks import kinds, ours
from pipeline.report.gallery import Gallery

MADE = frozenset(map(str, record.MADE))
_KINDS, _OTHER = 30, "other"  # warnings that have a row of their own, and the row of the others
_CLASSES = 15  # folders that have a row of their own; the others are counted together
_MEGAPIXELS = ((0.25, "under ¼ Mpx"), (1, "¼ to 1"), (4, "1 to 4"), (12, "4 to 12"), (24, "12 to 24"), (48, "24 to 48"))
_KILOBYTES = ((4, "under 4 kB"), (16, "4 to 16"), (64, "16 to 64"), (256, "64 to 256"), (1024, "256 to 1,024"))


@dataclass(slots=True)
class OfFormat:
    """What was made in one format. `source_bytes` counts a source once for each of its renditions in this format."""

    renditions: int = 0
    source_bytes: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a histogram."""

    label: str
    number: int


@dataclass(slots=True)
class Warned:
    """Pictures that were made with a warning of one kind, and the first of them."""

    kind: str
    text: str
    source: str
    pictures: int = 0


@dataclass(slots=True)
class Totals:
    """What the target holds now. A source counts as `whole` if all its renditions in the config were made."""

    sources: int = 0  # pictures: those that are unsupported, skipped or filtered do not count
    whole: int = 0
    renditions: int = 0  # made, as in all that follows
    source_bytes: int = 0  # of sources of which anything was made
    bytes: int = 0
    formats: dict[str, OfFormat] = field(default_factory=dict)
    folders: Counter[str] = field(default_factory=Counter)
    megapixels: Counter[str] = field(default_factory=Counter)  # of sources
    kilobytes: Counter[str] = field(default_factory=Counter)  # of renditions
    warnings: dict[str, Warned] = field(default_factory=dict)  # by kind

    def classes(self) -> list[Bar]:
        """Pictures by folder, the fullest first."""
        bars = [Bar(name or "(top folder)", number) for name, number in self.folders.most_common(_CLASSES)]
        if (more := len(self.folders) - len(bars)) > 0:
            rest = sum(self.folders.values()) - sum(bar.number for bar in bars)
            bars.append(Bar(f"{more:,} other folders", rest))
        return bars

    def warned(self) -> list[Warned]:
        """What was made with warnings, the most frequent kind first."""
        return sorted(self.warnings.values(), key=lambda warned: (-warned.pictures, warned.kind))

    def source_sizes(self) -> list[Bar]:
        """Sources by megapixels."""
        return _bars(self.megapixels, _MEGAPIXELS, "over 48")

    def rendition_sizes(self) -> list[Bar]:
        """Renditions by bytes."""
        return _bars(self.kilobytes, _KILOBYTES, "over 1 MB")


def count(rows: Iterable[Shown], names: Callable[[str], Collection[str]], gallery: Gallery) -> Totals:
    """Count `rows`, which come by source, and fill `gallery` on the way.

    A row is passed over unless its rendition is in `names` (those that its picture gets) or its source failed.
    """
    totals = Totals()
    wanted: Collection[str] = ()
    last, made = "", 0
    warned: set[str] = set()
    for row in rows:
        if row.source_status in (Status.UNSUPPORTED, Status.SKIPPED, Status.FILTERED):
            continue
        if row.source != last:
            totals.whole += bool(last) and made == len(wanted)
            last, made, wanted, warned = row.source, 0, names(row.source), set()
            _add_source(totals, row)
        if row.rendition is None or row.rendition in wanted:
            gallery.add(row)
        if row.rendition in wanted and row.status in MADE:
            totals.source_bytes += row.source_bytes if made == 0 else 0
            made += 1
            _add_rendition(totals, row)
            _add_warnings(totals, row, warned)
    totals.whole += bool(last) and made == len(wanted)
    return totals


def _add_source(totals: Totals, row: Shown) -> None:
    totals.sources += 1
    totals.folders[row.source.rpartition("/")[0]] += 1
    if row.source_width and row.source_height:
        totals.megapixels[_step(row.source_width * row.source_height / 1e6, _MEGAPIXELS, "over 48")] += 1


def _add_rendition(totals: Totals, row: Shown) -> None:
    size = row.bytes or 0
    totals.renditions += 1
    totals.bytes += size
    totals.kilobytes[_step(size / 1000, _KILOBYTES, "over 1 MB")] += 1
    of_format = totals.formats.setdefault(row.format or "", OfFormat())
    of_format.renditions += 1
    of_format.source_bytes += row.source_bytes
    of_format.bytes += size


def _add_warnings(totals: Totals, row: Shown, counted: set[str]) -> None:
    """Count the picture of `row` under each kind of warning that is not yet in `counted`, where it is noted."""
    for text in ours(row.warnings):
        (kind,) = map(printable, kinds([text]))
        if kind not in totals.warnings:
            if len(totals.warnings) >= _KINDS:
                kind = _OTHER
            totals.warnings.setdefault(kind, Warned(kind, printable(text), printable(row.source)))
        if kind not in counted:
            counted.add(kind)
            totals.warnings[kind].pictures += 1


def _step(value: float, steps: Sequence[tuple[float, str]], above: str) -> str:
    return next((label for most, label in steps if value < most), above)


def _bars(counts: Counter[str], steps: Sequence[tuple[float, str]], above: str) -> list[Bar]:
    """The bars from the first step with a count to the last."""
    labels = [*(label for _, label in steps), above]
    filled = [number for number, label in enumerate(labels) if counts[label]]
    return [Bar(label, counts[label]) for label in labels[filled[0] : filled[-1] + 1]] if filled else []


def bound(run: RunSummary, stages: Stages, cpus: int) -> str:
    """What kept `run` from being faster, in one sentence; `cpus` are those of this machine.

    The manifest has seconds by stage, but not those in which threads waited. If no stage fills the time, the sentence
    says that.
    """
    clock = 0.0 if run.ended is None else run.ended - run.started
    if clock < _SHORT or stages.pictures < _MOST * run.made:
        return ""
    processes, threads = _setting(run, "processes"), max(1, _setting(run, "threads"))
    rendering, has = stages.decode + stages.resize + stages.encode, clock * (processes or cpus)
    busy = min(1.0, rendering / has)
    what = f"{processes} children" if processes > 1 else "the child" if processes else f"{cpus} CPUs"
    at_work = f"decode, resize and encode took {duration(rendering)} of the {duration(has)} that {what} had"
    driver = run.settings.get("seconds_of_driver")
    if isinstance(driver, float) and driver / clock > max(busy, _BUSY):
        return f"The main process: it was busy {min(1.0, driver / clock):.0%} of the time, the children {busy:.0%}."
    if busy > _BUSY:
        return f"Rendering: {at_work} ({busy:.0%})."
    for stage, seconds in (("Reading", stages.read), ("Writing", stages.write)):
        if (share := min(1.0, seconds / clock / threads)) > _MUCH:
            had = f"{duration(seconds)} of the {duration(clock * threads)} that {threads} threads had"
            return f"{stage}: it took {had} ({share:.0%})."
    return f"No stage by itself: {at_work} ({busy:.0%}); the rest went into starting and waiting."


_SHORT = 2.0  # seconds; starting up is most of such a run
_MOST = 0.9  # share of the run's renditions that must be unchanged since
_BUSY = 0.7  # share of the time of all children
_MUCH = 0.25  # share of the time of all threads


def _setting(run: RunSummary, name: str) -> int:
    value = run.settings.get(name)
    return value if isinstance(value, int) else 0
