from __future__ import annotations

import random
from collections import Counter

from pipeline.model.job import Job, Planned
from pipeline.model.record import Reason
from pipeline.model.source import Stat
from pipeline.model.spec import Spec
from pipeline.run.tune.sample import Strata, repeated
from pipeline.sources.magic import extension

SPEC = Spec("thumb")


def job(name: str, size: int) -> Job:
    return Job(name, Stat(size, 0, 0), (Planned(SPEC, f"{name}-thumb.jpg", "r", Reason.NEW, ours=True),), b"hash")


def jobs() -> list[Job]:
    small = [job(f"icons/{number:04}.png", 2_000 + number) for number in range(600)]
    photos = [job(f"photos/{number:04}.jpg", 3_000_000 + number) for number in range(300)]
    scans = [job(f"scans/{number}.tif", 90_000_000) for number in range(3)]
    return small + photos + scans


def chosen(size: int, seed: int = 0, order: int = 0) -> list[Job]:
    strata = Strata(most=size, seed=seed)
    everything = jobs()
    random.Random(order).shuffle(everything)
    for job in everything:
        strata.add(job)
    return strata.chosen(size)


def test_each_kind_has_its_share_and_the_few_big_ones_are_not_forgotten() -> None:
    kinds = Counter(extension(job.source) for job in chosen(90))
    assert kinds == {"png": 60, "jpg": 30, "tif": 1}


def test_the_sample_depends_on_names_and_seed_alone() -> None:
    assert chosen(50, order=1) == chosen(50, order=2)
    assert chosen(50, seed=1) != chosen(50, seed=2)


def test_a_small_source_is_taken_whole() -> None:
    assert len(chosen(2000)) == 903


def test_no_more_is_kept_in_memory_than_may_be_chosen() -> None:
    strata = Strata(most=5, seed=0)
    for job in jobs():
        strata.add(job)
    assert len(strata.chosen(10_000)) <= 5 * 4
    assert strata.pictures == 903


def test_a_repeated_picture_is_rendered_again_under_another_name() -> None:
    sample = chosen(10)
    many = repeated(sample, 35, seed=0)
    assert len(many) == 35
    targets = [planned.target for job in many for planned in job.planned]
    assert len(set(targets)) == 35
    counts = Counter(job.source for job in many)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert {planned.reason for job in many for planned in job.planned} == {Reason.FORCED}
    assert not any(planned.ours for job in many for planned in job.planned)


def test_the_order_is_mixed_the_same_each_time_and_ends_with_small_ones() -> None:
    many = repeated(chosen(40), 40, seed=3)
    assert many == repeated(chosen(40)[::-1], 40, seed=3)
    assert [job.source for job in many] != sorted(job.source for job in many)
    tail = [job.stat.size for job in many[-10:]]
    assert tail == sorted(tail, reverse=True)


def test_nothing_is_made_of_nothing() -> None:
    assert repeated([], 5, seed=0) == []
    assert Strata(5, 0).chosen(5) == []
