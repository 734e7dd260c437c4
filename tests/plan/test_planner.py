from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config.settings import OnCollision
from pipeline.errors import ErrorKind, PictureError, SourceTrouble
from pipeline.manifest.claims import Claim
from pipeline.manifest.store import Manifest
from pipeline.model.job import Job
from pipeline.model.only import Only
from pipeline.model.record import KnownRendition, KnownSource, Reason, Record, RenditionRecord, Status, Written
from pipeline.model.source import Stat
from pipeline.model.spec import Spec
from pipeline.plan import glance, survey
from pipeline.plan.counts import Counts
from pipeline.plan.memory import Memory
from pipeline.plan.naming import Naming
from pipeline.plan.planner import Planner
from pipeline.plan.survey import Survey
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Folder

from .builders import JPEG, LARGE, THUMB, FakeMemory, House, reported


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def two(tmp_path: Path) -> House:
    return House(tmp_path, THUMB, LARGE)


def done(planner: Planner) -> Planner:
    for _ in planner.decisions():
        pass
    assert planner.complete
    return planner


# -- reasons


def test_everything_is_new_at_first_and_in_the_order_of_folders_and_names(house: House) -> None:
    house.put("b.jpg", "a/z.jpg", "C.jpg", "a b/x.jpg", b"\xff\n.jpg")
    assert list(house.plan()) == ["C.jpg", "b.jpg", "\udcff\n.jpg", "a/z.jpg", "a b/x.jpg"]
    assert set(map(str, house.plan().values())) == {str({"thumb": Reason.NEW})}


def test_nothing_is_planned_or_opened_where_nothing_has_changed(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    two.put("a.jpg", "d/b.jpg", "d/c.xmp")
    two.make("a.jpg", "d/b.jpg")
    two.memory.sources["d/c.xmp"] = unsupported(two, "d/c.xmp")
    monkeypatch.setattr(LocalSource, "sniff", None)
    planner = two.planner()
    assert list(planner.decisions()) == []
    assert planner.counts == Counts(
        entries=4, sources=3, seen=3, unchanged=2, unsupported=1, reasons=planner.counts.reasons
    )
    assert planner.counts.reasons == {Reason.UNCHANGED: 4}
    assert (planner.orphans, planner.gone) == ([], [])


def unsupported(house: House, source: str) -> KnownSource:
    folder, _, name = source.rpartition("/")
    (stat,) = LocalSource(house.source_settings).stats(folder, [name])
    assert stat is not None
    return KnownSource(source, stat, None, True, Status.UNSUPPORTED, None, {})


def test_a_changed_stat_plans_all_renditions_with_the_hash_to_compare(two: House) -> None:
    two.put("a.jpg")
    two.make("a.jpg")
    os.utime(two.source / "a.jpg", ns=(0, 1))
    (job,) = two.planner().decisions()
    assert isinstance(job, Job)
    assert [(planned.reason, planned.ours) for planned in job.planned] == [(Reason.SOURCE_CHANGED, True)] * 2
    assert job.known_sha256 == b"hash of source"


def test_an_unsettled_source_is_hashed_once_more(house: House) -> None:
    house.put("a.jpg")
    house.make("a.jpg", settled=False)
    (job,) = house.planner().decisions()
    assert isinstance(job, Job)
    assert ([planned.reason for planned in job.planned], job.known_sha256) == (
        [Reason.SOURCE_CHANGED],
        b"hash of source",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.unlink(), Reason.MISSING),
        (lambda path: path.write_bytes(b"made or not"), Reason.DAMAGED),
        (lambda path: os.utime(path, ns=(0, 5)), Reason.DAMAGED),
    ],
)
def test_only_the_rendition_that_needs_it_is_planned(two: House, change: object, reason: Reason) -> None:
    two.put("a.jpg", "b.jpg")
    two.make("a.jpg", "b.jpg")
    change(two.target / "a-large.jpg")  # type: ignore[operator]
    assert two.plan() == {"a.jpg": {"large": reason}}


def test_a_changed_recipe_and_a_new_rendition_are_planned_alone(two: House) -> None:
    two.put("a.jpg")
    two.make("a.jpg")
    two.specs = (THUMB, replace(LARGE, quality=50), Spec("square", 100, 100))
    assert two.plan() == {"a.jpg": {"large": Reason.RECIPE_CHANGED, "square": Reason.NEW}}


