"""What is as it was is seen without looking closely; whatever differs in anything is looked at."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.store import Manifest
from pipeline.model.record import KnownRendition, KnownSource, Reason, Record, RenditionRecord, Status, Written
from pipeline.model.source import Stat
from pipeline.model.spec import Spec
from pipeline.plan import glance
from pipeline.sources.local import LocalSource

from .builders import LARGE, THUMB, House

NAMES = ["a.jpg", "b.jpg", "c \udcff\n.jpg", "d/e.jpg", "d/f.jpg"]
SPECS = (THUMB, LARGE, Spec("Zero", 10))  # in another order than their names' bytes


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path, *SPECS)
    made.put(*NAMES)
    made.make(*NAMES)
    return made


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are looked at closely, as they come."""
    names: list[str] = []
    closely = LocalSource.stats

    def stats(self: LocalSource, folder: str, of: list[str], sidecars: frozenset[str] = frozenset()) -> object:
        names.extend(f"{folder}/{name}" if folder else name for name in of)
        return closely(self, folder, of, sidecars)

    monkeypatch.setattr(LocalSource, "stats", stats)
    return names


def _stored(memory: Manifest, house: House) -> None:
    """Put what the house remembers into a real manifest."""
    for known in house.memory.sources.values():
        renditions = tuple(
            RenditionRecord(
                name,
                rendition.target,
                rendition.recipe,
                rendition.status,
                Reason.NEW,
                written=None
                if rendition.size is None
                else Written(rendition.target, rendition.size, rendition.mtime_ns or 0, b"hash"),
            )
            for name, rendition in known.renditions.items()
        )
        error = PictureError(known.error) if known.error else None
        memory.add(
            Record(
                known.source,
                known.stat,
                known.status,
                renditions,
                error,
                sha256=b"hash",
                settled=known.settled,
                content=known.content,
            )
        )
    memory.flush()


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_what_is_as_it_was_is_not_looked_at_closely(
    house: House, looked_at: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chunk: int
) -> None:
    monkeypatch.setattr(glance, "CHUNK", chunk)
    with Manifest.open(tmp_path / "manifest.sqlite", owner="test") as manifest:
        _stored(manifest, house)
        for memory in (house.memory, manifest):
            house.memory = memory  # type: ignore[assignment]
            planner = house.planner()
            assert list(planner.decisions()) == []
            assert (planner.counts.unchanged, planner.counts.seen) == (5, 5)
            assert planner.counts.reasons == {Reason.UNCHANGED: 15}
    assert looked_at == []


def _edit(house: House, **fields: object) -> None:
    house.memory.sources["b.jpg"] = replace(house.memory.sources["b.jpg"], **fields)  # type: ignore[arg-type]


def _edit_rendition(house: House, **fields: object) -> None:
    known = house.memory.sources["b.jpg"]
    edited = {**known.renditions, "large": replace(known.renditions["large"], **fields)}  # type: ignore[arg-type]
    _edit(house, renditions=edited)


def _stat(house: House) -> Stat:
    return house.memory.sources["b.jpg"].stat


def _another(known: KnownSource) -> dict[str, KnownRendition]:
    return {**known.renditions, "old": replace(known.renditions["large"], target="b-old.jpg")}


DIFFERENCES: list[Callable[[House], object]] = [
    lambda house: (house.source / "b.jpg").write_bytes(b"other"),
    lambda house: os.utime(house.source / "b.jpg", ns=(0, 1)),
    lambda house: (house.source / "b.jpg").unlink(),
    lambda house: (house.source / "b.jpg.yaml").write_text("skip: false"),
    lambda house: (house.target / "b-large.jpg").unlink(),
    lambda house: (house.target / "b-large.jpg").write_bytes(b"larger"),
    lambda house: os.utime(house.target / "b-large.jpg", ns=(0, 1)),
    lambda house: _edit(house, stat=replace(_stat(house), size=1)),
    lambda house: _edit(house, stat=replace(_stat(house), mtime_ns=1)),
    lambda house: _edit(house, stat=replace(_stat(house), ctime_ns=1)),
    lambda house: _edit(house, stat=replace(_stat(house), sidecar=Stat(1, 2, 3)), content=b"hash"),
    lambda house: _edit(house, settled=False),
    lambda house: _edit(house, status=Status.FAILED, error=ErrorKind.TRUNCATED),
    lambda house: _edit(house, status=Status.UNSUPPORTED, renditions={}),
    lambda house: _edit(house, renditions={}),
    lambda house: _edit(house, renditions=_another(house.memory.sources["b.jpg"])),
    lambda house: _edit_rendition(house, target="elsewhere.jpg"),
    lambda house: _edit_rendition(house, recipe="other"),
    lambda house: _edit_rendition(house, status=Status.FAILED, error=ErrorKind.NOT_ENCODABLE),
    lambda house: _edit_rendition(house, size=5),
    lambda house: _edit_rendition(house, mtime_ns=5),
    lambda house: _edit_rendition(house, size=None, mtime_ns=None),
    lambda house: house.memory.sources.pop("b.jpg"),
]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 1000])
@pytest.mark.parametrize("differ", DIFFERENCES)
def test_whatever_differs_is_looked_at_closely_and_nothing_else(
    house: House,
    looked_at: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    differ: Callable[[House], object],
    chunk: int,
    stored: bool,
) -> None:
    monkeypatch.setattr(glance, "CHUNK", chunk)
    differ(house)
    with Manifest.open(tmp_path / "manifest.sqlite", owner="test") as manifest:
        if stored:
            _stored(manifest, house)
            house.memory = manifest  # type: ignore[assignment]
        planner = house.planner()
        list(planner.decisions())
    there = (house.source / "b.jpg").exists()
    assert set(looked_at) == ({"b.jpg"} if there else set())  # twice where it was set aside
    assert planner.counts.unchanged >= 4
    assert planner.counts.seen == planner.counts.sources == 4 + there
    assert there or len(planner.orphans) == 3
