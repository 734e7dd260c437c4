"""That all claims have their records is remembered, until any of them changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.manifest import opening
from pipeline.manifest.claims import Claim
from pipeline.manifest.store import Manifest
from pipeline.model.record import Record, Status
from pipeline.model.source import Stat
from tests.manifest.builders import OWNER, opened, record, rendition, start


@contextlib.contextmanager
def traced(folder: Path) -> Iterator[tuple[Manifest, Callable[[], bool]]]:
    """A manifest, and whether its `stale` goes through all claims when it is asked now."""
    connection, _ = opening.open_for_run(folder / "manifest.sqlite", OWNER, adopt=False)
    with Manifest(folder / "manifest.sqlite", connection) as manifest:

        def goes_through_all() -> bool:
            statements: list[str] = []
            connection.set_trace_callback(statements.append)
            manifest.orphans.stale()
            connection.set_trace_callback(None)
            return any("FROM claim" in statement for statement in statements)

        yield manifest, goes_through_all


def _made_under_another_name(manifest: Manifest) -> None:
    manifest.claim([Claim("new.jpg", "a.jpg", "thumb")])
    manifest.add(record("a.jpg", rendition("a.jpg", recipe="r2")))


CHANGES: list[Callable[[Manifest], object]] = [
    lambda manifest: manifest.add(record("c.jpg")),
    _made_under_another_name,
    lambda manifest: manifest.claim([Claim("x.jpg", "x.png", "thumb")]),
    lambda manifest: manifest.release(["a.jpg-thumb.jpg"]),
    lambda manifest: manifest.forget(["a.jpg"]),
    lambda manifest: manifest.forget_renditions([("a.jpg", "thumb")]),
]
NO_CHANGES: list[Callable[[Manifest], object]] = [
    lambda manifest: manifest.forget([]),
    lambda manifest: manifest.begin_run(start("run-2")),
    lambda manifest: manifest.end_run(0, {}),
    lambda manifest: manifest.orphans.note([], 1),
    lambda manifest: manifest.add(Record("c.jpg", Stat(1, 2, 3), Status.KNOWN_FAILURE)),
    lambda manifest: manifest.add(Record("c.jpg", Stat(1, 2, 3), Status.DEFERRED)),
]


@pytest.mark.parametrize(
    ("change", "again"), [*((call, True) for call in CHANGES), *((call, False) for call in NO_CHANGES)]
)
def test_claims_are_gone_through_again_when_something_has_changed(
    tmp_path: Path, change: Callable[[Manifest], object], again: bool
) -> None:
    with traced(tmp_path) as (manifest, goes_through_all):
        manifest.begin_run(start())
        for name in ("a.jpg", "b.jpg"):
            manifest.add(record(name))
        manifest.flush()
        assert goes_through_all()
        assert not goes_through_all()
    with traced(tmp_path) as (manifest, goes_through_all):
        manifest.backup()
        change(manifest)
        manifest.flush()
        assert manifest.changed is again
        assert goes_through_all() is again


def test_stale_claims_are_found_each_time_and_by_those_who_only_look(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg"))
        manifest.flush()
        assert manifest.orphans.stale() == []
        manifest.forget(["a.jpg"])
        for _ in range(2):
            assert [file.target for file in manifest.orphans.stale()] == ["a.jpg-thumb.jpg"]
        with Manifest.reader_at(manifest.path) as reader:
            assert [file.target for file in reader.orphans.stale()] == ["a.jpg-thumb.jpg"]
        manifest.release(["a.jpg-thumb.jpg"])
        with Manifest.reader_at(manifest.path) as reader:
            assert reader.orphans.stale() == []
