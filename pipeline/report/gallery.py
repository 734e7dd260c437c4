"""The renditions as compact JSON, from which the page's script builds the rows that are in view.

Columns instead of objects, and each folder, format and status once: 50,000 renditions are some 5 MB. A name is sent as
it is shown; where its bytes are others, its address is sent as well.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from pipeline.config.settings import Config
from pipeline.errors import printable
from pipeline.manifest.shown import Shown
from pipeline.manifest.values import percent
from pipeline.model.spec import Spec

MOST = 100_000  # renditions that the gallery shows; a page of more takes long to open
BROWSERS = frozenset({"jpeg", "mpo", "png", "gif", "webp", "avif", "bmp", "ico"})  # formats that all browsers show
# In these renditions may differ and still look the same in a tile, where their shapes are the same.
_UNSEEN = """
    name family width height dpr enlarge format quality lossless effort subsampling progressive dither max_bytes
    optimize keep_smaller profile cmyk_profile metadata private depth hdr density verify linear resampler shrink_on_load
"""
_SEEN = tuple(field.name for field in fields(Spec) if field.name not in _UNSEEN.split())


def looks(config: Config) -> list[int]:
    """For each of `config.rendition_names` a number that renditions of the same look share: of them the page shows the
    smallest that fills its place.
    """
    numbers: dict[tuple[object, ...], int] = {}
    sets = [config.specs, *(rule.specs for rule in config.rules)]
    look_of = [{spec.name: tuple(getattr(spec, name) for name in _SEEN) for spec in specs} for specs in sets]
    keys = (tuple(look.get(name) for look in look_of) for name in config.rendition_names)
    return [numbers.setdefault(key, len(numbers)) for key in keys]


class _Words:
    """Numbers words in the order in which they come."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.all: dict[str, int] = {word: number for number, word in enumerate(known)}

    def number(self, word: str) -> int:
        return self.all.setdefault(word, len(self.all))


class Gallery:
    """Collects renditions, in the order of their sources."""

    def __init__(self, names: Iterable[str], most: int = MOST) -> None:
        """`names` of the config's renditions, in its order; `most`: renditions that are shown."""
        self._most = most
        self.left_out = 0
        self._folders = _Words()
        self._names = _Words(names)
        self._statuses = _Words()
        self._formats = _Words()
        self._sources: list[list[Any]] = []
        self._renditions: list[list[Any]] = []
        self._last: str | None = None

    def add(self, row: Shown) -> None:
        """Take a rendition, or a source that failed before it had any."""
        if len(self._renditions) >= self._most:
            self.left_out += 1
            return
        if row.source != self._last:
            self._last = row.source
            self._sources.append(self._source(row))
        error = row.error or row.source_error
        detail = row.detail if row.error else row.source_detail
        self._renditions.append(
            [
                len(self._sources) - 1,
                -1 if row.rendition is None else self._names.number(row.rendition),
                self._statuses.number(row.status or row.source_status),
                self._formats.number(row.format or ""),
                row.width or 0,
                row.height or 0,
                row.bytes or 0,
                *_name(row.target or "", f"{error}: {detail}" if error else ""),
            ]
        )

    def plain(self) -> dict[str, Any]:
        """What the script reads, as values for JSON."""
        return {
            "folders": list(self._folders.all),
            "names": list(self._names.all),
            "statuses": list(self._statuses.all),
            "formats": list(self._formats.all),
            "shown": [int(name in BROWSERS) for name in self._formats.all],
            "sources": self._sources,
            "renditions": self._renditions,
        }

    def _source(self, row: Shown) -> list[Any]:
        folder, _, name = row.source.rpartition("/")
        hashed = "" if row.thumbhash is None else base64.b64encode(row.thumbhash).decode("ascii")
        return [
            self._folders.number(printable(folder)),
            printable(name),
            self._formats.number(row.source_format or ""),
            row.source_width or 0,
            row.source_height or 0,
            row.source_bytes,
            row.color or "",
            hashed,
            printable(row.alt or ""),
            *([] if printable(row.source) == row.source else [percent(row.source)]),
        ]


def _name(target: str, error: str) -> list[str]:
    """The last columns of a rendition, without empty ones at the end."""
    shown = printable(target)
    columns = [shown, error, "" if shown == target else percent(target)]
    while len(columns) > 1 and not columns[-1]:
        columns.pop()
    return columns
