from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from pipeline.manifest.store import Manifest
from pipeline.model.spec import Private
from pipeline.report.page import place, write
from pipeline.report.privacy import Privacy, read_again
from tests.world import World

KEEP = """
source: photos
target: out
renditions:
  thumb: {width: 32, height: 32}
  full: {width: 48, metadata: keep, private: [gps, serials]}
"""


def with_position(serial: str = "") -> bytes:
    """A JPEG that says where it was taken, and perhaps by which camera."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 0.0)
    if serial:
        exif.get_ifd(0x8769)[0xA431] = serial
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 200, 30)).save(out, "JPEG", exif=exif)
    return out.getvalue()


def read(world: World, most: int | None = None) -> Privacy:
    with Manifest.reader(world.config) as reader:
        return read_again(world.config, reader, most)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, KEEP)
    world.put("here.jpg", with_position("4711"))
    world.put("there.jpg", with_position())
    world.put("plain.jpg")
    world.run()
    return world


def test_what_targets_hold_is_read_from_the_files(world: World) -> None:
    privacy = read(world)
    assert (privacy.there, privacy.files, privacy.unread, privacy.holding) == (6, 6, 0, 2)
    assert privacy.kinds == {Private.GPS: 2, Private.SERIALS: 1}
    (world.target / "plain-thumb.jpg").write_bytes(with_position())  # the manifest does not know
    assert read(world).kinds[Private.GPS] == 3
    write(world.config, place(world.config))
    text = " ".join(place(world.config).read_text().split())
    assert "3 of 6 targets hold private metadata: GPS positions in 3, serial numbers in 1." in text


def test_files_that_are_gone_or_no_pictures_any_more_are_counted(world: World) -> None:
    (world.target / "here-thumb.jpg").unlink()
    (world.target / "plain-thumb.jpg").write_bytes(b"\xff\xd8\xff not much of a JPEG")
    (world.target / "there-full.jpg").unlink()
    (world.target / "there-full.jpg").symlink_to("/etc/passwd")
    privacy = read(world)
    assert (privacy.files, privacy.unread, privacy.holding) == (3, 3, 1)


def test_only_so_many_are_read_as_asked_for(world: World) -> None:
    privacy = read(world, 2)
    assert (privacy.there, privacy.files) == (6, 2)


def test_a_target_without_files_needs_no_child(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put("broken.jpg", b"no picture")
    world.run()
    assert read(world) == Privacy(0)
