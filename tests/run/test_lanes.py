"""Which lanes a run has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.run.lanes import count, shares
from pipeline.run.options import Workers

_GIB = 2**30
_SIXTEEN = Workers(threads=36, processes=16, queue=64, memory=64 * _GIB, most_threads=64)


@pytest.mark.parametrize(
    ("jobs", "size", "pace", "lanes"),
    [
        (9_600, 40_000, None, 4),  # as a data set
        (20_000, 6_000, None, 4),
        (1_440, 1_300_000, None, 4),
        (5, 1_300_000, None, 0),  # as cron finds them
        (200, 1_300_000, None, 0),
        (200, 1_300_000, 1e-7, 4),  # earlier runs took long
        (9_600, 40_000, 1e-9, 0),
    ],
)
def test_lane_processes_follow_from_the_work_that_is_to_be_expected(
    jobs: int, size: int, pace: float | None, lanes: int
) -> None:
    assert count(_SIXTEEN, _GIB, jobs, jobs * size, lambda: pace) == lanes


@pytest.mark.parametrize(("processes", "lanes"), [(0, 0), (1, 0), (4, 0), (7, 0), (8, 2), (16, 4), (64, 16)])
def test_there_is_one_lane_process_for_four_children_and_none_below_eight(processes: int, lanes: int) -> None:
    assert count(replace(_SIXTEEN, processes=processes), _GIB, 1e6, 1e12, lambda: None) == lanes


@pytest.mark.parametrize(("gib", "lanes"), [(1, 0), (2, 0), (4, 2), (7, 3), (8, 4), (64, 4)])
def test_each_lane_has_memory_for_any_one_picture(gib: int, lanes: int) -> None:
    assert count(replace(_SIXTEEN, memory=gib * _GIB), 2 * _GIB, 1e6, 1e12, lambda: None) == lanes


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 16, 20])
def test_all_that_a_run_has_is_shared_out_and_no_lane_goes_without(lanes: int) -> None:
    parts = shares(_SIXTEEN, lanes)
    assert len(parts) == lanes
    assert sum(part.processes for part in parts) == max(16, lanes)
    assert sum(part.threads for part in parts) == 36
    assert sum(part.memory for part in parts) <= 64 * _GIB
    assert min(part.threads for part in parts) >= 1