def test_a_failed_source_is_tried_again(house: House) -> None:
    house.put("a.jpg")
    house.make("a.jpg")
    house.memory.sources["a.jpg"] = replace(
        house.memory.sources["a.jpg"], status=Status.FAILED, error=ErrorKind.TRUNCATED
    )
    assert house.plan() == {"a.jpg": {"thumb": Reason.RETRY}}


def test_force_plans_everything_even_what_was_no_picture(house: House) -> None:
    house.put("a.jpg", "b.txt")
    house.make("a.jpg")
    house.memory.sources["b.txt"] = unsupported(house, "b.txt")
    assert house.plan(force=True) == {"a.jpg": {"thumb": Reason.FORCED}, "b.txt": {"thumb": Reason.FORCED}}
    (job, _) = house.planner(force=True).decisions()
    assert isinstance(job, Job)
    assert job.known_sha256 is None


def test_a_file_that_was_no_picture_is_looked_at_again_once_it_changes(house: House) -> None:
    house.put("b.txt")
    house.memory.sources["b.txt"] = unsupported(house, "b.txt")
    assert house.plan() == {}
    house.put("b.txt", content=JPEG)
    os.utime(house.source / "b.txt", ns=(0, 5))
    assert house.plan() == {"b.txt": {"thumb": Reason.NEW}}


# -- whose files


def test_a_file_at_an_unclaimed_path_is_refused_without_reading(house: House) -> None:
    house.put("a.jpg")
    (house.target / "a-thumb.jpg").write_bytes(b"mine")
    (record,) = house.planner().decisions()
    assert isinstance(record, Record)
    assert record.status is Status.FAILED
    assert [rendition.error and rendition.error.kind for rendition in record.renditions] == [ErrorKind.NOT_OURS]


def test_the_other_renditions_of_a_refused_one_are_made(two: House) -> None:
    two.put("a.jpg")
    (two.target / "a-thumb.jpg").write_bytes(b"mine")
    (job,) = two.planner().decisions()
    assert isinstance(job, Job)
    assert [planned.spec.name for planned in job.planned] == ["large"]
    assert [(rendition.name, rendition.status) for rendition in job.refused] == [("thumb", Status.FAILED)]


def test_a_touched_source_with_a_refused_rendition_still_makes_a_record(two: House) -> None:
    two.put("a.jpg")
    two.make("a.jpg")
    os.utime(two.source / "a.jpg", ns=(0, 1))
    two.specs = (*two.specs, Spec("square"))
    (two.target / "a-square.jpg").write_bytes(b"mine")
    (job,) = two.planner().decisions()
    assert isinstance(job, Job)
    assert (len(job.planned), len(job.refused), job.known_sha256) == (2, 1, None)


def test_a_new_rendition_of_a_touched_source_is_the_only_one_to_be_made(two: House) -> None:
    two.put("a.jpg")
    two.make("a.jpg")
    os.utime(two.source / "a.jpg", ns=(0, 1))
    two.specs = (*two.specs, Spec("square", 100, 100))
    (job,) = two.planner().decisions()
    assert isinstance(job, Job)
    assert [planned.reason for planned in job.planned] == [Reason.SOURCE_CHANGED, Reason.SOURCE_CHANGED, Reason.NEW]
    assert job.known_sha256 == b"hash of source"


def test_the_target_inside_the_source_is_not_planned(house: House) -> None:
    house.target_settings = replace(house.target_settings, path=house.source / "thumbs")
    house.target = house.source / "thumbs"
    house.put("a.jpg", "thumbs/b-thumb.jpg")
    assert list(house.plan()) == ["a.jpg"]


def test_a_refusal_keeps_what_is_known_of_the_source(two: House) -> None:
    two.put("a.jpg")
    two.make("a.jpg")
    two.specs = (*two.specs, Spec("square", 100, 100))
    (two.target / "a-square.jpg").write_bytes(b"mine")
    (record,) = two.planner().decisions()
    assert isinstance(record, Record)
    assert (record.sha256, [rendition.name for rendition in record.renditions]) == (b"hash of source", ["square"])


def test_an_adopted_file_is_planned_but_not_ours(house: House) -> None:
    house.put("a.jpg")
    (house.target / "a-thumb.jpg").write_bytes(b"mine")
    (job,) = house.planner(adopt=True).decisions()
    assert isinstance(job, Job)
    assert [(planned.reason, planned.ours) for planned in job.planned] == [(Reason.NEW, False)]


