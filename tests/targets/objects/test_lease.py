from __future__ import annotations

import datetime
import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from pipeline.config.settings import StoreSettings, TargetSettings
from pipeline.errors import Locked, TargetTrouble
from pipeline.targets.objects import lease as lease_module
from pipeline.targets.opening import Lease, lease_of
from tests import buckets, fakes3

_KEY = "web/.pipeline/lease"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Generator[fakes3.Bucket]:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    with fakes3.serving() as bucket:
        yield bucket


def _lease(bucket: fakes3.Bucket, run: str, part: str | None = None) -> Lease:
    store = StoreSettings(f"s3://{bucket.name}/web", bucket.endpoint, silence=5, retry=0.05)
    return lease_of(TargetSettings(None, store=store), run, None if part is None else Path(part))


def _never() -> None:
    raise AssertionError("it waits")


def _says(bucket: fakes3.Bucket, **changes: object) -> None:
    """Let the lease say something else, as another machine would have written it."""
    there = bucket.objects[_KEY]
    there.content = json.dumps(json.loads(there.content) | changes).encode()


def test_a_second_run_is_locked_out_and_told_by_whom(bucket: fakes3.Bucket) -> None:
    with _lease(bucket, "first").held(0.0, _never):
        _says(bucket, host="far", machine="other")
        with pytest.raises(Locked) as caught, _lease(bucket, "second").held(0.0, _never):
            pass
        assert str(caught.value).startswith(
            f"s3://pictures/web/.pipeline/lease is held by another run: process {os.getpid()}"
        )
        assert "on far since" in str(caught.value)
        assert "is free 90 s after its run has died" in str(caught.value)
    assert not bucket.objects
    with _lease(bucket, "third").held(0.0, _never):
        assert list(bucket.objects) == [_KEY]


def test_a_run_that_waits_comes_next(bucket: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "_POLL", 0.01)
    first = _lease(bucket, "first").held(0.0, _never)
    first.__enter__()
    _says(bucket, machine="other")
    with _lease(bucket, "second").held(None, bucket.objects.clear):
        assert json.loads(bucket.objects[_KEY].content)["run"] == "second"
    first.__exit__(None, None, None)


def test_the_lease_of_a_dead_run_is_taken(bucket: fakes3.Bucket) -> None:
    with _lease(bucket, "first").held(0.0, _never):
        kept = bucket.objects[_KEY]
    kept.content = json.dumps(json.loads(kept.content) | {"machine": "other"}).encode()
    kept.modified -= datetime.timedelta(seconds=91)  # by the store's clock
    bucket.objects[_KEY] = kept
    with _lease(bucket, "second").held(0.0, _never):
        pass
    bucket.objects[_KEY] = kept
    kept.modified = datetime.datetime.now(datetime.UTC)
    kept.content = json.dumps(
        json.loads(kept.content) | {"machine": lease_module._machine(), "pid": 2**22 + 1}
    ).encode()
    with _lease(bucket, "third").held(0.0, _never):  # its process was of this machine, and is gone
        pass


def test_a_lease_is_renewed_and_a_run_that_has_lost_its_own_writes_nothing_more(
    bucket: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "RENEWED", 0.01)
    lease = _lease(bucket, "first")
    with lease.held(0.0, _never):
        while [asked for asked in bucket.asked if asked == ("PUT", _KEY)] == [("PUT", _KEY)]:
            lease.check()
        _says(bucket, run="second")
        with pytest.raises(TargetTrouble, match="another run has taken the lease of the target s3://pictures/web"):
            while True:
                lease.check()
    assert json.loads(bucket.objects[_KEY].content)["run"] == "second"


def test_a_run_that_cannot_renew_its_lease_writes_nothing_more(
    bucket: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = lease_module._now()
    lease = _lease(bucket, "first")
    with lease.held(0.0, _never):
        lease.check()
        monkeypatch.setattr(lease_module, "_now", lambda: now + 80)
        with pytest.raises(TargetTrouble, match="could not be renewed for 70 s"):
            lease.check()


def test_shards_write_at_the_same_time_and_whole_runs_do_not(bucket: fakes3.Bucket) -> None:
    with (
        _lease(bucket, "one", "m.sqlite.1-of-2").held(0.0, _never),
        _lease(bucket, "two", "m.sqlite.2-of-2").held(0.0, _never),
    ):
        for key in bucket.objects:
            bucket.objects[key].content = json.dumps(json.loads(bucket.objects[key].content) | {"machine": ""}).encode()
        with pytest.raises(Locked), _lease(bucket, "three", "m.sqlite.2-of-2").held(0.0, _never):
            pass
        with pytest.raises(Locked), _lease(bucket, "whole").held(0.0, _never):
            pass
    with _lease(bucket, "whole").held(0.0, _never):
        _says(bucket, machine="other")
        with pytest.raises(Locked), _lease(bucket, "one", "m.sqlite.1-of-2").held(0.0, _never):
            pass


@pytest.mark.parametrize("started", ["NaN", "Infinity", "1e300", "1e17", "[" * 2000])
def test_a_lease_that_says_nonsense_is_that_of_a_run_that_has_not_said_which(
    bucket: fakes3.Bucket, started: str
) -> None:
    text = f'{{"run": "x", "pid": 1, "host": "far", "machine": "other", "started": {started}}}'
    bucket.put(_KEY, text.encode())
    with (
        pytest.raises(Locked, match="held by another run that has not said which"),
        _lease(bucket, "a").held(0, _never),
    ):
        pass


def test_a_lease_whose_process_is_no_number_is_that_of_a_run_that_has_not_said_which(bucket: fakes3.Bucket) -> None:
    bucket.put(_KEY, b'{"run": "x", "pid": Infinity, "host": "far", "machine": "other", "started": 1}')
    with pytest.raises(Locked, match="has not said which"), _lease(bucket, "a").held(0, _never):
        pass


def test_what_dead_runs_have_written_to_ask_something_is_removed_when_the_lease_is_taken(
    bucket: fakes3.Bucket,
) -> None:
    old = {"clock-old", "driver.probe-3", "driver.1-of-2.probe-4", "driver", "mine", "upload-old"}
    for name in (*old, "clock-new", "upload-new"):
        bucket.put(f"web/.pipeline/{name}", b"")
        if name in old:
            bucket.objects[f"web/.pipeline/{name}"].modified -= datetime.timedelta(seconds=3601)
    with _lease(bucket, "run").held(0, _never):
        left = {"clock-new", "upload-new", "driver", "mine", "lease"}
        assert set(bucket.objects) == {f"web/.pipeline/{name}" for name in left}


def test_a_run_that_was_halted_for_long_does_not_remove_the_lease_of_the_next_one(
    bucket: fakes3.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = lease_module._now()
    with _lease(bucket, "first").held(0.0, _never):
        _says(bucket, run="second")  # it has taken the lease meanwhile, and the first has not looked yet
        monkeypatch.setattr(lease_module, "_now", lambda: now + 91)
    assert json.loads(bucket.objects[_KEY].content)["run"] == "second"
