from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.settings import SourceSettings
from pipeline.errors import ConfigError, SourceTrouble
from pipeline.model.spec import Limits
from pipeline.sources.opening import source_of
from pipeline.sources.source import Source

JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF"


def put(path: Path, content: bytes = JPEG) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def both(tmp_path: Path) -> Source:
    put(tmp_path / "photos/x.jpg")
    put(tmp_path / "photos/a/x.jpg")
    put(tmp_path / "photos/a/x.jpg.yaml", b"skip: true\n")
    put(tmp_path / "scans/x.jpg", JPEG + b"scan")
    put(tmp_path / "scans/x.png")
    return source_of(
        (
            SourceSettings(tmp_path / "photos", prefix="p"),
            SourceSettings(tmp_path / "scans", include=("*.jpg",), prefix="s"),
        )
    )


def listed(source: Source, *apart: Path) -> list[str]:
    return sorted(folder.source(name) for folder in source.folders(apart) for name in folder.names())


def test_each_picture_has_the_prefix_of_its_source_and_each_source_its_own_patterns(both: Source) -> None:
    assert listed(both) == ["p/a/x.jpg", "p/x.jpg", "s/x.jpg"]
    assert {folder.path: folder.unmatched for folder in both.folders(())} == {"p": 0, "p/a": 0, "s": 1}


def test_what_is_asked_of_a_picture_goes_to_its_source(both: Source) -> None:
    (small,) = both.stats("p", ["x.jpg"])
    (stat,) = both.stats("s", ["x.jpg"])
    assert small
    assert stat
    assert (small.size, stat.size) == (len(JPEG), len(JPEG) + 4)
    assert both.raw_stats("s", ["x.jpg", "gone.jpg"]) == [(stat.size, stat.mtime_ns, stat.ctime_ns), (-1, -1, -1)]
    with both.read("s/x.jpg", stat, Limits()) as picture:
        assert picture.size == stat.size
    assert both.sniff("s/x.jpg") == "jpeg"
    assert both.settled("s/x.jpg", stat, stat.ctime_ns / 1e9 + 3)
    assert both.skips("p/a/x.jpg")
    assert not both.skips("p/x.jpg")


def test_a_target_inside_one_of_them_is_never_an_input(both: Source, tmp_path: Path) -> None:
    put(tmp_path / "photos/made/x-thumb.jpg")
    assert "p/made/x-thumb.jpg" not in listed(both, tmp_path / "photos/made")
    with pytest.raises(ConfigError, match="the same folder"):
        listed(both, tmp_path / "scans")


def test_one_that_is_missing_is_trouble(both: Source, tmp_path: Path) -> None:
    both.check()
    (tmp_path / "scans").rename(tmp_path / "away")
    with pytest.raises(SourceTrouble, match="scans has gone"):
        both.check()


def test_a_single_source_may_have_a_prefix_too(tmp_path: Path) -> None:
    put(tmp_path / "photos/x.jpg")
    assert listed(source_of((SourceSettings(tmp_path / "photos", prefix="p"),))) == ["p/x.jpg"]
