"""What the manifest remembers: names byte for byte, the right verdict for every status, whose it is."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import ErrorKind, ExitStatus, ManifestTrouble, PictureError, UsageError
from pipeline.manifest import runs, soundness
from pipeline.manifest.claims import Claim
from pipeline.manifest.store import Manifest
from pipeline.model.record import Record, Status
from pipeline.model.source import Stat
from tests.manifest.builders import OWNER, not_made, opened, record, rendition, start

HOSTILE = [
    "plain.jpg",
    "with space and 'quote\" ; DROP TABLE source; --.jpg",
    "new\nline.jpg",
    "escape\x1b[31m.jpg",
    "e\u0301.jpg",
    "\u00e9.jpg",
    os.fsdecode(b"latin1-\xe9.jpg"),
    os.fsdecode(b"\xff\xfe\x80"),
    "x" * 255,
    "%s{source}%41.jpg",
    "\u202egpj.exe",
    "emoji-\U0001f600.jpg",
    "-rf",
    "=1+1.jpg",
]


def test_hostile_names_come_back_byte_for_byte(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        for name in HOSTILE:
            manifest.add(record(name))
            manifest.add(record(f"{name}/{name}"))
        manifest.flush()
        in_root = manifest.known_sources("")
        wanted = sorted(HOSTILE, key=os.fsencode)
        assert list(in_root) == wanted
        assert list(manifest.folders()) == ["", *wanted]
        for name in HOSTILE:
            (known,) = manifest.known_sources(name).values()
            assert known.source == f"{name}/{name}"
            assert known.renditions["thumb"].target == f"{name}/{name}-thumb.jpg"


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a/b.jpg", rendition("a/b.jpg", "large"), rendition("a/b.jpg", "small", made=b"")))
        manifest.flush()
        (known,) = manifest.known_sources("a").values()
    assert (known.stat, known.settled, known.status, known.error) == (Stat(7, 5, 6), True, Status.DONE, None)
    assert known.sha256 == hashlib.sha256(b"content").digest()
    assert list(known.renditions) == ["large", "small"]
    small = known.renditions["small"]
    assert (small.status, small.error, small.recipe) == (Status.DONE, None, "r1")
    assert (small.size, small.mtime_ns, small.sha256) == (0, 17, hashlib.sha256(b"").digest())


@pytest.mark.parametrize(
    ("after", "through", "names"),
    [
        (None, None, ["B.jpg", "a.jpg", "b.jpg", "c.jpg"]),
        ("a.jpg", None, ["b.jpg", "c.jpg"]),
        (None, "a.jpg", ["B.jpg", "a.jpg"]),
        ("B.jpg", "b.jpg", ["a.jpg", "b.jpg"]),
        ("a", "a.jpg", ["a.jpg"]),
        ("z", None, []),
    ],
)
@pytest.mark.parametrize("folder", ["", "a", "a-b"])
def test_known_gives_the_named_part_of_one_folder_only(
    tmp_path: Path, folder: str, after: str | None, through: str | None, names: list[str]
) -> None:
    with opened(tmp_path) as manifest:
        for parent in ("", "a/", "a-b/", "a/b/"):
            for name in ("c.jpg", "a.jpg", "b.jpg", "B.jpg"):
                manifest.add(record(parent + name))
        manifest.flush()
        assert list(manifest.folders()) == ["", "a", "a-b", "a/b"]
        prefix = f"{folder}/" if folder else ""
        assert list(manifest.known_sources(folder, after, through)) == [prefix + name for name in names]


def test_rows_are_what_is_known_and_say_where_it_is_all_there_is_to_say(tmp_path: Path) -> None:
    """The plan compares them in place of `known`: 1 where equal stats, targets and recipes are enough."""
    with_sidecar = replace(record("sidecar.jpg"), stat=Stat(7, 5, 6, sidecar=Stat(1, 2, 3)), content=b"both")
    plain = {"done.jpg": 1, "kept.jpg": 1, "unsettled.jpg": 0, "failed.jpg": 0, "touched.jpg": 0, "sidecar.jpg": 0}
    with opened(tmp_path) as manifest:
        manifest.add(record("done.jpg", rendition("done.jpg", "b"), rendition("done.jpg", "B")))
        manifest.add(
            replace(record("kept.jpg", replace(rendition("kept.jpg"), status=Status.KEPT)), status=Status.KEPT)
        )
        manifest.add(replace(record("unsettled.jpg"), settled=False))
        manifest.add(record("failed.jpg", not_made("failed.jpg")))
        manifest.add(record("touched.jpg"))
        manifest.add(Record("touched.jpg", Stat(7, 50, 60), Status.TOUCHED, settled=False))
        manifest.add(with_sidecar)
        manifest.add(record("earlier.jpg", rendition("earlier.jpg", "large"), rendition("earlier.jpg", "small")))
        manifest.add(record("earlier.jpg", rendition("earlier.jpg", "small"), content=b"new content"))
        manifest.add(Record("notes.txt", Stat(1, 2, 3), Status.UNSUPPORTED))
        manifest.flush()
        rows, known = manifest.rows(""), manifest.known_sources("")
        assert manifest.rows("", "failed.jpg", "kept.jpg") == [row for row in rows if row[0] == b"kept.jpg"]
        assert manifest.rows("elsewhere") == []
    assert {row[0].decode(): row[9] for row in rows if row[0].decode() in plain} == plain
    assert [set(map(type, row[4:9])) for row in rows if row[0] == b"notes.txt"] == [{type(None)}]
    assert [(row[4], row[9]) for row in rows if row[0] == b"earlier.jpg"] == [("large", 0), ("small", 1)]
    assert [row[4] for row in rows if row[0] == b"done.jpg"] == ["B", "b"]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    for path, size, mtime_ns, ctime_ns, name, target, recipe, made_size, made, _ in rows:
        source = known[path.decode()]
        assert (source.stat.size, source.stat.mtime_ns, source.stat.ctime_ns) == (size, mtime_ns, ctime_ns)
        if name is not None:
            file = source.renditions[name]
            assert (file.target.encode(), file.size, file.mtime_ns) == (target, made_size, made)
            assert file.recipe in (recipe, "")


@pytest.mark.parametrize("status", [Status.TOUCHED, Status.UNCHANGED])
def test_a_source_with_the_same_content_gets_its_new_stat_and_keeps_its_verdict(tmp_path: Path, status: Status) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg", not_made("a.jpg")))
        manifest.add(Record("a.jpg", Stat(7, 50, 60), status, settled=False))
        manifest.flush()
        known = manifest.known_sources("")["a.jpg"]
    assert (known.stat, known.settled, known.status) == (Stat(7, 50, 60), False, Status.FAILED)
    assert known.sha256 == hashlib.sha256(b"content").digest()
    assert known.renditions["thumb"].error is ErrorKind.TRUNCATED


@pytest.mark.parametrize("status", [Status.VANISHED, Status.DEFERRED, Status.PENDING])
def test_a_source_that_was_not_judged_changes_nothing(tmp_path: Path, status: Status) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg"))
        manifest.flush()
        before = manifest.known_sources("")
        manifest.add(Record("a.jpg", Stat(9, 9, 9), status, (not_made("a.jpg"),)))
        manifest.add(Record("b.jpg", Stat(9, 9, 9), status))
        manifest.flush()
        assert manifest.known_sources("") == before


def test_a_source_without_renditions_is_remembered_by_its_stat(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(Record("notes.txt", Stat(1, 2, 3), Status.UNSUPPORTED))
        error = PictureError(ErrorKind.UNREADABLE, "permission denied")
        manifest.add(Record("b.jpg", Stat(1, 2, 3), Status.FAILED, (), error))
        manifest.flush()
        known = manifest.known_sources("")
        assert (known["notes.txt"].status, known["notes.txt"].renditions) == (Status.UNSUPPORTED, {})
        assert known["b.jpg"].error is ErrorKind.UNREADABLE
        manifest.forget(["notes.txt"])
        assert list(manifest.known_sources("")) == ["b.jpg"]


def test_a_failed_rendition_keeps_what_is_known_of_the_earlier_file_at_its_path(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg"))
        manifest.add(record("a.jpg", not_made("a.jpg")))
        manifest.flush()
        failed = manifest.known_sources("")["a.jpg"].renditions["thumb"]
    assert (failed.status, failed.error) == (Status.FAILED, ErrorKind.TRUNCATED)
    assert (failed.size, failed.sha256) == (4, hashlib.sha256(b"made").digest())


def test_renditions_that_a_record_does_not_name_keep_their_rows(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg", rendition("a.jpg", "large"), rendition("a.jpg", "small")))
        manifest.add(record("a.jpg", rendition("a.jpg", "small", recipe="r2")))
        manifest.flush()
        recipes = {name: known.recipe for name, known in manifest.known_sources("")["a.jpg"].renditions.items()}
        assert recipes == {"large": "r1", "small": "r2"}
        manifest.forget_renditions([("a.jpg", "large")])
        assert list(manifest.known_sources("")["a.jpg"].renditions) == ["small"]


def test_a_rendition_made_from_earlier_content_is_known_without_its_recipe(tmp_path: Path) -> None:
    """Its spec was out of the config when the source changed; put back, it must not pass for unchanged."""
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg", rendition("a.jpg", "large"), rendition("a.jpg", "small")))
        manifest.add(record("a.jpg", rendition("a.jpg", "small"), content=b"new content"))
        manifest.flush()
        recipes = {name: known.recipe for name, known in manifest.known_sources("")["a.jpg"].renditions.items()}
    assert recipes == {"large": "", "small": "r1"}


def test_times_beyond_64_bits_do_not_stop_a_run(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        for name, time in (("1960.jpg", -(10**9) * 315_000_000), ("2446.jpg", 10**9 * 15_032_385_535)):
            manifest.add(record(name, mtime=time))
        manifest.flush()
        known = manifest.known_sources("")
    assert known["1960.jpg"].stat.mtime_ns == -(10**9) * 315_000_000
    assert known["2446.jpg"].stat.mtime_ns == 2**63 - 1


# -- whose it is


def test_another_config_is_told_whose_the_manifest_is_and_what_to_do(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "manifest.sqlite"
    with pytest.raises(UsageError) as caught:
        Manifest.open(path, owner="/elsewhere/other.yaml")
    assert caught.value.status is ExitStatus.USAGE
    assert str(caught.value) == (
        f"{path} belongs to the config {OWNER}, not to /elsewhere/other.yaml: give each config a target of its own, "
        "or, if the config was moved or renamed, run once with --adopt (the records are taken over, and what this "
        "config asks for in another way is made anew)"
    )
    Manifest.open(path, owner="/elsewhere/other.yaml", adopt=True).close()
    Manifest.open(path, owner="/elsewhere/other.yaml").close()
    with Manifest.reader_at(path) as reader:
        assert reader.owner() == "/elsewhere/other.yaml"
    with pytest.raises(UsageError):
        opened(tmp_path)


def test_nobody_else_can_read_what_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "target" / ".pipeline" / "manifest.sqlite"
    with Manifest.open(path, owner=OWNER) as manifest:
        manifest.add(record("a.jpg"))
        manifest.flush()
        manifest.backup()
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert set(modes) == {f"manifest.sqlite{suffix}" for suffix in ("", "-wal", "-shm", ".backup")}


def test_a_reader_sees_what_is_committed_while_a_run_writes(tmp_path: Path) -> None:
    with opened(tmp_path) as manifest:
        manifest.add(record("a.jpg"))
        manifest.flush()
        manifest.add(record("b.jpg"))
        with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
            assert list(reader.known_sources("")) == ["a.jpg"]
            manifest.flush()
            assert list(reader.known_sources("")) == ["a.jpg", "b.jpg"]
            assert reader.totals().renditions == {"done": 2}


def test_files_with_holes_as_large_as_the_kernel_counts_are_no_damage(tmp_path: Path) -> None:
    largest = Stat(2**63 - 1, 5, 5)
    with opened(tmp_path) as manifest:
        manifest.add(*(replace(record(name, not_made(name)), stat=largest) for name in ("a.jpg", "b.jpg")))
        manifest.flush()
        with Manifest.reader_at(tmp_path / "manifest.sqlite") as reader:
            assert reader.totals().source_bytes >= largest.size
            assert soundness.flaw(reader.connection) == ""


def test_only_the_last_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.begin, "__defaults__", (3,))
    with opened(tmp_path) as manifest:
        for number in range(5):
            manifest.begin_run(start(f"run-{number}"))
        assert [run.run for run in manifest.runs()] == ["run-4", "run-3", "run-2"]


def test_a_closed_manifest_says_so(tmp_path: Path) -> None:
    manifest = opened(tmp_path)
    manifest.close()
    with pytest.raises(ManifestTrouble):
        manifest.claim([Claim("a", "b", "c")])
