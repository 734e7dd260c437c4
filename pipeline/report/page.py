"""The page: the contents of a config's manifest as one HTML file that loads nothing but pictures.

It is made of `assets/`: a template that escapes every value, one style and one script. Its own policy
allows that style, that script and pictures, and nothing else.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import amounts, atomic
from pipeline.config.settings import Config
from pipeline.errors import ErrorKind, TargetTrouble, UsageError, printable
from pipeline.manifest.reader import Reader
from pipeline.manifest.runs import KEEP, RunSummary, last_rendering
from pipeline.manifest.shown import Shown, renditions
from pipeline.manifest.store import Manifest
from pipeline.manifest.values import percent
from pipeline.model.record import Status
from pipeline.model.spec import Private
from pipeline.report import advice, numbers
from pipeline.report.gallery import BROWSERS, Gallery
from pipeline.report.privacy import Privacy, read_again
from pipeline.run.failures import Listed, listed
from pipeline.workers import cpus

_FOLDER = Path(__file__).parent / "assets"
_SCRIPTS = ("thumbhash.js", "gallery.js", "viewer.js")
_MARK = '<meta name="generator" content="pipeline report">'  # marks a page as written by this program
_HEAD = 400  # first bytes of a page, which hold the mark
AFTER_RUN = 500  # targets that are read again for the page that follows a run: half a second of CPU
_RUNS = 40  # in the chart
_ROWS = 10  # in the table beside it
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
    """Where the page goes: `output`, else `report` of the config, else beside the config. Raises `UsageError` where it
    would overwrite a file that is no page of this program, or be in the target.
    """
    path = Path(os.path.abspath(output or config.report or config.path.with_name(f"{config.path.stem}-report.html")))
    shown, target = printable(str(path)), os.path.realpath(config.target.path)
    if os.path.commonpath([os.path.realpath(path), target]) == target:
        raise UsageError(f"{shown}: a report must not be in the target, which holds what is made of pictures only")
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            raise UsageError(f"{shown}: is there and is no file; name another place for the report (--output)")
        with open(path, "rb") as file:
            ours = _MARK.encode() in file.read(_HEAD)
    except FileNotFoundError:
        return path
    except OSError as error:
        raise UsageError(f"{shown}: cannot look what is there: {error.strerror}") from error
    if not ours:
        raise UsageError(f"{shown}: is there and is no report; name another place for the report (--output)")
    return path


def write(config: Config, path: Path, most_read: int | None = None) -> int:
    """Write the page to `path`, atomically; gives its size in bytes.

    `most_read`: how many targets are read again for private metadata; None: all. Works while a run goes on.
    Raises `UsageError` and `PipelineError` as `Manifest.reader` does, and `TargetTrouble`.
    """
    with Manifest.reader(config) as reader:
        text = _page(config, reader, path.parent, read_again(config, reader, most_read))
    try:
        atomic.write_text(path, text)
    except OSError as error:
        raise TargetTrouble(f"{printable(str(path))}: cannot write the report: {error.strerror}") from error
    return len(text.encode(errors="backslashreplace"))


def _page(config: Config, reader: Reader, folder: Path, privacy: Privacy) -> str:
    import jinja2  # noqa: PLC0415 - for a page alone, 30 ms

    failures = listed(config, reader)
    addresses = _Addresses(config, folder, {one.failure.source for one in failures})
    names = [spec.name for spec in config.specs]
    gallery = Gallery(names)
    totals = numbers.count(addresses.noting(renditions(reader)), names, gallery)
    runs = reader.runs(KEEP)
    kinds = advice.by_kind(((one.failure.kind, addresses.failed(one)) for one in failures), config.path)
    rendering = last_rendering(runs, reader.stages())
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": amounts.size, "duration": amounts.duration, "moment": _moment}
    environment.globals["count"] = amounts.count
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    script = "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    shown = gallery.plain() | {"target": addresses.target, "places": addresses.sources}
    return environment.get_template("page.html").render(
        mark=environment.filters["safe"](_MARK),
        policy=f"default-src 'none'; img-src 'self' file:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        gallery=script_safe(shown),
        gallery_left_out=gallery.left_out,
        name=printable(config.path.stem),
        config=printable(str(config.path)),
        now=time.time(),
        totals=totals,
        failed=len({one.failure.source for one in failures}),
        last=runs[0] if runs else None,
        rendering=rendering,
        bound=numbers.bound(*rendering, cpus.available()) if rendering else "",
        columns=(columns := _columns(runs[:_RUNS])),
        highest=max((column.dealt_with for column in columns), default=0),
        runs=runs[:_ROWS],
        kinds=kinds,
        command_config=advice.quoted(config.path),
        privacy=privacy,
        private=[(words, privacy.kinds[kind]) for kind, words in _PRIVATE.items() if privacy.kinds[kind]],
    )


class _Addresses:
    """Addresses of pictures, relative to the page, and of those that may show a failed source."""

    def __init__(self, config: Config, folder: Path, failed: set[str]) -> None:
        self.target = _relative(config.target.path, folder)
        self.sources = [
            (f"{one.prefix}/" if one.prefix else "", _relative(one.path, folder))
            for one in config.sources
            if one.urls is None
        ]
        self._failed = failed
        self._made: dict[str, str] = {}

    def noting(self, rows: Iterable[Shown]) -> Iterator[Shown]:
        """`rows`, unchanged; the renditions of failed sources are remembered."""
        for row in rows:
            if row.source in self._failed and row.target and row.status in numbers.MADE and row.format in BROWSERS:
                self._made.setdefault(row.source, self.target + percent(row.target))
            yield row

    def _source(self, name: str) -> str:
        """The address of a picture in a folder; "" for any other."""
        prefix, folder = next((pair for pair in self.sources if name.startswith(pair[0])), ("", ""))
        return folder and folder + percent(name.removeprefix(prefix))

    def failed(self, one: Listed) -> advice.Failed:
        """One failure with the addresses of pictures that may show it."""
        failure = one.failure
        pictures = [self._made[failure.source]] if failure.source in self._made else []
        address = self._source(failure.source)
        if address and failure.kind is not ErrorKind.NOT_A_PICTURE and failure.source.lower().endswith(_EXTENSIONS):
            pictures.append(address)
        return advice.Failed(
            printable(failure.source), failure.rendition, failure.detail, known=one.known, pictures=tuple(pictures)
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
        return self.run.counts.get(Status.DONE, 0) + self.run.counts.get(Status.FAILED, 0)


def _columns(runs: Sequence[RunSummary]) -> list[_Column]:
    """The columns of the chart, the oldest run first."""
    counts = [(run, run.counts.get(Status.DONE, 0), run.counts.get(Status.FAILED, 0)) for run in reversed(runs)]
    highest = max((made + failed for _, made, failed in counts), default=0) or 1
    return [_Column(run, 100 * made / highest, 100 * failed / highest) for run, made, failed in counts]


def _relative(path: Path, folder: Path) -> str:
    """The address of folder `path`, as seen from `folder`, with a slash at its end; never one that has a scheme."""
    relative = percent(os.path.relpath(path, folder))
    return f"{relative}/" if relative.startswith("..") else f"./{relative}/"


def _moment(seconds: float, form: str = "%-d %b %Y, %H:%M") -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime(form)


def _hash(text: str) -> str:
    """The hash of `text`, as a content security policy writes it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def script_safe(values: Any) -> str:
    """JSON for a script element, in which no text can end the element, begin a comment or break a line."""
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
