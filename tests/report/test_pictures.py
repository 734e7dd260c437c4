"""The page of responsive pictures: what a browser is told, and that no name breaks out of it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import TargetTrouble
from pipeline.render.pixels.thumbhash import thumbhash
from pipeline.report.pictures import write_html

HASH = base64.b64encode(thumbhash((4, 3), Image.new("RGBA", (4, 3), "#c86432").tobytes())).decode()


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data.strip()


def family(*formats: str) -> dict[str, Any]:
    sources = [
        {
            "format": format_,
            "type": f"image/{format_}",
            "srcset": f"/img/a-320.{format_} 320w, /img/a-640.{format_} 640w",
        }
        for format_ in formats
    ]
    return {"src": f"/img/a-640.{formats[-1]}", "width": 640, "height": 480, "sources": sources}


def picture(**changes: Any) -> dict[str, Any]:
    families = {"hero": family("avif", "webp", "jpeg")}
    return {"alt": "A pear", "color": "#c86432", "thumbhash": HASH, "families": families} | changes


def page(name: str = "a.jpg", *, title: str = "site", sizes: str = "50vw", **changes: Any) -> tuple[str, Tags]:
    out = io.StringIO()
    assert write_html(iter([(name, picture(**changes))]), out, title=title, sizes=sizes) == 1
    tags = Tags()
    tags.feed(out.getvalue())
    return out.getvalue(), tags


def test_a_picture_has_a_source_for_each_format_and_the_last_is_its_image() -> None:
    _, tags = page()
    (_, about), *sources, (_, image) = [tag for tag in tags.tags if tag[0] in {"picture", "source", "img"}]
    assert about == {"data-source": "a.jpg", "data-family": "hero"}
    assert [(source["type"], source["srcset"], source["sizes"]) for _, source in sources] == [
        (f"image/{name}", f"/img/a-320.{name} 320w, /img/a-640.{name} 640w", "50vw") for name in ("avif", "webp")
    ]
    style = image.pop("style") or ""
    assert image == {
        "src": "/img/a-640.jpeg",
        "srcset": "/img/a-320.jpeg 320w, /img/a-640.jpeg 640w",
        "sizes": "50vw",
        "width": "640",
        "height": "480",
        "alt": "A pear",
        "loading": "lazy",
        "decoding": "async",
    }
    assert style.startswith("background:#c86432 url(data:image/png;base64,")


def test_each_family_is_a_line_of_its_own() -> None:
    text, _ = page(families={"hero": family("jpeg"), "card": family("webp", "jpeg")})
    lines = [line for line in text.splitlines() if line.startswith("<picture ")]
    assert [line.count("<source ") for line in lines] == [0, 1]
    assert all(line.endswith("</picture>") for line in lines)


@pytest.mark.parametrize(
    "evil", ['"><script>alert(1)</script>', "</picture><b>", "' onload='x", "&quot;&amp;", "--><!--"]
)
def test_no_name_breaks_out_of_the_page(evil: str) -> None:
    _, tags = page(evil, title=evil, sizes=evil, alt=evil)
    assert [tag for tag, _ in tags.tags] == [
        "meta",
        "meta",
        "meta",
        "title",
        "style",
        "picture",
        "source",
        "source",
        "img",
    ]
    attributes = dict(tags.tags)
    assert (attributes["picture"]["data-source"], attributes["img"]["alt"], attributes["img"]["sizes"]) == (
        evil,
        evil,
        evil,
    )
    assert tags.text.startswith(evil)
    assert sorted(attributes["img"]) == [
        "alt",
        "decoding",
        "height",
        "loading",
        "sizes",
        "src",
        "srcset",
        "style",
        "width",
    ]


def test_a_picture_without_words_is_told_so_and_one_without_placeholder_has_no_style() -> None:
    _, tags = page(alt=None, color=None, thumbhash=None)
    assert tags.tags[-1][1]["alt"] == ""
    assert "style" not in tags.tags[-1][1]


def test_a_page_takes_its_place_at_once_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(TargetTrouble):
        write_html(iter(()), tmp_path / "nowhere" / "x.html", title="x", sizes="9px")
    assert write_html(iter([("a", picture())]), tmp_path / "x.html", title="x", sizes="9px") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]
