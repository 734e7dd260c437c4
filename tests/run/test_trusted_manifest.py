"""A manifest that somebody else could have written is believed only where the config says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import ManifestTrouble
from pipeline.plan.options import PlanOptions
from pipeline.run.preview import planned
from pipeline.run.prune import look
from tests.world import World

Spoil = Callable[[Path], None]
OTHER = 12345  # the number of another user, and of a group


def _writable_by_all(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o002)


def _writable_by_group(path: Path) -> None:
    os.chown(path, -1, OTHER)
    path.chmod(path.stat().st_mode | 0o020)


def _of_somebody_else(path: Path) -> None:
    os.chown(path, OTHER, -1)


SPOILS = [_writable_by_all, _writable_by_group, _of_somebody_else]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone may give files away")


@needs_root
@pytest.mark.parametrize("which", ["folder", "file"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_no_command_believes_a_manifest_that_others_could_have_written_unless_it_is_shared(
    world: World, spoil: Spoil, which: str
) -> None:
    world.fill(2)
    world.run()
    manifest = world.config.manifest
    place = manifest.parent if which == "folder" else manifest
    spoil(place)
    for command in (world.run, lambda: look(world.config), lambda: planned(world.config, PlanOptions()).__enter__()):
        with pytest.raises(ManifestTrouble) as caught:
            command()
        said = str(caught.value)
        assert said.startswith(f"{place} ")
        assert "say `shared: true` in the config" in said
        assert "\n" not in said
    world.configure(world.text + "shared: true\n")
    assert world.run().pictures == {"unchanged": 2}


@needs_root
def test_a_link_of_somebody_else_to_a_manifest_is_not_followed(world: World) -> None:
    world.fill(1)
    world.run()
    folder = world.config.manifest.parent
    folder.rename(world.root / "elsewhere")
    folder.symlink_to(world.root / "elsewhere")
    assert world.run().pictures == {"unchanged": 1}
    os.chown(folder, OTHER, -1, follow_symlinks=False)
    with pytest.raises(ManifestTrouble, match="belongs to another user"):
        world.run()


def test_records_that_others_could_have_written_do_not_move_along(world: World) -> None:
    world.fill(1)
    text = world.text
    (world.root / "old").mkdir()
    world.configure(text + "manifest: old/m.sqlite\n")
    world.run()
    _writable_by_all(world.root / "old/m.sqlite")
    world.configure(text + "manifest: m.sqlite\n")
    summary = world.run()
    (warning,) = summary.warnings
    assert warning.startswith("the target holds 1 file that no manifest knows")
    assert summary.pictures == {"done": 1}
    assert (world.root / "old/m.sqlite").exists()


def test_a_group_can_write_what_it_shares(world: World) -> None:
    world.fill(1)
    folder = world.config.manifest.parent
    folder.mkdir(parents=True)
    folder.chmod(0o2770)
    world.configure(world.text + "shared: true\n")
    mask = os.umask(0o002)
    try:
        world.run()
    finally:
        os.umask(mask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert set(modes.values()) == {0o660}, modes
