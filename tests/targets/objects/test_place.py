"""The lease of a cluster whose target is in object storage."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from pipeline.config.settings import StoreSettings, TargetSettings
from pipeline.errors import TargetTrouble
from pipeline.targets import lease
from pipeline.targets.lease import InFolder, Lease, LeaseLost, LeaseWatch
from pipeline.targets.objects.lease import StoreLease
from pipeline.targets.opening import driver_in
from tests import buckets, fakes3


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Generator[fakes3.Bucket]:
    for name, text in buckets.ENV.items():
        monkeypatch.setenv(name, text)
    with fakes3.serving() as bucket:
        yield bucket


def _settings(bucket: fakes3.Bucket) -> TargetSettings:
    return TargetSettings(None, store=StoreSettings(f"s3://{bucket.name}/web", bucket.endpoint, silence=5, retry=0.05))


def test_a_lane_that_is_given_up_in_the_bucket_ends_at_its_next_look(bucket: fakes3.Bucket) -> None:
    with Lease(driver_in(_settings(bucket)), "run") as ours:
        assert lease.run_of(ours.place) == "run"
        first, second = (LeaseWatch(ours.place, "run", lane) for lane in (1, 2))
        ours.give_up(2)
        for watch in (first, second):
            watch.check()  # a request for each object would be too dear
            watch.look()
        first.check()
        with pytest.raises(LeaseLost, match="has given it up"):
            second.check()
    assert bucket.objects == {}


def test_it_is_no_lease_that_keeps_runs_apart_and_shards_have_their_own(bucket: fakes3.Bucket) -> None:
    part = Path("manifest.sqlite.shard-1-of-2")
    with Lease(driver_in(_settings(bucket), part), "run") as ours:
        assert list(bucket.objects) == ["web/.pipeline/driver.shard-1-of-2"]
        store = _settings(bucket).store
        assert store is not None
        with StoreLease(store, "another").held(0.0, lambda: None):
            assert lease.run_of(ours.place) == "run"


def test_a_store_that_does_not_answer_is_trouble(bucket: fakes3.Bucket) -> None:
    store = StoreSettings("s3://bucket", "http://127.0.0.1:1", connect=0.2, silence=1, retry=0.05)
    with pytest.raises(TargetTrouble, match="the lease s3://bucket/.pipeline/driver: "):
        Lease(driver_in(TargetSettings(None, store=store)), "run").begin()


def test_what_is_too_large_for_a_lease_is_not_read(bucket: fakes3.Bucket, tmp_path: Path) -> None:
    place = driver_in(_settings(bucket))
    bucket.put("web/.pipeline/driver", bytes(lease.LONGEST + 1))
    with pytest.raises(OSError, match="too large"):
        place.read()
    (tmp_path / "lease").write_bytes(bytes(lease.LONGEST + 1))
    assert len(InFolder(tmp_path / "lease").read()) == lease.LONGEST
    assert lease.run_of(place) == ""
