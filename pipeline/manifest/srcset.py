"""What a web page needs to know of its pictures: for each family the `srcset` of every format, sizes and placeholders.

One JSON object, by source path in the order of bytes; the same from run to run. All pictures that have anything of a
family are in it, with what is there: a rendition that failed is left out, and so is what became of a picture that went.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import printable
from pipeline.manifest.database import translated
from pipeline.manifest.export import deliver
from pipeline.manifest.reader import Reader
from pipeline.manifest.values import percent, to_name
from pipeline.model.spec import Format, Spec

Json = dict[str, Any]

_QUERY = """
SELECT s.path, s.upright_width, s.upright_height, s.alt, s.color, s.thumbhash,
    r.name, r.target, r.width, r.height, r.size
FROM source s JOIN rendition r ON r.source = s.id
WHERE r.status IN ('done', 'kept') AND s.status <> 'skipped' AND r.source_sha256 IS COALESCE(s.content, s.sha256)
    AND NOT EXISTS (SELECT 1 FROM orphan o WHERE o.path = r.target)
ORDER BY s.path
"""


def pictures(reader: Reader, families: Mapping[str, Sequence[Spec]]) -> Iterator[tuple[str, Json]]:
    """Every picture by its printable path. `families` holds the specs of each by its name, in the config's order."""
    names = {spec.name for specs in families.values() for spec in specs}
    with translated(reader.path):
        for path, rows in itertools.groupby(reader.connection.execute(_QUERY), key=lambda row: row[0]):
            about, made = None, {}
            for row in rows:
                about = row[:6]
                if row[6] in names:
                    made[row[6]] = _file(*row[7:])
            if made and about is not None:
                yield printable(to_name(path)), _picture(about, made, families)


def write_srcset(found: Iterator[tuple[str, Json]], to: Path | TextIO) -> int:
    """Write the pictures as one JSON object, a line each, UTF-8. Gives their number.

    A path is written atomically. Raises `TargetTrouble`.
    """

    def fill(stream: TextIO) -> int:
        count = 0
        stream.write("{")
        for name, picture in found:
            stream.write(("," if count else "") + "\n" + json.dumps(name, ensure_ascii=False) + ": ")
            stream.write(json.dumps(picture, ensure_ascii=False))
            count += 1
        stream.write("\n}\n")
        return count

    return deliver(fill, to)


def _picture(about: Sequence[Any], made: Mapping[str, Json], families: Mapping[str, Sequence[Spec]]) -> Json:
    path, width, height, alt, color, thumbhash = about
    name = to_name(path)
    picture: Json = {} if printable(name) == name else {"source_raw": percent(name)}
    picture |= {"width": width, "height": height, "alt": alt, "color": color}
    picture["thumbhash"] = None if thumbhash is None else base64.b64encode(thumbhash).decode("ascii")
    all_families = {family: _family(specs, made) for family, specs in families.items()}
    picture["families"] = {family: one for family, one in all_families.items() if one is not None}
    return picture


def _family(specs: Sequence[Spec], made: Mapping[str, Json]) -> Json | None:
    """A `<source>` for each format, in the config's order; `src` is for an `<img>` that knows the last one only."""
    sources = []
    for image_format in dict.fromkeys(spec.format for spec in specs):
        files = _each_width_once([made[one.name] for one in specs if one.format is image_format and one.name in made])
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
    """By width. A picture that is not enlarged has one width for several of the config: the first file has its place.

    They are alike but for their names, and which of them a browser takes it could not tell from the widths.
    """
    by_width: dict[int, Json] = {}
    for file in files:
        by_width.setdefault(file["width"], file)
    return [by_width[width] for width in sorted(by_width)]


def _file(target: bytes, width: int, height: int, size: int) -> Json:
    name = to_name(target)
    return {"path": printable(name), "url": percent(name), "width": width, "height": height, "bytes": size}
