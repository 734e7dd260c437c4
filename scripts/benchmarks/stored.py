"""What a store costs beside a folder: CPU of reading a picture and writing its rendition, without rendering.

.venv/bin/python -m scripts.benchmarks.stored [PICTURES]

Pictures of 60 kB are read from a folder and from a bucket, renditions of 15 kB written to a folder and to a bucket of
rclone's server on loopback. CPU is that of this process, all threads; the server is another.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.config.settings import SourceSettings, StoreSettings, TargetSettings
from pipeline.model.spec import Limits
from pipeline.sources.opening import source_of
from pipeline.targets.opening import target_of
from pipeline.targets.target import ToWrite
from pipeline.workers import sealed
from tests import buckets

_READ, _WRITTEN = 60_000, 15_000  # bytes: JPEGs of 500x375, and of 256x256
_HEAD = b"\xff\xd8\xff"
_ROUNDS = 5


def main() -> None:
    """Print milliseconds of CPU and of wall time for each picture: the least of some rounds."""
    count = int(sys.argv[1]) if sys.argv[1:] else 500
    os.environ.update(buckets.ENV)
    with tempfile.TemporaryDirectory() as folder, buckets.serving() as service:
        bucket, root = service.bucket(), Path(folder)
        (root / "photos").mkdir()
        (root / "made").mkdir()
        for number in range(count):
            content = _HEAD + number.to_bytes(4, "big") + os.urandom(_READ)
            bucket.put(f"{number:05}.jpg", content)
            (root / "photos" / f"{number:05}.jpg").write_bytes(content)
        store = StoreSettings(f"s3://{bucket.name}", bucket.endpoint)
        places = {
            "folder": (SourceSettings(root / "photos"), TargetSettings(root / "made")),
            "bucket": (
                SourceSettings(None, store=store),
                TargetSettings(None, store=StoreSettings(f"s3://{service.bucket().name}", bucket.endpoint)),
            ),
        }
        for name, (source, target) in places.items():
            for does, costs in (("read", _reading(source, count)), ("write", _writing(target, count))):
                cpu, wall = (1000 * min(each) / count for each in zip(*costs, strict=True))
                sys.stdout.write(f"{does:5} {name}: {cpu:.2f} ms of CPU, {wall:.2f} ms\n")


def _reading(settings: SourceSettings, count: int) -> list[tuple[float, float]]:
    source = source_of([settings])
    names = [name for folder in source.folders([]) for name in folder.names()]
    assert len(names) == count
    stats = source.stats("", names)

    def read() -> None:
        for name, stat in zip(names, stats, strict=True):
            assert stat is not None
            source.read(name, stat, Limits()).close()

    return [_timed(read) for _ in range(_ROUNDS)]


def _writing(settings: TargetSettings, count: int) -> list[tuple[float, float]]:
    target = target_of(settings, "bench")
    target.prepare()
    descriptor = sealed.create("rendition")
    os.write(descriptor, os.urandom(_WRITTEN))

    def write(number: int) -> None:
        for at in range(count):
            target.write_all([ToWrite(f"{number}/{at:05}.jpg", descriptor, replace=False)])
        target.sync()

    return [_timed(lambda number=number: write(number)) for number in range(_ROUNDS)]  # type: ignore[misc]


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - began


if __name__ == "__main__":
    main()