def test_a_claimed_file_without_a_record_is_ours(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    (house.target / "a-thumb.jpg").write_bytes(b"written, and killed before the record")
    house.memory.claims = {"a-thumb.jpg", "b-thumb.jpg"}
    jobs = list(house.planner().decisions())
    assert [planned.ours for job in jobs if isinstance(job, Job) for planned in job.planned] == [True, False]


# -- collisions


def test_colliding_sources_fail_before_either_is_rendered_and_the_rest_goes_on(house: House) -> None:
    house.put("a.jpg", "a.png", "b.jpg", "sub/A.jpg", "sub/a.jpg")
    expected = {
        "a.jpg": "failed: collision",
        "a.png": "failed: collision",
        "b.jpg": {"thumb": Reason.NEW},
        "sub/A.jpg": "failed: collision",
        "sub/a.jpg": "failed: collision",
    }
    assert house.plan() == expected
    assert house.plan(only=("/a.jpg",)) == {"a.jpg": "failed: collision"}


def test_a_sidecar_does_not_collide_with_its_picture(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("a.jpg", "b.jpg")
    house.put("a.xmp", content=b"<x:xmpmeta")
    house.put("b.dat", content=JPEG)  # a picture by content
    reasons = {"thumb": Reason.NEW}
    assert house.plan() == {
        "a.jpg": reasons,
        "a.xmp": reasons,
        "b.dat": "failed: collision",
        "b.jpg": "failed: collision",
    }
    (house.source / "b.dat").unlink()
    house.memory.sources["a.xmp"] = unsupported(house, "a.xmp")
    monkeypatch.setattr(LocalSource, "sniff", None)  # remembered: not opened again
    assert house.plan() == {"a.jpg": reasons, "b.jpg": reasons}


def test_what_cannot_be_decoded_here_collides_with_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0heic" + bytes(40)
    house.put("a.jpg", "b.jpg", "c.jpg", "c.heic")
    house.put("a.heic", content=heic)
    house.put("b.jxl", content=b"\xff\x0a" + bytes(62))
    new = {"thumb": Reason.NEW}
    collision = "failed: collision"
    monkeypatch.setattr(survey, "not_decoded", lambda: frozenset({"jp2", "jxl", "heif"}))
    assert house.plan() == {
        "a.heic": new,
        "a.jpg": new,
        "b.jpg": new,
        "b.jxl": new,
        "c.heic": collision,  # it is a JPEG, whatever its name
        "c.jpg": collision,
    }
    monkeypatch.setattr(survey, "not_decoded", lambda: frozenset({"jp2", "jxl"}))  # with pillow-heif
    assert {source for source, what in house.plan().items() if what == collision} == {
        *("a.heic", "a.jpg", "c.heic", "c.jpg")
    }


def test_a_camera_raw_that_was_passed_over_is_a_picture_once_raws_are_taken(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.put("a.nef", "a.txt", content=b"II*\0\x08\0\0\0")
    for name in ("a.nef", "a.txt"):
        house.memory.sources[name] = unsupported(house, name)
    assert house.plan() == {}
    house.source_settings = replace(house.source_settings, only=Only(raw=True))
    assert house.plan() == {"a.nef": {"thumb": Reason.NEW}}


def test_kept_extensions_prevent_collisions(tmp_path: Path) -> None:
    house = House(tmp_path, on_collision=OnCollision.KEEP_EXTENSION)
    house.put("a.jpg", "a.png")
    (first, second) = house.planner().decisions()
    assert isinstance(first, Job)
    assert isinstance(second, Job)
    assert [first.planned[0].target, second.planned[0].target] == ["a.jpg-thumb.jpg", "a.png-thumb.jpg"]


# -- orphans


def test_targets_of_removed_sources_and_dropped_renditions_are_orphans(two: House) -> None:
    two.put("a.jpg", "d/b.jpg", "e/c.jpg", "e/f.jpg")
    two.make("a.jpg", "d/b.jpg", "e/c.jpg")
    (two.source / "d/b.jpg").unlink()
    (two.source / "d").rmdir()
    (two.source / "e/c.jpg").unlink()
    two.specs = (THUMB,)
    planner = done(two.planner())
    assert [(orphan.source, orphan.rendition, orphan.target, orphan.why) for orphan in planner.orphans] == [
        ("a.jpg", "large", "a-large.jpg", "rendition gone"),
        ("d/b.jpg", "large", "d/b-large.jpg", "source gone"),
        ("d/b.jpg", "thumb", "d/b-thumb.jpg", "source gone"),
        ("e/c.jpg", "large", "e/c-large.jpg", "source gone"),
        ("e/c.jpg", "thumb", "e/c-thumb.jpg", "source gone"),
    ]
    assert planner.counts.orphans == 5
    assert planner.gone == []


def test_a_new_name_template_orphans_the_old_names(house: House) -> None:
    house.put("a.jpg")
    house.make("a.jpg")
    house.target_settings = replace(house.target_settings, name="{stem}.{ext}")
    planner = house.planner()
    (job,) = planner.decisions()
    assert isinstance(job, Job)
    assert [(planned.target, planned.reason) for planned in job.planned] == [("a.jpg", Reason.NEW)]
    assert [(orphan.target, orphan.why) for orphan in planner.orphans] == [("a-thumb.jpg", "renamed")]


def test_a_target_taken_over_by_another_source_is_no_orphan(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg", "b.jpg")
    os.rename(house.source / "a.jpg", house.source / "a.png")
    os.rename(house.source / "b.jpg", house.source / "b.jpeg")
    (house.source / "b.jpeg").unlink()
    house.put("b.xmp", content=b"<x:xmpmeta")  # would have b's name, but makes nothing
    planner = house.planner()
    jobs = {job.source: job for job in planner.decisions() if isinstance(job, Job)}
    assert jobs["a.png"].planned[0].ours
    assert [orphan.target for orphan in planner.orphans] == ["b-thumb.jpg"]


def test_a_removed_source_that_left_no_files_can_be_forgotten(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg", "b.jpg")
    failed = KnownRendition("b-thumb.jpg", "r", Status.FAILED, ErrorKind.DAMAGED, None, None, None)
    house.memory.sources["b.jpg"] = replace(house.memory.sources["b.jpg"], renditions={"thumb": failed})
    (house.source / "b.jpg").unlink()
    planner = done(house.planner())
    assert (planner.orphans, planner.gone) == ([], ["b.jpg"])


def test_part_of_a_plan_counts_no_orphans_wrongly(house: House) -> None:
    house.put("a.jpg", "d/b.jpg", "d/c.jpg", "e/f.jpg")
    house.make("a.jpg", "d/b.jpg", "d/c.jpg")
    (house.source / "d/c.jpg").unlink()
    house.put("d/n.jpg")
    assert done(house.planner(only=("d/b.jpg",))).orphans == []
    assert [orphan.source for orphan in done(house.planner(only=("d/",))).orphans] == ["d/c.jpg"]
    planner = house.planner(limit=1)
    assert len(list(planner.decisions())) == 1
    assert not planner.complete
    assert [orphan.source for orphan in planner.orphans] == ["d/c.jpg"]
    assert list(house.planner(limit=0).decisions()) == []


def test_limit_and_only_choose_what_is_planned(house: House) -> None:
    house.put("a.jpg", "b.jpg", "d/c.jpg", "d/e.png")
    house.make("a.jpg")
    assert list(house.plan(limit=2)) == ["b.jpg", "d/c.jpg"]
    assert list(house.plan(only=("*.png", "b.*"))) == ["b.jpg", "d/e.png"]


def test_progress_is_known_while_the_plan_goes_on(house: House) -> None:
    house.put("a.jpg", "b.jpg", "c.jpg", "d.jpg", content=bytes(100))
    planner = house.planner()
    expected = []
    for _ in planner.decisions():
        expected.append((planner.counts.seen, planner.counts.jobs, planner.counts.bytes_expected))
    assert expected == [(1, 1, 400), (2, 2, 400), (3, 3, 400), (4, 4, 400)]


# -- hostile and missing


def test_what_is_no_file_is_recorded_once_with_its_reason(house: House) -> None:
    house.put("a.jpg")
    os.mkfifo(house.source / "x.jpg")
    planner = house.planner()
    records = [record for record in planner.decisions() if isinstance(record, Record)]
    assert [(record.source, record.status, record.warnings) for record in records] == [
        ("x.jpg", Status.SKIPPED, ("a FIFO",))
    ]
    house.memory.sources["x.jpg"] = KnownSource("x.jpg", records[0].stat, None, True, Status.SKIPPED, None, {})
    planner = house.planner()
    assert [decision.source for decision in planner.decisions()] == ["a.jpg"]
    assert planner.counts.skipped == {"a FIFO": 1}
    assert planner.gone == []
    (house.source / "x.jpg").unlink()
    (house.source / "x.jpg").symlink_to("nowhere")
    records = [record for record in house.planner().decisions() if isinstance(record, Record)]
    assert [record.warnings for record in records] == [("a symbolic link",)]


def test_what_goes_between_listing_and_looking_has_vanished(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.put("a.jpg")
    house.put("b.jpg")
    stats = LocalSource.stats

    def late(self: LocalSource, folder: str, names: Sequence[str], *rest: Any) -> list[Stat | None]:
        (house.source / "b.jpg").unlink(missing_ok=True)
        return stats(self, folder, names, *rest)

    monkeypatch.setattr(LocalSource, "stats", late)
    records = [record for record in house.planner().decisions() if isinstance(record, Record)]
    assert [(record.source, record.status) for record in records] == [("b.jpg", Status.VANISHED)]
    assert "since it was listed" in records[0].warnings[0]


def test_a_folder_that_cannot_be_listed_fails_and_makes_no_orphans(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put("a.jpg", "bad/b.jpg", "bad/deep/c.jpg", "bad2/d.jpg")
    house.make("a.jpg", "bad/b.jpg", "bad/deep/c.jpg", "bad2/d.jpg")
    real = LocalSource.folders
    error = PictureError(ErrorKind.UNREADABLE, "Permission denied")

    def folders(self: LocalSource, apart: Sequence[Path]) -> Iterator[Folder]:
        for folder in real(self, apart):
            if folder.path == "bad":
                yield Folder("bad", error=error)
            elif not folder.path.startswith("bad/"):
                yield folder

    monkeypatch.setattr(LocalSource, "folders", folders)
    planner = house.planner()
    (record,) = planner.decisions()
    assert isinstance(record, Record)
    assert (record.source, record.status, record.error) == ("bad", Status.FAILED, error)
    assert planner.orphans == []
    house.memory.sources["bad"] = KnownSource("bad", Stat(0, 0, 0), None, True, Status.FAILED, ErrorKind.UNREADABLE, {})
    assert done(house.planner()).gone == []
    monkeypatch.undo()
    planner = house.planner()
    assert list(planner.decisions()) == []
    assert (planner.orphans, planner.gone) == ([], ["bad"])


def test_a_source_that_vanishes_between_the_passes_makes_no_orphan(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg", "b.jpg")
    planner = house.planner()
    real = LocalSource.stats

    def stats(source: LocalSource, folder: str, names: list[str], sidecars: frozenset[str]) -> list[Stat | None]:
        (house.source / "b.jpg").unlink()
        return real(source, folder, names, sidecars)

    monkeypatch.setattr(LocalSource, "stats", stats)
    assert list(planner.decisions()) == []
    assert (planner.orphans, planner.gone) == ([], [])


def test_an_empty_source_is_trouble_where_pictures_are_known(house: House) -> None:
    assert house.plan() == {}
    house.put("a.jpg")
    house.make("a.jpg")
    (house.source / "a.jpg").unlink()
    (house.source / "lost+found").mkdir()
    with pytest.raises(SourceTrouble, match="holds no files, although the manifest knows pictures of it"):
        house.plan()


def test_a_missing_source_is_trouble(house: House) -> None:
    house.source.rmdir()
    with pytest.raises(SourceTrouble, match="does not exist"):
        house.plan()


def test_young_files_that_need_work_are_deferred(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    house.make("a.jpg")
    house.source_settings = replace(house.source_settings, settle=3600.0)
    assert house.plan() == {"b.jpg": "deferred"}
    house.source_settings = replace(house.source_settings, settle=0.0)
    assert house.plan() == {"b.jpg": {"thumb": Reason.NEW}}


def test_a_target_that_does_not_exist_yet_can_be_planned_for(house: House) -> None:
    house.put("a.jpg")
    house.target.rmdir()
    assert house.plan() == {"a.jpg": {"thumb": Reason.NEW}}
    assert not house.target.exists()


# -- size


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_chunks_of_any_size_make_the_same_plan(two: House, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(glance, "CHUNK", chunk)
    two.put("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "z/y.jpg")
    two.make("a.jpg", "b.jpg", "d.jpg", "e.jpg")
    for name in ("b.jpg", "e.jpg"):
        (two.source / name).unlink()
    (two.target / "d-thumb.jpg").unlink()
    planner = two.planner()
    assert [decision.source for decision in planner.decisions()] == ["c.jpg", "d.jpg", "z/y.jpg"]
    assert [orphan.source for orphan in planner.orphans] == ["b.jpg", "b.jpg", "e.jpg", "e.jpg"]
    assert planner.counts.unchanged == 1


class Wide:
    """A source with many names and no files."""

    def __init__(self, folders: int, files: int) -> None:
        self._folders, self._files = folders, files

    def folders(self, apart: Sequence[Path]) -> Iterator[Folder]:
        for number in range(self._folders):
            names = [f"DSC_{number:04}_{file:05}.JPG" for file in range(self._files)]
            yield Folder(f"2024/{number:04}", "\0".join(names).encode(), entries=self._files)


def test_a_million_names_would_cost_less_than_300_bytes_each(house: House) -> None:
    naming = Naming(house.target_settings, house.rules)
    tracemalloc.start()
    try:
        survey = Survey(Wide(20, 1000), (), FakeMemory(), naming, Counts())  # type: ignore[arg-type]
        used, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(survey.folders) == 20
    assert used / 20_000 < 60
    assert peak / 20_000 < 300


def test_the_first_job_comes_before_the_second_pass_is_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance, "CHUNK", 2)
    house.put(*(f"{number:02}.jpg" for number in range(10)))
    planner = house.planner()
    next(iter(planner.decisions()))
    assert planner.counts.seen == 1


# -- with the real manifest


def test_a_plan_from_the_manifest_of_a_run_that_made_everything_is_empty(two: House, tmp_path: Path) -> None:
    two.put("a.jpg", "d/b\udcff.jpg")
    two.make("a.jpg", "d/b\udcff.jpg")
    manifest = Manifest.open(tmp_path / "manifest.sqlite", owner="test")
    try:
        memory: Memory = manifest
        for known in two.memory.sources.values():
            manifest.claim(
                [Claim(rendition.target, known.source, name) for name, rendition in known.renditions.items()]
            )
            renditions = tuple(
                RenditionRecord(
                    name,
                    rendition.target,
                    rendition.recipe,
                    Status.DONE,
                    Reason.NEW,
                    written=Written(rendition.target, rendition.size or 0, rendition.mtime_ns or 0, b"hash"),
                )
                for name, rendition in known.renditions.items()
            )
            manifest.add(Record(known.source, known.stat, Status.DONE, renditions, sha256=b"hash"))
        manifest.flush()
        two.memory = memory  # type: ignore[assignment]
        planner = two.planner()
        assert list(planner.decisions()) == []
        assert planner.counts.unchanged == 2
        (two.target / "d/b\udcff-large.jpg").unlink()
        (two.source / "a.jpg").unlink()
        planner = two.planner()
        (job,) = planner.decisions()
        assert isinstance(job, Job)
        assert [(planned.target, planned.reason, planned.ours) for planned in job.planned] == [
            ("d/b\udcff-large.jpg", Reason.MISSING, True)
        ]
        assert [orphan.source for orphan in planner.orphans] == ["a.jpg", "a.jpg"]
    finally:
        manifest.close()


# -- a plan to be looked at


def test_a_plan_to_be_looked_at_counts_what_is_no_picture_apart(house: House) -> None:
    house.put("a.jpg", "picture without an extension")
    house.put("notes.txt", "gone.jpg.yaml", "broken.jpg", content=b"hello")
    planner = house.planner(look=True)
    assert list(reported(list(planner.decisions()))) == ["a.jpg", "broken.jpg", "picture without an extension"]
    assert (planner.counts.unsupported, planner.counts.reasons[Reason.NEW]) == (2, 3)


def test_a_plan_to_be_looked_at_says_what_a_sidecar_leaves_out(house: House) -> None:
    house.put("a.jpg", "b.jpg")
    house.put("b.jpg.yaml", content=b"skip: true")
    planner = house.planner(look=True)
    assert reported(list(planner.decisions())) == {"a.jpg": {"thumb": Reason.NEW}, "b.jpg": "skipped"}


def test_what_is_too_young_is_deferred_and_no_reason_is_counted_for_it(house: House) -> None:
    house.put("a.jpg", "notes.txt")
    house.source_settings = replace(house.source_settings, settle=3600)
    planner = house.planner(look=True)
    assert reported(list(planner.decisions())) == {"a.jpg": "deferred", "notes.txt": "deferred"}
    assert (planner.counts.jobs, planner.counts.unsupported, sum(planner.counts.reasons.values())) == (0, 0, 0)
