"""Whole runs of a config with rules."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from pipeline.cli.main import status_of
from pipeline.errors import ExitStatus
from tests.world import World

RULES = """\
source: photos
target: out
renditions:
  thumb: {width: 32}
  page: {widths: [16, 24], formats: [png, jpeg]}
rules:
  - match: scans/
    renditions:
      thumb: {format: png, width: 20}
      page: {widths: [12]}
"""


def test_each_picture_gets_what_its_rule_asks_for_and_exports_follow(world: World) -> None:
    world.configure(RULES)
    world.put("a.jpg")
    world.put("scans/b.jpg")
    assert world.run().renditions == {"done": 8}
    made = world.tree()
    assert sorted(made) == [
        "a-page-16.jpg",
        "a-page-16.png",
        "a-page-24.jpg",
        "a-page-24.png",
        "a-thumb.jpg",
        "scans/b-page-12.jpg",
        "scans/b-page-12.png",
        "scans/b-thumb.png",
    ]
    assert Image.open(io.BytesIO(made["scans/b-thumb.png"])).width == 20
    pages = json.loads(json.dumps(world.srcset()))
    sets = {
        name: [source["srcset"] for source in about["families"]["page"]["sources"]] for name, about in pages.items()
    }
    assert sets == {
        "a.jpg": ["a-page-16.png 16w, a-page-24.png 24w", "a-page-16.jpg 16w, a-page-24.jpg 24w"],
        "scans/b.jpg": ["scans/b-page-12.png 12w", "scans/b-page-12.jpg 12w"],
    }
    assert {(row["source"], row["rendition"]) for row in world.export()} == {
        *(("a.jpg", name) for name in ("thumb", "page-16-png", "page-16-jpeg", "page-24-png", "page-24-jpeg")),
        *(("scans/b.jpg", name) for name in ("thumb", "page-12-png", "page-12-jpeg")),
    }


def test_the_plan_and_explain_name_the_rule(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.configure(RULES)
    world.put("a.jpg")
    world.put("scans/b.jpg")
    assert status_of(["plan", str(world.config_path)]) == ExitStatus.OK
    lines = capsys.readouterr().out.splitlines()
    assert "new             scans/b.jpg -> scans/b-thumb.png (by the rule for scans/)" in lines
    assert "new             a.jpg -> a-thumb.jpg" in lines
    assert status_of(["plan", "--json", "--only", "scans", str(world.config_path)]) == ExitStatus.OK
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["target"], first["reason"], first["rule"]) == ("scans/b-thumb.png", "new", "scans/")
    assert status_of(["explain", "--json", str(world.config_path)]) == ExitStatus.OK
    told = capsys.readouterr().out.splitlines()
    values = {value["key"]: (value["value"], value["line"]) for value in map(json.loads, told)}
    assert values["rules.scans/.thumb.width"] == (20, 9)
    assert values["rules.scans/.page-12-png.format"] == ("png", 5)
    assert "rules.scans/.thumb.fit" not in values, "as for all others"
