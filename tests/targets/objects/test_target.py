from __future__ import annotations

import hashlib
import os
from collections.abc import Generator

import pytest

from pipeline.config.settings import StoreSettings, TargetSettings
from pipeline.errors import ErrorKind, PictureError, TargetTrouble
from pipeline.manifest.claims import ClaimedFile
from pipeline.model.record import Written
from pipeline.targets.objects.removal import ObjectRemoval
from pipeline.targets.opening import target_of
from pipeline.targets.target import NOTHING, Target, ToWrite
from pipeline.workers import sealed
from tests import buckets, fakes3

_HEADERS = (("Cache-Control", "max-age=60"), ("artist", "me"))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Generator[fakes3.Bucket]:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    with fakes3.serving() as bucket:
        yield bucket


def _place(bucket: fakes3.Bucket) -> StoreSettings:
    return StoreSettings(f"s3://{bucket.name}/web", bucket.endpoint, silence=5, retry=30)


def _settings(bucket: fakes3.Bucket) -> TargetSettings:
    return TargetSettings(None, headers=_HEADERS, store=_place(bucket))


def _target(bucket: fakes3.Bucket) -> Target:
    return target_of(_settings(bucket), "run")


def _write(target: Target, path: str, content: bytes, *, replace: bool = False) -> Written | PictureError:
    descriptor = sealed.create("test")
    try:
        os.write(descriptor, content)
        (outcome,) = target.write_all([ToWrite(path, descriptor, replace)])
        return outcome
    finally:
        os.close(descriptor)


def test_an_object_is_written_with_its_type_and_headers_and_has_the_stat_that_was_recorded(
    bucket: fakes3.Bucket,
) -> None:
    written = _write(_target(bucket), "a/b.jpg", b"content")
    assert isinstance(written, Written)
    there = bucket.objects["web/a/b.jpg"]
    assert there.content == b"content"
    headers = {name.lower(): text for name, text in there.headers.items()}
    assert headers == {"content-type": "image/jpeg", "cache-control": "max-age=60", "x-amz-meta-artist": "me"}
    (stat,) = _target(bucket).stats(["a/b.jpg"])
    assert stat is not None
    assert (stat.size, stat.mtime_ns, hashlib.sha256(b"content").digest()) == (7, written.mtime_ns, written.sha256)
    assert list(_target(bucket).names()) == [["a/b.jpg"]]


def test_a_name_with_a_space_that_is_not_printable_is_found_again(bucket: fakes3.Bucket) -> None:
    name = "Screenshot at 3.45\u202fPM.png"
    written = _write(_target(bucket), name, b"content")
    assert isinstance(written, Written)
    assert _target(bucket).raw_stats([name, "\udc80"]) == [(written.size, written.mtime_ns), NOTHING]


def test_an_object_of_others_is_never_written_over_and_an_equal_one_becomes_ours(bucket: fakes3.Bucket) -> None:
    bucket.put("web/a.jpg", b"theirs")
    target = _target(bucket)
    refused = _write(target, "a.jpg", b"ours")
    assert isinstance(refused, PictureError)
    assert refused.kind is ErrorKind.NOT_OURS
    assert isinstance(_write(target, "a.jpg", b"theirs"), Written)
    assert isinstance(_write(target, "a.jpg", b"ours", replace=True), Written)
    assert bucket.tree() == {"web/a.jpg": b"ours"}
    assert not target.lacks


def test_without_conditions_an_object_of_others_is_looked_for_and_the_lack_is_told(bucket: fakes3.Bucket) -> None:
    def ignores(request: fakes3.Request, key: str) -> bool:
        del request.headers["If-None-Match"]
        return False

    bucket.before = ignores
    bucket.put("web/a.jpg", b"theirs")
    target = _target(bucket)
    assert isinstance(_write(target, "a.jpg", b"ours"), PictureError)
    assert isinstance(_write(target, "b.jpg", b"ours"), Written)
    assert bucket.tree() == {"web/a.jpg": b"theirs", "web/b.jpg": b"ours"}
    assert target.lacks.startswith("s3://pictures/web has no conditional writes (If-None-Match)")


def test_a_put_whose_answer_was_lost_is_no_stranger_in_the_way(bucket: fakes3.Bucket) -> None:
    def loses_the_first(request: fakes3.Request, key: str) -> bool:
        if request.command == "PUT" and key == "web/a.jpg" and key not in bucket.objects:
            bucket.put(key, b"content")
            request.refuse(500, "InternalError")
            return True
        return False

    bucket.before = loses_the_first
    assert isinstance(_write(target_of(_settings(bucket), "run"), "a.jpg", b"content"), Written)


def test_a_denied_put_is_trouble_before_anything_is_read(bucket: fakes3.Bucket) -> None:
    def denies(request: fakes3.Request, key: str) -> bool:
        if request.command == "PUT":
            request.refuse(403, "AccessDenied")
        return request.command == "PUT"

    bucket.before = denies
    with pytest.raises(TargetTrouble) as caught:
        _target(bucket).prepare()
    assert str(caught.value) == (
        "cannot write to the target s3://pictures/web: it denies it (403 AccessDenied): these credentials lack the "
        "right to do this"
    )


def test_paths_that_lead_out_or_cannot_be_keys_cost_a_rendition(bucket: fakes3.Bucket) -> None:
    target = _target(bucket)
    for path in ("../a.jpg", "a//b.jpg", "a/./b.jpg", ".pipeline/a.jpg", "a\0.jpg", "a\n.jpg", "a\udc80.jpg"):
        outcome = _write(target, path, b"content")
        assert isinstance(outcome, PictureError)
        assert outcome.kind is ErrorKind.BAD_NAME
    assert not bucket.tree()


def test_what_is_read_back_is_what_was_recorded(bucket: fakes3.Bucket) -> None:
    target = _target(bucket)
    written = _write(target, "a.jpg", b"content")
    assert isinstance(written, Written)
    with target.open_for_reading("a.jpg", (written.size, written.mtime_ns)) as file:
        assert (os.fstat(file.fileno()).st_size, file.read()) == (7, b"content")
    bucket.put("web/a.jpg", b"CONTENT")
    with pytest.raises(FileNotFoundError, match="changed"):
        target.open_for_reading("a.jpg", (written.size, written.mtime_ns))
    with pytest.raises(FileNotFoundError):
        target.open_for_reading("b.jpg")


def test_only_what_is_as_it_was_made_is_removed(bucket: fakes3.Bucket) -> None:
    written = _write(_target(bucket), "a.jpg", b"content")
    assert isinstance(written, Written)
    removal = ObjectRemoval(_place(bucket))
    file = ClaimedFile("a.jpg", "a", "thumb", written.size, written.mtime_ns, written.sha256, current=False)
    bucket.put("web/a.jpg", b"CONTENT")
    assert removal.remove(file) == "it was changed since it was made"
    bucket.put("web/a.jpg", b"content")
    assert (removal.obstacle(file), removal.remove(file), removal.remove(file)) == ("", "", None)
    assert not bucket.tree()


def test_the_tests_of_dead_runs_are_swept_and_those_of_others_stay(bucket: fakes3.Bucket) -> None:
    for name in ("probe-dead-0", "probe-alive-0", "lease"):
        bucket.put(f"web/.pipeline/{name}", b"")
    assert _target(bucket).sweep({"dead"}) == 1
    assert sorted(bucket.objects) == ["web/.pipeline/lease", "web/.pipeline/probe-alive-0"]
