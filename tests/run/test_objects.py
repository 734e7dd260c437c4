"""Whole runs whose pictures are in object storage."""

from __future__ import annotations

import html
import json
import uuid
import zipfile
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from pipeline.config.settings import StoreSettings
from pipeline.doctor import places
from pipeline.errors import ExitStatus, PictureError, SourceTrouble, TargetTrouble
from pipeline.model.record import Written
from pipeline.report import page
from pipeline.report.privacy import Privacy
from pipeline.run.prune import prune
from pipeline.stores.filesystems import FileStore
from pipeline.targets.local import LocalTarget
from pipeline.targets.objects import lease
from pipeline.targets.target import ToWrite
from tests import buckets, fakes3
from tests.world import World, jpeg


@pytest.fixture
def bucket(s3: buckets.Service, monkeypatch: pytest.MonkeyPatch) -> buckets.Bucket:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    return s3.bucket()


def _from_store(root: Path, bucket: buckets.Bucket, more: str = "") -> World:
    source = f'{{url: "s3://{bucket.name}", endpoint: "{bucket.endpoint}", retry: 0.2{more}}}'
    return World(root, f"source: {source}\ntarget: out\nrenditions:\n  thumb: {{width: 32, height: 32}}\n")


def test_pictures_in_a_bucket_become_what_those_in_a_folder_do(
    tmp_path: Path, s3: buckets.Service, bucket: buckets.Bucket
) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "store").mkdir()
    local, world = World(tmp_path / "local"), _from_store(tmp_path / "store", bucket)
    for name, content in (
        ("a/one.jpg", jpeg()),
        ("a/two.jpg", jpeg((1, 2, 3))),
        ("a/two.jpg.yaml", b"crop: {left: 0, top: 0, width: 0.5, height: 0.5}"),
        ("b/broken.jpg", b"no picture"),
        ("notes.txt", b"no picture"),
        ("empty.jpg", b""),
    ):
        local.put(name, content)
        bucket.put(name, content)
    local.settle()
    assert world.run().status is local.run().status is ExitStatus.FAILED
    assert world.tree() == local.tree()
    again = world.run()
    assert (again.status, again.pictures.get("unchanged")) == (ExitStatus.OK, 2)


def test_only_what_changed_in_a_bucket_is_read_again(
    tmp_path: Path, s3: buckets.Service, bucket: buckets.Bucket
) -> None:
    world = _from_store(tmp_path, bucket)
    bucket.put("a.jpg", jpeg())
    bucket.put("b.jpg", jpeg((1, 2, 3)))
    world.run()
    before = world.tree()
    bucket.put("a.jpg", jpeg())  # a new time, and the same ETag
    bucket.put("b.jpg", jpeg((3, 2, 1)))
    summary = world.run()
    assert (summary.pictures.get("done"), summary.pictures.get("unchanged")) == (1, 1)
    assert [name for name, content in world.tree().items() if before[name] != content] == ["b-thumb.jpg"]


