"""Whole runs whose pictures are in object storage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import ExitStatus, PictureError, SourceTrouble
from pipeline.model.record import Written
from pipeline.targets.local import LocalTarget
from pipeline.targets.target import ToWrite
from tests import buckets
from tests.world import World, jpeg


@pytest.fixture
def bucket(s3: buckets.Service, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    return s3.bucket()


def _put(bucket: Path, name: str, content: bytes) -> None:
    path = bucket / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _from_store(root: Path, s3: buckets.Service, bucket: Path, more: str = "") -> World:
    source = f'{{url: "s3://{bucket.name}", endpoint: "{s3.endpoint}", retry: 0.2{more}}}'
    return World(root, f"source: {source}\ntarget: out\nrenditions:\n  thumb: {{width: 32, height: 32}}\n")


def test_pictures_in_a_bucket_become_what_those_in_a_folder_do(
    tmp_path: Path, s3: buckets.Service, bucket: Path
) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "store").mkdir()
    local, world = World(tmp_path / "local"), _from_store(tmp_path / "store", s3, bucket)
    for name, content in (
        ("a/one.jpg", jpeg()),
        ("a/two.jpg", jpeg((1, 2, 3))),
        ("a/two.jpg.yaml", b"crop: {left: 0, top: 0, width: 0.5, height: 0.5}"),
        ("b/broken.jpg", b"no picture"),
        ("notes.txt", b"no picture"),
        ("empty.jpg", b""),
    ):
        local.put(name, content)
        _put(bucket, name, content)
    local.settle()
    assert world.run().status is local.run().status is ExitStatus.FAILED
    assert world.tree() == local.tree()
    again = world.run()
    assert (again.status, again.pictures.get("unchanged")) == (ExitStatus.OK, 2)


def test_only_what_changed_in_a_bucket_is_read_again(tmp_path: Path, s3: buckets.Service, bucket: Path) -> None:
    world = _from_store(tmp_path, s3, bucket)
    _put(bucket, "a.jpg", jpeg())
    _put(bucket, "b.jpg", jpeg((1, 2, 3)))
    world.run()
    before = world.tree()
    _put(bucket, "a.jpg", jpeg())  # a new time, and the same ETag
    _put(bucket, "b.jpg", jpeg((3, 2, 1)))
    summary = world.run()
    assert (summary.pictures.get("done"), summary.pictures.get("unchanged")) == (1, 1)
    assert [name for name, content in world.tree().items() if before[name] != content] == ["b-thumb.jpg"]


def test_a_bucket_that_is_missing_or_refuses_ends_the_run_before_anything_is_made(
    tmp_path: Path, s3: buckets.Service, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _from_store(tmp_path, s3, bucket)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    done = world.command("run", str(world.config_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"pipeline: the source s3://{bucket.name} refuses the credentials (403 Signature")
    assert not world.target.exists()
    bucket.rmdir()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", buckets.SECRET)
    done = world.command("run", str(world.config_path))
    assert done.returncode == 3
    assert "does not exist (404 NoSuchBucket)" in done.stderr


def test_a_bucket_that_is_empty_now_is_trouble_and_makes_no_orphans(
    tmp_path: Path, s3: buckets.Service, bucket: Path
) -> None:
    world = _from_store(tmp_path, s3, bucket)
    _put(bucket, "a.jpg", jpeg())
    world.run()
    (bucket / "a.jpg").unlink()
    done = world.command("run", str(world.config_path), "--prune")
    assert done.returncode == 3
    assert f"the source s3://{bucket.name} holds no files, although the manifest knows pictures of it" in done.stderr
    assert list(world.tree()) == ["a-thumb.jpg"]


def test_an_object_over_the_limit_fails_without_being_read(tmp_path: Path, s3: buckets.Service, bucket: Path) -> None:
    world = _from_store(tmp_path, s3, bucket)
    world.configure(f"{world.text}limits: {{file_size: 1000}}\n")
    _put(bucket, "a.jpg", jpeg() + bytes(1000))
    summary = world.run()
    assert summary.status is ExitStatus.FAILED
    assert "too many bytes" in str(summary.failures)


def test_a_store_that_dies_in_mid_run_fails_no_picture_and_the_next_run_goes_on(
    tmp_path: Path, s3: buckets.Service, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _from_store(tmp_path, s3, bucket)
    for number in range(8):
        _put(bucket, f"{number}.jpg", jpeg((30 * number, 2, 3)))

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
