"""The sample of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline.model.job import Job
from pipeline.model.rendering import Traits
from pipeline.model.source import Stat
from pipeline.run.compare.strata import Sample, drawn
from pipeline.run.tune.sample import Strata

PLAIN = Traits(100, 100, animated=False, transparent=False, cmyk=False, rotated=False)


def sample(traits: dict[str, Traits], size: int, bytes_: int = 1000) -> Sample:
    """Drawn of these pictures, all of `bytes_`."""
    strata = Strata(10 * size, 0)
    for name in traits:
        strata.add(Job(name, Stat(bytes_, 0, 0), ()))

    def look(jobs: Sequence[Job]) -> dict[str, Traits]:
        return {job.source: traits[job.source] for job in jobs if traits[job.source].width}

    return drawn(strata, size, look)


def test_every_kind_of_picture_is_in_the_sample_however_rare() -> None:
    rare = {
        "a.gif": Traits(9, 9, animated=True, transparent=True, cmyk=False, rotated=False),
        "b.jpg": Traits(9, 9, animated=False, transparent=False, cmyk=True, rotated=True),
        "c.png": Traits(9, 9, animated=False, transparent=True, cmyk=False, rotated=False),
        "d.jpg": Traits(9, 9, animated=False, transparent=False, cmyk=False, rotated=True),
    }
    sampled = sample({f"{number:03}.jpg": PLAIN for number in range(60)} | rare, 12)
    assert {picture.source: picture.stratum for picture in sampled.pictures if picture.source in rare} == {
        "a.gif": "animated",
        "b.jpg": "CMYK",
        "c.png": "transparent",
        "d.jpg": "rotated",
    }
    assert [picture.name for picture in sampled.strata] == [
        "animated", "CMYK", "transparent", "rotated", "largest", "small", "noisy", "other",
    ]  # fmt: skip
    assert len(sampled.pictures) == 12


def test_the_largest_the_smallest_and_the_noisiest_are_strata() -> None:
    sizes = {f"{number:02}.jpg": Traits(number + 10, 100, False, False, False, False) for number in range(30)}
    sampled = sample(sizes, 30)
    strata = {
        stratum: {picture.source for picture in sampled.pictures if picture.stratum == stratum}
        for stratum in ("small", "largest")
    }
    assert strata == {"small": {"00.jpg", "01.jpg", "02.jpg"}, "largest": {"27.jpg", "28.jpg", "29.jpg"}}
    assert {picture.source for picture in sampled.pictures if picture.stratum == "noisy"} == {
        "03.jpg",
        "04.jpg",
        "05.jpg",
    }


def test_pictures_that_their_source_leaves_out_are_in_no_sample() -> None:
    small = replace(PLAIN, outside="min_width: 100 pixels")
    sampled = sample({f"{number:02}.jpg": small if number % 3 else PLAIN for number in range(30)}, 10)
    assert {int(picture.source[:2]) % 3 for picture in sampled.pictures} == {0}
    assert sum(picture.stands_for for picture in sampled.pictures) == 10
    assert sampled.unreadable == ()


def test_the_sample_depends_on_the_pictures_only() -> None:
    pictures = {f"{number:03}.jpg": PLAIN for number in range(200)}
    assert sample(pictures, 8) == sample(dict(reversed(pictures.items())), 8)


@pytest.mark.parametrize("count", [1, 7, 50, 900])
def test_what_is_chosen_stands_for_the_whole_folder(count: int) -> None:
    sampled = sample({f"{number:03}.jpg": PLAIN for number in range(count)}, 20)
    assert len(sampled.pictures) == min(count, 20)
    assert sum(picture.stands_for for picture in sampled.pictures) == pytest.approx(count)
    assert sampled.is_exact == (count <= 200)


def test_pictures_that_cannot_be_read_are_named_and_stand_for_nothing() -> None:
    broken = Traits(0, 0, False, False, False, False)
    sampled = sample({"a.jpg": PLAIN, "b.jpg": broken, "c.jpg": PLAIN}, 8)
    assert sampled.unreadable == ("b.jpg",)
    assert sum(picture.stands_for for picture in sampled.pictures) == 2


def test_of_pictures_of_one_size_on_the_edge_of_a_stratum_as_many_are_chosen_as_of_the_others() -> None:
    larger = {f"larger/{number}.jpg": replace(PLAIN, width=200) for number in range(10)}
    equal = {f"equal/{number}.jpg": PLAIN for number in range(100)}
    smaller = {f"smaller/{number}.jpg": replace(PLAIN, width=50) for number in range(90)}
    sampled = sample(larger | equal | smaller, 40)
    chosen = [picture.source.split("/")[0] for picture in sampled.pictures if picture.stratum == "largest"]
    assert min(map(chosen.count, ("larger", "equal"))) >= 2
