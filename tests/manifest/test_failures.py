"""A failure is known once a run has reported of it, and for as long as nothing that it depends on has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.claims import Claim
from pipeline.manifest.store import Manifest
from pipeline.model.record import Reason, Record, Status
from pipeline.model.source import Stat
from tests.manifest.builders import not_made, opened, record, rendition, start


def _fail(manifest: Manifest, *records: Record, run: str = "run-1", key: str = "key", reported: bool = True) -> None:
    manifest.begin_run(start(run), lambda: key)
    for added in records:
        manifest.add(added)
    manifest.end_run(1, {}, reported=reported)


def _collision() -> Record:
    return Record("a.jpg", Stat(1, 2, 3), Status.FAILED, error=PictureError(ErrorKind.COLLISION, "a and b"))


def test_a_failure_is_known_when_its_run_has_told_and_not_before(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.begin_run(start(), lambda: "key")
        manifest.add(record("a.jpg", not_made("a.jpg")))
        manifest.flush()
        assert [failure.reported for failure in manifest.failures.everything()] == [None]
        manifest.end_run(3, {}, reported=False)
        assert [failure.reported for failure in manifest.failures.everything()] == [None]
        _fail(manifest, run="run-2")
        (failure,) = manifest.failures.everything()
        assert failure.reported == 2
        assert (failure.source, failure.rendition, failure.kind) == ("a.jpg", "thumb", ErrorKind.TRUNCATED)
        assert failure.stands("r1", "key")
        assert not failure.stands("r2", "key")
        assert not failure.stands("r1", "another key")


@pytest.mark.parametrize(
    ("again", "key", "stays"),
    [
        (record("a.jpg", not_made("a.jpg")), "key", True),
        (record("a.jpg", not_made("a.jpg"), mtime=77), "key", True),
        (record("a.jpg", not_made("a.jpg"), content=b"other"), "key", False),
        (record("a.jpg", not_made("a.jpg", kind=ErrorKind.DAMAGED)), "key", False),
        (record("a.jpg", not_made("a.jpg")), "other", False),
    ],
    ids=["the same", "touched", "other content", "another error", "other limits"],
)
def test_it_stays_known_while_nothing_has_changed(tmp_path: Path, again: Record, key: str, stays: bool) -> None:
    with opened(tmp_path) as manifest:
        _fail(manifest, record("a.jpg", not_made("a.jpg")))
        (before,) = manifest.failures.everything()
        _fail(manifest, again, run="run-2", key=key, reported=False)
        (after,) = manifest.failures.everything()
        assert (after.reported, after.since) == ((1, before.since) if stays else (None, after.since))


def test_what_is_judged_anew_by_every_run_stays_known_by_its_error(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        _fail(manifest, _collision())
        _fail(manifest, _collision(), run="run-2", key="other", reported=False)
        (failure,) = manifest.failures.everything()
        assert failure.reported == 1
        assert not failure.stands("", "other")


def test_a_picture_that_is_made_or_forgotten_has_no_failures(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        failed = [record(name, not_made(name, "x"), not_made(name, "y")) for name in ("a.jpg", "b.jpg", "c.jpg")]
        _fail(manifest, *failed)
        manifest.add(record("a.jpg"))
        manifest.add(record("b.jpg", rendition("b.jpg", "x"), not_made("b.jpg", "y")))
        manifest.flush()
        manifest.forget(["c.jpg"])
        assert [(failure.source, failure.rendition) for failure in manifest.failures.everything()] == [("b.jpg", "y")]


def test_a_failure_that_was_not_tried_again_is_left_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        _fail(manifest, record("a.jpg", not_made("a.jpg", "x")))
        known = replace(not_made("a.jpg", "x"), reason=Reason.KNOWN_FAILURE)
        _fail(manifest, record("a.jpg", rendition("a.jpg", "y"), known, content=b"z"), run="run-2", reported=False)
        assert [(failure.rendition, failure.reported) for failure in manifest.failures.everything()] == [("x", 1)]


def test_orphans_are_seen_by_runs_that_came_to_their_end(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        number = manifest.begin_run(start())
        manifest.orphans.note(["x.jpg", "y\udcff.jpg"], number)
        assert manifest.orphans.seen() == set()
        manifest.end_run(0, {})
        assert manifest.orphans.seen() == {"x.jpg", "y\udcff.jpg"}
        number = manifest.begin_run(start("run-2"))
        manifest.orphans.note(["x.jpg", "new.jpg"], number)
        assert manifest.orphans.seen() == {"x.jpg"}


def test_a_claim_that_no_rendition_speaks_of_is_stale(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.begin_run(start())
        for name in ("a.jpg", "b.jpg"):
            manifest.add(record(name))
        manifest.claim([Claim("never-written.jpg", "c.jpg", "thumb")])
        manifest.flush()
        assert manifest.orphans.stale() == []
        manifest.forget(["a.jpg"])
        (stale,) = manifest.orphans.stale()
        assert (stale.target, stale.size, stale.current) == ("a.jpg-thumb.jpg", 4, False)
        assert manifest.orphans.files() == 2
