"""The manifest as a page of responsive pictures: a `<picture>` for each picture and family, each on a line of its own.

Names come from anybody: every value is escaped for HTML, and addresses are percent-encoded.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, TextIO

from pipeline.manifest.export import deliver
from pipeline.report import document
from pipeline.report.blur import as_address

KIND = document.Kind("manifest export", "page of pictures", "", (), ())
_PAGE = """\
<!doctype html>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
{mark}
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ display: grid; gap: 1rem; margin: 1rem }}
body {{ grid-template-columns: repeat(auto-fill, minmax(min(20em, 100%), 1fr)) }}
img {{ display: block; max-width: 100%; height: auto; margin: auto }}
</style>
"""


def write_html(pictures: Iterator[tuple[str, dict[str, Any]]], to: Path | TextIO, *, title: str, sizes: str) -> int:
    """Write the pictures (those of `manifest.srcset.pictures`) as a page in UTF-8. Returns their number.

    `sizes` is how wide the page that the markup is for shows a picture, in the words of HTML; this one is a grid.
    A path is written atomically. Raises `TargetTrouble`.
    """

    def fill(stream: TextIO) -> int:
        stream.write(_PAGE.format(mark=KIND.mark, title=escape(title)))
        count = 0
        for name, picture in pictures:
            for family, files in picture["families"].items():
                stream.write(_picture(name, picture, family, files, sizes) + "\n")
            count += 1
        return count

    return deliver(fill, to)


def _picture(name: str, picture: dict[str, Any], family: str, files: dict[str, Any], sizes: str) -> str:
    """The last format is that of the `<img>`; browsers take the first `<source>` whose format they know."""
    *sources, last = files["sources"]
    image = {
        "src": files["src"],
        "srcset": last["srcset"],
        "sizes": sizes,
        "width": files["width"],
        "height": files["height"],
        "alt": picture["alt"] or "",
        "loading": "lazy",
        "decoding": "async",
        "style": _placeholder(picture),
    }
    inside = [
        _tag("source", {"type": source["type"], "srcset": source["srcset"], "sizes": sizes}) for source in sources
    ]
    start = _tag("picture", {"data-source": name, "data-family": family})
    return f"{start}{''.join(inside)}{_tag('img', image)}</picture>"


def _placeholder(picture: dict[str, Any]) -> str | None:
    """The style that shows the main colour and the ThumbHash until the picture is there; None where none is known, and
    for pictures that are seen through.
    """
    blurred = "" if picture["thumbhash"] is None else as_address(base64.b64decode(picture["thumbhash"]))
    if not blurred or picture["color"] is None:
        return None
    return f"background:{picture['color']} url({blurred}) center/cover"


def _tag(name: str, attributes: dict[str, str | int | None]) -> str:
    written = [f' {key}="{escape(str(value))}"' for key, value in attributes.items() if value is not None]
    return f"<{name}{''.join(written)}>"
