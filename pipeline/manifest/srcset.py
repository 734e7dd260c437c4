"""The manifest for web pages: for each picture, the `srcset` of every format of its families, sizes and placeholders.

It is one JSON object, by source path in the order of bytes, and the same from run to run. It has every picture of which
some rendition of a family is there. Renditions that failed, and those of pictures that are gone, are left out.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import printable
from pipeline.manifest.database import translated
from pipeline.manifest.export import deliver
from pipeline.manifest.reader import Reader
from pipeline.manifest.values import percent, to_name
from pipeline.model.record import MADE_WORDS
from pipeline.model.spec import Format, Spec

Json = dict[str, Any]

_QUERY = f"""
SELECT s.path, s.upright_width, s.upright_height, s.alt, s.color, s.thumbhash,
    r.name, r.target, r.width, r.height, r.size
FROM source s JOIN rendition r ON r.source = s.id
WHERE r.status IN {MADE_WORDS} AND s.status NOT IN ('skipped', 'filtered')
    AND r.source_sha256 IS COALESCE(s.content, s.sha256) AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.path = r.target)
ORDER BY s.path
"""  # noqa: S608 - words from `model.record`


Families = Mapping[str, Sequence[Spec]]
"""The specs of each family by its name, in the order of the config."""


def pictures(reader: Reader, families: Callable[[str], Families], base_url: str = "") -> Iterator[tuple[str, Json]]:
    """Every picture with its printable path. `families` gives those of a picture.

    `base_url` goes before every address, as it is; without it they are relative to the target.
    Raises `ManifestTrouble`.
    """
    with translated(reader.path):
        for path, rows in itertools.groupby(reader.connection.execute(_QUERY), key=lambda row: row[0]):
            about, made = None, {}
            its_families = families(to_name(path))
            names = {spec.name for specs in its_families.values() for spec in specs}
            for row in rows:
                about = row[:6]
                if row[6] in names:
                    made[row[6]] = _file(base_url, *row[7:])
            if made and about is not None:
                yield printable(to_name(path)), _picture(about, made, its_families)


def write_srcset(pictures: Iterator[tuple[str, Json]], to: Path | TextIO) -> int:
    """Write the pictures as one JSON object in UTF-8, a line each. Returns their number.

    A path is written atomically. Raises `TargetTrouble`.
    """

    def fill(stream: TextIO) -> int:
        count = 0
        stream.write("{")
        for name, picture in pictures:
            stream.write(("," if count else "") + "\n" + json.dumps(name, ensure_ascii=False) + ": ")
            stream.write(json.dumps(picture, ensure_ascii=False))
            count += 1
        stream.write("\n}\n")
        return count

    return deliver(fill, to)


def _picture(about: Sequence[Any], made: Mapping[str, Json], families: Families) -> Json:
    path, width, height, alt, color, thumbhash = about
    name = to_name(path)
    picture: Json = {} if printable(name) == name else {"source_raw": percent(name)}
    picture |= {"width": width, "height": height, "alt": alt, "color": color}
    picture["thumbhash"] = None if thumbhash is None else base64.b64encode(thumbhash).decode("ascii")
    all_families = {family: _family(specs, made) for family, specs in families.items()}
    picture["families"] = {family: sources for family, sources in all_families.items() if sources is not None}
    return picture


def _family(specs: Sequence[Spec], made: Mapping[str, Json]) -> Json | None:
    """A `<source>` for each format, in the config's order; `src` is for the `<img>` and has the last format."""
    sources = []
    for image_format in dict.fromkeys(spec.format for spec in specs):
        names = [spec.name for spec in specs if spec.format is image_format and spec.name in made]
        files = _each_width_once([made[name] for name in names])
        if files:
            sources.append(_source(image_format, files))
    if not sources:
        return None
    largest = sources[-1]["files"][-1]
    return {
        "src": largest["url"],
        "width": largest["width"],
        "height": largest["height"],
        "sources": sources,
    }


def _source(image_format: Format, files: list[Json]) -> Json:
    return {
        "format": image_format.value,
        "type": f"image/{image_format.value}",
        "srcset": ", ".join(f"{file['url']} {file['width']}w" for file in files),
        "files": files,
    }


def _each_width_once(files: list[Json]) -> list[Json]:
    """The files by width. Where a picture is not enlarged, several widths of the config give files of one width.

    These are equal but for their names, so the first stands for all.
    """
    by_width: dict[int, Json] = {}
    for file in files:
        by_width.setdefault(file["width"], file)
    return [by_width[width] for width in sorted(by_width)]


def _file(base_url: str, target: bytes, width: int, height: int, size: int) -> Json:
    name = to_name(target)
    url = base_url + percent(name)
    return {"path": printable(name), "url": url, "width": width, "height": height, "bytes": size}
