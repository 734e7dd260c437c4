"""What a web page is told of its pictures is what lies in the target, in the words of `srcset`."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import TargetTrouble
from pipeline.manifest.srcset import pictures, write_srcset
from pipeline.manifest.store import Manifest
from pipeline.model.record import Reason, Record, RenditionRecord, Status, Written
from pipeline.model.spec import Format, Spec
from tests.manifest.builders import not_made, opened, record

HERO = [
    Spec(f"hero-{width}-{image_format}", width=width, format=image_format, family="hero")
    for width in (320, 640, 1280)
    for image_format in (Format.AVIF, Format.JPEG)
]
FAMILIES = {"hero": HERO}


def _made(source: str, spec: Spec, width: int, height: int) -> RenditionRecord:
    target = f"{source.rpartition('.')[0]}-{spec.label}.{spec.format.extension}"
    written = Written(target, width * 10, 17, b"h")
    return RenditionRecord(
        spec.name, target, "r", Status.DONE, Reason.NEW, None, written, spec.format.value, width, height
    )


def _picture(source: str, size: tuple[int, int] = (2000, 1500), specs: Sequence[Spec] = HERO, **about: Any) -> Record:
    """A picture with its family: never wider than it is itself."""
    renditions = []
    for spec in specs:
        width = min(spec.width or 0, size[0])
        renditions.append(_made(source, spec, width, width * size[1] // size[0]))
    return replace(record(source, *renditions), upright=size, **about)


def _export(folder: Path, *records: Record, families: Any = None) -> dict[str, Any]:
    with opened(folder) as manifest:
        for added in records:
            manifest.add(added)
    out = io.StringIO()
    with Manifest.reader_at(folder / "manifest.sqlite") as reader:
        count = write_srcset(pictures(reader, lambda source: families or FAMILIES), out)
    exported: dict[str, Any] = json.loads(out.getvalue())
    assert len(exported) == count
    return exported


def test_each_format_has_its_srcset_in_the_order_of_the_config(tmp_path: Path) -> None:
    (picture,) = _export(tmp_path, _picture("a/b.jpg")).values()
    hero = picture["families"]["hero"]
    assert [(part["type"], part["srcset"]) for part in hero["sources"]] == [
        ("image/avif", "a/b-hero-320.avif 320w, a/b-hero-640.avif 640w, a/b-hero-1280.avif 1280w"),
        ("image/jpeg", "a/b-hero-320.jpg 320w, a/b-hero-640.jpg 640w, a/b-hero-1280.jpg 1280w"),
    ]
    assert (hero["src"], hero["width"], hero["height"]) == ("a/b-hero-1280.jpg", 1280, 960)
    assert hero["sources"][1]["files"][0] == {
        "path": "a/b-hero-320.jpg",
        "url": "a/b-hero-320.jpg",
        "width": 320,
        "height": 240,
        "bytes": 3200,
    }


def test_a_picture_is_told_with_its_upright_size_its_words_and_its_placeholder(tmp_path: Path) -> None:
    exported = _export(
        tmp_path, _picture("a.jpg", (900, 1200), alt="Zwei „Äpfel“", color="#c86432", thumbhash=b"\x01\x02\x03")
    )
    (picture,) = exported.values()
    picture.pop("families")
    assert picture == {
        "width": 900,
        "height": 1200,
        "alt": "Zwei „Äpfel“",
        "color": "#c86432",
        "thumbhash": base64.b64encode(b"\x01\x02\x03").decode(),
    }


def test_a_width_beyond_the_picture_is_listed_once(tmp_path: Path) -> None:
    (picture,) = _export(tmp_path, _picture("a.jpg", (500, 400))).values()
    (_, jpeg) = picture["families"]["hero"]["sources"]
    assert jpeg["srcset"] == "a-hero-320.jpg 320w, a-hero-640.jpg 500w"
    assert [file["width"] for file in jpeg["files"]] == [320, 500]


def test_urls_are_escaped_for_srcset_and_names_are_printable(tmp_path: Path) -> None:
    (name,) = exported = _export(tmp_path, _picture("ä b,c\n\udcff/1 2.jpg"))
    assert name == "ä b,c\\n\\xff/1 2.jpg"
    (picture,) = exported.values()
    assert picture["source_raw"] == "%C3%A4%20b%2Cc%0A%FF/1%202.jpg"
    source = picture["families"]["hero"]["sources"][0]
    assert source["srcset"].startswith("%C3%A4%20b%2Cc%0A%FF/1%202-hero-320.avif 320w, ")
    assert source["files"][0]["path"] == "ä b,c\\n\\xff/1 2-hero-320.avif"


def test_what_is_no_family_or_was_not_made_is_left_out(tmp_path: Path) -> None:
    partly = _picture("a.jpg")
    failed = not_made("a.jpg", HERO[0].name)
    exported = _export(
        tmp_path,
        replace(partly, renditions=(failed, *partly.renditions[1:])),
        record("other.jpg"),
        replace(_picture("skipped.jpg"), status=Status.SKIPPED),
        record("broken.jpg", *(not_made("broken.jpg", spec.name) for spec in HERO)),
    )
    assert list(exported) == ["a.jpg"]
    avif, jpeg = exported["a.jpg"]["families"]["hero"]["sources"]
    assert [file["width"] for file in avif["files"]] == [640, 1280]
    assert [file["width"] for file in jpeg["files"]] == [320, 640, 1280]


def test_orphans_are_left_out(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(_picture("gone.jpg"))
        manifest.add(_picture("there.jpg"))
        manifest.flush()
        manifest.orphans.note([made.target for made in _picture("gone.jpg").renditions], 1)
    assert list(_export(tmp_path)) == ["there.jpg"]


def test_several_families_and_one_of_formats_only(tmp_path: Path) -> None:
    families = {
        "hero": HERO[:1],
        "card": [
            Spec(f"card-{image_format}", width=90, format=image_format, family="card")
            for image_format in (Format.WEBP, Format.PNG)
        ],
    }
    both = [spec for specs in families.values() for spec in specs]
    (picture,) = _export(tmp_path, _picture("a.jpg", specs=both), families=families).values()
    assert list(picture["families"]) == ["hero", "card"]
    assert picture["families"]["card"]["src"] == "a-card.png"
    assert [part["srcset"] for part in picture["families"]["card"]["sources"]] == ["a-card.webp 90w", "a-card.png 90w"]


def test_an_export_takes_its_place_at_once_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(_picture("a.jpg"))
    out = tmp_path / "srcset.json"
    with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
        assert write_srcset(pictures(reader, lambda source: FAMILIES), out) == 1
        before = out.read_bytes()
        with pytest.raises(TargetTrouble):
            write_srcset(pictures(reader, lambda source: FAMILIES), tmp_path / "nowhere" / "srcset.json")
        with pytest.raises(ZeroDivisionError):
            write_srcset(((str(1 // 0), {}) for _ in "x"), out)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.glob("*srcset*")] == ["srcset.json"]


def test_without_pictures_it_is_an_empty_object(tmp_path: Path) -> None:
    assert _export(tmp_path) == {}


def test_addresses_begin_with_the_base_url(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(_picture("ä/b.jpg"))
    with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
        ((_, picture),) = pictures(reader, lambda source: FAMILIES, "/img/")
    (avif, _) = picture["families"]["hero"]["sources"]
    assert avif["srcset"].startswith("/img/%C3%A4/b-hero-320.avif 320w, /img/")
    assert picture["families"]["hero"]["src"] == "/img/%C3%A4/b-hero-1280.jpg"
    assert avif["files"][0]["path"] == "ä/b-hero-320.avif"
