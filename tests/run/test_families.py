"""A family from its lists in the config to the `srcset` of a web page."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from tests.pictures import as_stored, encoded, exif, quarters
from tests.world import World

TEXT = """
source: photos
target: out
renditions:
  hero: {widths: [40, 80, 160], formats: [avif, webp, jpeg], quality: 60}
  thumb: {width: 20}
"""


@pytest.fixture
def family(world: World) -> World:
    world.configure(TEXT)
    return world


def _export(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return world.command("manifest", "export", str(world.config_path), "--format", "srcset", *arguments)


def _srcset(world: World) -> dict[str, Any]:
    done = _export(world)
    assert done.returncode == 0, done.stderr
    exported: dict[str, Any] = json.loads(done.stdout)
    return exported


def test_every_member_is_made_from_one_decode_and_its_file_is_what_srcset_says(family: World) -> None:
    family.put("a/b c.jpg", encoded(quarters((320, 240)), "JPEG"))
    assert family.run().renditions == {"done": 10}
    hero = _srcset(family)["a/b c.jpg"]["families"]["hero"]
    assert [source["format"] for source in hero["sources"]] == ["avif", "webp", "jpeg"]
    for source in hero["sources"]:
        said = [part.split(" ") for part in source["srcset"].split(", ")]
        assert [width for _, width in said] == ["40w", "80w", "160w"]
        for (url, _), file in zip(said, source["files"], strict=True):
            content = (family.target / unquote(url)).read_bytes()
            image = Image.open(io.BytesIO(content))
            assert (image.width, image.height, len(content)) == (file["width"], file["height"], file["bytes"])
            assert image.format == source["format"].upper()
    assert "a/b c-hero-160.webp" in family.tree()


def test_a_small_picture_has_all_files_and_each_width_once(family: World) -> None:
    family.put("small.jpg", encoded(quarters((100, 50)), "JPEG"))
    family.run()
    picture = _srcset(family)["small.jpg"]
    assert [file["width"] for file in picture["families"]["hero"]["sources"][0]["files"]] == [40, 80, 100]
    assert sum("hero" in name for name in family.tree()) == 9


def test_alt_text_colour_hash_and_upright_size_are_told(family: World) -> None:
    turned = as_stored(quarters((64, 48)), 6)
    turned.paste((20, 60, 200), (0, 0, 48, 50))
    family.put("a.jpg", encoded(turned, "JPEG", exif=exif({0x0112: 6}), quality=95))
    (family.source / "a.jpg.yaml").write_text("alt: The sea\n")
    family.run()
    picture = _srcset(family)["a.jpg"]
    assert (picture["width"], picture["height"], picture["alt"]) == (64, 48, "The sea")
    assert len(base64.b64decode(picture["thumbhash"])) > 5
    red, green, blue = bytes.fromhex(picture["color"].removeprefix("#"))
    assert blue > 150 > red
    assert blue > 150 > green


@pytest.mark.usefixtures("settled")
def test_a_part_that_is_made_again_changes_nothing_of_what_is_told(family: World) -> None:
    for number in range(3):
        family.put(f"{number}.jpg", encoded(quarters((640, 480)), "JPEG", quality=80 + number))
    family.run()
    before = _srcset(family)
    (family.target / "1-thumb.jpg").unlink()
    (family.target / "2-hero-40.avif").unlink()
    assert family.run().renditions == {"done": 2}
    assert _srcset(family) == before


@pytest.mark.usefixtures("settled")
def test_placeholders_without_a_family_and_their_absence_where_nobody_wants_them(world: World) -> None:
    world.put("a.jpg")
    world.run()
    asked = "SELECT color FROM pictures"
    done = world.command("manifest", "query", "--json", str(world.config_path), asked)
    assert json.loads(done.stdout) == {"color": None}
    world.configure(world.text + "placeholder: true\n")
    world.put("a.jpg", encoded(quarters(), "JPEG"))
    world.put("b.jpg", encoded(quarters(), "JPEG"))
    assert world.run().reused == 1
    done = world.command("manifest", "query", "--json", str(world.config_path), asked)
    colours = [json.loads(line)["color"] for line in done.stdout.splitlines()]
    assert len(colours) == 2
    assert colours[0] == colours[1] is not None


def test_srcset_of_a_config_without_a_family_is_a_wrong_use(world: World) -> None:
    world.put("a.jpg")
    world.run()
    done = _export(world)
    assert done.returncode == 2
    assert "thumbs.yaml has no rendition with widths or formats" in done.stderr


def test_the_export_can_be_written_to_a_file(family: World) -> None:
    family.put("a.jpg")
    family.run()
    done = _export(family, "--output", str(family.root / "srcset.json"))
    assert (done.returncode, done.stdout) == (0, "")
    assert list(json.loads((family.root / "srcset.json").read_text())) == ["a.jpg"]