def test_a_bucket_that_is_missing_or_refuses_ends_the_run_before_anything_is_made(
    tmp_path: Path, s3: buckets.Service, bucket: buckets.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _from_store(tmp_path, bucket)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    done = world.command("run", str(world.config_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"pipeline: the source s3://{bucket.name} refuses the credentials (403 Signature")
    assert not world.target.exists()
    world.configure(world.text.replace(bucket.name, "no-such-bucket"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", buckets.SECRET)
    done = world.command("run", str(world.config_path))
    assert done.returncode == 3
    assert "does not exist (404 NoSuchBucket)" in done.stderr


def test_a_bucket_that_is_empty_now_is_trouble_and_makes_no_orphans(
    tmp_path: Path, s3: buckets.Service, bucket: buckets.Bucket
) -> None:
    world = _from_store(tmp_path, bucket)
    bucket.put("a.jpg", jpeg())
    world.run()
    bucket.remove("a.jpg")
    done = world.command("run", str(world.config_path), "--prune")
    assert done.returncode == 3
    assert f"the source s3://{bucket.name} holds no files, although the manifest knows pictures of it" in done.stderr
    assert list(world.tree()) == ["a-thumb.jpg"]


def test_an_object_over_the_limit_fails_without_being_read(
    tmp_path: Path, s3: buckets.Service, bucket: buckets.Bucket
) -> None:
    world = _from_store(tmp_path, bucket)
    world.configure(f"{world.text}limits: {{file_size: 1000}}\n")
    bucket.put("a.jpg", jpeg() + bytes(1000))
    summary = world.run()
    assert summary.status is ExitStatus.FAILED
    assert "too many bytes" in str(summary.failures)


def _into_store(root: Path, bucket: buckets.Bucket | fakes3.Bucket, more: str = "") -> World:
    target = f'{{url: "s3://{bucket.name}/web", endpoint: "{bucket.endpoint}", retry: 0.2{more}}}'
    rest = "manifest: made.sqlite\nrenditions:\n  thumb: {width: 32, height: 32}\n"
    return World(root, f"source: photos\ntarget: {target}\n{rest}")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Generator[fakes3.Bucket]:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    with fakes3.serving() as bucket:
        yield bucket


def test_a_bucket_gets_what_a_folder_would(tmp_path: Path, bucket: buckets.Bucket) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "store").mkdir()
    local, world = World(tmp_path / "local"), _into_store(tmp_path / "store", bucket)
    for each in (local, world):
        each.fill(4)
        each.put("d/again.jpg", (each.source / "a" / "000.jpg").read_bytes())  # is copied
        each.settle()
    local.run()
    summary = world.run()
    assert (summary.status, summary.reused) == (ExitStatus.OK, 1)
    assert len(summary.warnings) == 1  # that this server has no conditions
    assert {name.removeprefix("web/"): content for name, content in bucket.tree().items()} == local.tree()
    again = world.run()
    assert (again.pictures.get("unchanged"), again.warnings) == (5, ())


def test_what_is_missing_or_changed_in_a_bucket_is_made_again_and_what_is_not_ours_stays(
    tmp_path: Path, memory: fakes3.Bucket
) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(3)
    memory.put("web/a/000-thumb.jpg", b"theirs")
    summary = world.run()
    assert summary.errors == {"not ours": 1}
    made = memory.tree()
    del memory.objects["web/b/001-thumb.jpg"]
    memory.put("web/c/002-thumb.jpg", b"damaged")
    verified = world.command("verify", str(world.config_path))
    assert verified.stderr.splitlines()[:3] == [
        "a/000-thumb.jpg: foreign",
        "b/001-thumb.jpg: missing",
        "c/002-thumb.jpg: damaged (7 bytes, not 672)".replace("672", str(len(made["web/c/002-thumb.jpg"]))),
    ]
    assert world.run().pictures.get("done") == 2
    assert memory.tree() == made


def test_orphans_in_a_bucket_are_removed_after_a_run_has_seen_them(tmp_path: Path, memory: fakes3.Bucket) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(3)
    world.run()
    (world.source / "a" / "000.jpg").unlink()
    assert world.run().orphans == 1
    assert world.run(prune=True).removed == 1
    assert sorted(memory.tree()) == ["web/b/001-thumb.jpg", "web/c/002-thumb.jpg"]


@pytest.mark.parametrize("by", ["prune", "run"])
def test_nothing_more_is_removed_once_the_lease_is_lost(
    tmp_path: Path, memory: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(3)
    world.run()
    for name in ("a/000.jpg", "b/001.jpg"):
        (world.source / name).unlink()
    world.run()
    now = lease._now

    def sleeps(request: fakes3.Request, key: str) -> bool:
        if request.command == "DELETE" and key.endswith(".jpg"):
            monkeypatch.setattr(lease, "_now", lambda: now() + 80)
        return False

    memory.before = sleeps
    with pytest.raises(TargetTrouble, match="could not be renewed for 70 s"):
        prune(world.config, force=False) if by == "prune" else world.run(prune=True)
    assert list(memory.tree()) == ["web/b/001-thumb.jpg", "web/c/002-thumb.jpg"]


def test_two_machines_are_kept_apart(tmp_path: Path, memory: fakes3.Bucket) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(1)
    holder = {"run": "r", "pid": 7, "host": "far", "machine": "m", "started": 1.6e9}
    memory.put("web/.pipeline/lease", json.dumps(holder).encode())
    done = world.command("run", str(world.config_path))
    assert done.returncode == 75
    assert "is held by another run: process 7 on far since 2020-09-13" in done.stderr
    assert not memory.tree()


def test_a_bucket_that_cannot_be_written_ends_the_run_before_anything_is_read(
    tmp_path: Path, memory: fakes3.Bucket
) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(1)

    def denies(request: fakes3.Request, key: str) -> bool:
        if request.command == "PUT":
            request.refuse(403, "AccessDenied")
        return request.command == "PUT"

    memory.before = denies
    done = world.command("run", str(world.config_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("pipeline: cannot write to the target s3://pictures/web: it denies it (403 Access")
    assert not (tmp_path / "made.sqlite").exists()


def test_a_target_that_dies_in_mid_run_loses_nothing_and_the_next_run_goes_on(
    tmp_path: Path, memory: fakes3.Bucket
) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(6)
    put: set[str] = set()

    def dies(request: fakes3.Request, key: str) -> bool:
        if request.command == "PUT" and key.endswith(".jpg"):
            put.add(key)
        if len(put) > 2:
            request.refuse(503, "ServiceUnavailable")
        return len(put) > 2

    memory.before = dies
    with pytest.raises(TargetTrouble, match=r"answers with errors \(503 ServiceUnavailable\)"):
        world.run(threads=1)
    assert len(memory.tree()) == 2
    memory.before = lambda request, key: False
    summary = world.run()
    assert (summary.status, summary.pictures.get("done")) == (ExitStatus.OK, 4)
    assert sorted(memory.objects) == list(memory.tree())  # no lease and no test is left


def test_the_secrets_of_a_store_are_nowhere(
    tmp_path: Path, memory: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "AWS_ACCESS_KEY_ID": "AKIDSECRET",
        "AWS_SECRET_ACCESS_KEY": "verysecret",
        "AWS_SESSION_TOKEN": "tokensecret",
    }
    for name, text in secrets.items():
        monkeypatch.setenv(name, text)
    world = _into_store(tmp_path, memory)
    world.fill(1)
    said = world.command("run", "-v", str(world.config_path))
    memory.before = lambda request, key: request.refuse(403, "SignatureDoesNotMatch") or True  # type: ignore[func-returns-value]
    refused = world.command("run", "-v", str(world.config_path))
    assert (said.returncode, refused.returncode) == (0, 3)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("made.sqlite*"))
    for secret in secrets.values():
        assert secret not in said.stdout + said.stderr + refused.stdout + refused.stderr
        assert secret.encode() not in kept


def test_a_store_that_dies_in_mid_run_fails_no_picture_and_the_next_run_goes_on(
    tmp_path: Path, s3: buckets.Service, bucket: buckets.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _from_store(tmp_path, bucket)
    for number in range(8):
        bucket.put(f"{number}.jpg", jpeg((30 * number, 2, 3)))

    written = 0
    write_all = LocalTarget.write_all

    def stopping(target: LocalTarget, files: Sequence[ToWrite]) -> list[Written | PictureError]:
        nonlocal written
        written += 1
        if written == 3:
            s3.stop()
        return write_all(target, files)

    monkeypatch.setattr(LocalTarget, "write_all", stopping)
    try:
        with pytest.raises(SourceTrouble, match=f"the source s3://{bucket.name} (cannot be reached|broke off)"):
            world.run(threads=1)
    finally:
        s3.start()
    assert len(world.tree()) == 3
    summary = world.run()
    assert (summary.status, summary.pictures.get("done")) == (ExitStatus.OK, 5)


def _within(root: Path, bucket: fakes3.Bucket) -> World:
    """Source and target in one bucket, the target below the source."""
    places = [
        f'{{url: "s3://{bucket.name}{part}", endpoint: "{bucket.endpoint}", retry: 0.2}}' for part in ("", "/made")
    ]
    rest = "manifest: made.sqlite\nrenditions:\n  thumb: {width: 32, height: 32}\n"
    return World(root, f"source: {places[0]}\ntarget: {places[1]}\n{rest}")


def test_a_target_below_its_source_is_no_source(tmp_path: Path, memory: fakes3.Bucket) -> None:
    world = _within(tmp_path, memory)
    memory.put("a.jpg", jpeg())
    assert world.run().pictures == {"done": 1}
    assert world.run().pictures == {"unchanged": 1}
    assert list(memory.tree()) == ["a.jpg", "made/a-thumb.jpg"]


def test_keys_that_are_no_paths_fail_their_folder_and_nothing_else(tmp_path: Path, memory: fakes3.Bucket) -> None:
    world = _within(tmp_path, memory)
    for key in ("good/a.jpg", "good/A.jpg", "bad/../up.jpg", "bad/b.jpg", "void//c.jpg", "deep/tab\t/d.jpg", "photos/"):
        memory.put(key, b"" if key == "photos/" else jpeg((len(key), 20, 30)))
    summary = world.run()
    failed = {failure.source for failure in summary.failures}
    assert failed == {
        "bad",
        "deep",
        "void",
        "good/a.jpg",
        "good/A.jpg",
    }  # the last two differ in case only, as on a disk
    assert not [key for key in memory.tree() if key.startswith("made/") and "up" in key]


def test_the_doctor_lists_the_source_and_tries_the_target(tmp_path: Path, memory: fakes3.Bucket) -> None:
    world = _into_store(tmp_path, memory)
    world.configure(
        world.text.replace("source: photos", f'source: {{url: "s3://pictures", endpoint: "{memory.endpoint}"}}')
    )
    world.configure(world.text.replace("s3://pictures/web", "s3://pictures/made"))
    said = [finding.detail for finding in (*places.source(world.config), *places.target(world.config))]
    assert said == ["s3://pictures can be listed", "s3://pictures/made can be written; its puts are conditional"]
    assert not memory.objects


def test_what_needs_a_folder_says_so(tmp_path: Path, memory: fakes3.Bucket) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(1)
    world.run()
    for words in (("tune",), ("manifest", "export", "--format", "hf")):
        done = world.command(*words, str(world.config_path))
        assert (done.returncode, done.stderr.splitlines()[0]) == (
            2,
            f"{' '.join(words)} needs a target on a disk of this machine, and s3://pictures/web is none",
        )


def test_a_report_shows_what_is_in_a_bucket_where_it_is_published(
    tmp_path: Path, memory: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _into_store(tmp_path, memory)
    world.fill(1)
    world.run()
    monkeypatch.setattr(page, "read_again", lambda config, reader, most: Privacy(0))  # it starts children
    pages = []
    for base_url in ("", "https://img.example.org/web/"):
        page.write(world.config, tmp_path / "report.html", 1, base_url)
        pages.append((tmp_path / "report.html").read_text())
    assert "The target is in a store." in pages[0]
    assert "000-thumb.jpg" not in pages[0]
    assert "img-src 'self' file:;" in html.unescape(pages[0])
    assert "The target is in a store." not in pages[1]
    assert "000-thumb.jpg" in pages[1]
    assert '"target":"https://img.example.org/web/"' in pages[1]
    assert "img-src 'self' file: https://img.example.org;" in html.unescape(pages[1])


def test_an_archive_becomes_files_through_fsspec(tmp_path: Path) -> None:
    world = World(tmp_path)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a/one.jpg", jpeg())
        archive.writestr("a/two.jpg", jpeg((1, 2, 3)))
    world.configure(world.text.replace("source: photos", f"source: zip://a::{tmp_path}/photos.zip"))
    assert world.run().pictures == {"done": 2}
    assert list(world.tree()) == ["one-thumb.jpg", "two-thumb.jpg"]
    assert world.run().pictures == {"unchanged": 2}


def test_a_file_system_of_fsspec_is_a_target(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.fill(2)
    place = f"memory://{uuid.uuid4().hex}"
    world.configure(world.text.replace("target: out", f"target: {place}\nmanifest: made.sqlite"))
    assert world.run().pictures == {"done": 2}
    assert world.run().pictures == {"unchanged": 2}
    store = FileStore(StoreSettings(place))
    names = sorted(entry.name for entries in store.entries() for entry in entries)
    assert names == ["a/000-thumb.jpg", "b/001-thumb.jpg"]
