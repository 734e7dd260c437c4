"""The report: the contents of a config's manifest as one HTML file that loads nothing but pictures."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.errors import ErrorKind, printable
from pipeline.manifest.reader import Reader
from pipeline.manifest.runs import KEEP, RunSummary, last_rendering, not_yet_made
from pipeline.manifest.shown import Shown, renditions
from pipeline.manifest.store import Manifest
from pipeline.manifest.values import percent
from pipeline.model.record import Status
from pipeline.model.spec import Private
from pipeline.plan.rules import names_of
from pipeline.report import advice, document, numbers
from pipeline.report.gallery import BROWSERS, MOST, Gallery, looks
from pipeline.report.privacy import Privacy, read_again
from pipeline.run.failures import Listed, listed
from pipeline.workers import cpus

KIND = document.Kind(
    "report", "report", "'self' file:", ("style.css",), ("shared.js", "thumbhash.js", "gallery.js", "viewer.js")
)
AFTER_RUN = 500  # targets that are read again for the page that follows a run: half a second of CPU
_RUNS = 40  # in the chart
_ROWS = 10  # in the table beside it
_THUMBNAIL = 160  # pixels that fill the place beside a failure on a dense screen
_PRIVATE = {
    Private.GPS: "GPS positions",
    Private.SERIALS: "serial numbers",
    Private.MAKER_NOTES: "maker notes",
    Private.THUMBNAILS: "embedded thumbnails",
    Private.COMMENTS: "comments",
}
# Extensions of sources that a browser shows: the format of a failed source may not be known.
_EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")


def place(config: Config, output: Path | None = None) -> Path:
    """Where the page goes: `output`, else `report` of the config, else beside it. Raises as `document.place`."""
    path = output or config.report or config.path.with_name(f"{config.path.stem}-report.html")
    return document.place(KIND, path, config.target.folders)


def write(config: Config, path: Path, most_read: int | None = None, base_url: str = "") -> int:
    """Write the page to `path`, atomically; gives its size in bytes.

    `most_read`: how many targets are read again for private metadata; None: all. `base_url`, with a slash at its end,
    is where the target is published; "": its files are shown where they are. Works while a run goes on.
    Raises `UsageError` and `PipelineError` as `Manifest.reader` does, and `TargetTrouble`.
    """
    with Manifest.reader(config) as reader:
        page = _page(config, reader, path.parent, read_again(config, reader, most_read), base_url)
    return document.write(KIND, path, page)


def _page(config: Config, reader: Reader, folder: Path, privacy: Privacy, base_url: str) -> str:
    failures = listed(config, reader)
    addresses = _Addresses(config, folder, {failed.failure.source for failed in failures}, base_url)
    has_tiles = bool(addresses.target) and config.target.shards is None  # which no browser opens
    gallery = Gallery(config.rendition_names, MOST if has_tiles else 0)
    rows = addresses.noting(renditions(reader)) if has_tiles else renditions(reader)
    totals = numbers.count(rows, names_of(config), gallery)
    runs = reader.runs(KEEP)
    kinds = advice.by_kind(((failed.failure.kind, addresses.failed(failed)) for failed in failures), config.path)
    rendering = last_rendering(runs, reader.stages())
    shown = gallery.plain() | {"target": addresses.target, "places": addresses.sources, "looks": looks(config)}
    return document.text(
        replace(KIND, pictures=" ".join(filter(None, (KIND.pictures, _origin(base_url))))),
        "page.html",
        gallery=document.script_safe(shown),
        gallery_left_out=gallery.left_out,
        unpublished=not addresses.target,
        title=f"{printable(config.path.stem)} · pipeline report",
        name=printable(config.path.stem),
        config=printable(str(config.path)),
        now=time.time(),
        totals=totals,
        not_yet_made=not_yet_made(runs, sum(reader.totals().sources.values())),
        orphans=reader.orphans.noted(),
        failed=len({failed.failure.source for failed in failures}),
        last=runs[0] if runs else None,
        rendering=rendering,
        bound=numbers.bound(*rendering, cpus.available()) if rendering else "",
        columns=(columns := _columns(runs[:_RUNS])),
        highest=max((column.dealt_with for column in columns), default=0),
        runs=runs[:_ROWS],
        kinds=kinds,
        to_type=lambda words: advice.to_type(words, config.path),
        privacy=privacy,
        private=[(words, privacy.kinds[kind]) for kind, words in _PRIVATE.items() if privacy.kinds[kind]],
    )


class _Addresses:
    """Addresses of pictures, relative to the page, and of those that may show a failed source."""

    def __init__(self, config: Config, folder: Path, failed: set[str], base_url: str) -> None:
        path = config.target.path
        self.target = base_url or (_relative(path, folder) if path is not None else "")  # "": in a store
        self.sources = [
            (f"{source.prefix}/" if source.prefix else "", _relative(source.local, folder))
            for source in config.sources
            if source.is_folder
        ]
        self._failed = failed
        self._made: dict[str, tuple[tuple[bool, int], str]] = {}  # how well it fills a thumbnail, and its address

    def noting(self, rows: Iterable[Shown]) -> Iterator[Shown]:
        """`rows`, unchanged; the renditions of failed sources are remembered."""
        for row in rows:
            if row.source in self._failed and row.target and row.status in numbers.MADE and row.format in BROWSERS:
                width = row.width or 0
                best = ((width < _THUMBNAIL, width), self.target + percent(row.target))
                self._made[row.source] = min(self._made.get(row.source, best), best)
            yield row

    def _source(self, name: str) -> str:
        """The address of a picture in a folder; "" for any other."""
        prefix, folder = next((pair for pair in self.sources if name.startswith(pair[0])), ("", ""))
        return folder and folder + percent(name.removeprefix(prefix))

    def failed(self, failed: Listed) -> advice.Failed:
        """One failure with the addresses of pictures that may show it."""
        failure = failed.failure
        pictures = [self._made[failure.source][1]] if failure.source in self._made else []
        address = self._source(failure.source)
        if address and failure.kind is not ErrorKind.NOT_A_PICTURE and failure.source.lower().endswith(_EXTENSIONS):
            pictures.append(address)
        return advice.Failed(
            printable(failure.source), failure.rendition, failure.detail, known=failed.known, pictures=tuple(pictures)
        )


@dataclass(frozen=True, slots=True)
class _Column:
    """A run in the chart: heights are shares of the highest, 0 to 100."""

    run: RunSummary
    made: float
    failed: float

    @property
    def dealt_with(self) -> int:
        """Pictures made and failed."""
        return self.run.made + self.run.counts.get(Status.FAILED, 0)


def _columns(runs: Sequence[RunSummary]) -> list[_Column]:
    """The columns of the chart, the oldest run first."""
    counts = [(run, run.made, run.counts.get(Status.FAILED, 0)) for run in reversed(runs)]
    highest = max((made + failed for _, made, failed in counts), default=0) or 1
    return [_Column(run, 100 * made / highest, 100 * failed / highest) for run, made, failed in counts]


def _origin(base_url: str) -> str:
    """The scheme and host of an address, in the words of a content security policy; "" where it has none."""
    found = re.match(r"(https?:)?//[A-Za-z0-9.:\[\]-]+", base_url)
    return found[0].removeprefix("//") if found else ""


def _relative(path: Path, folder: Path) -> str:
    """The address of folder `path`, as seen from `folder`, with a slash at its end; never one that has a scheme."""
    relative = percent(os.path.relpath(path, folder))
    return f"{relative}/" if relative.startswith("..") else f"./{relative}/"
