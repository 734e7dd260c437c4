from __future__ import annotations

import pytest

from pipeline.workers import memory

_GIB = 2**30


@pytest.mark.parametrize(
    ("total", "processes", "left"),
    [
        (8 * _GIB, 4, 8 * _GIB - 96 * 2**20 - 4 * (48 + 96) * 2**20),
        (8 * _GIB, 0, 8 * _GIB - 96 * 2**20),
        (400 * 2**20, 4, 100 * 2**20),
        (64 * 2**20, 16, 16 * 2**20),
    ],
)
def test_pictures_get_what_the_processes_leave_and_a_quarter_at_least(total: int, processes: int, left: int) -> None:
    assert memory.for_pictures(total, processes) == left


@pytest.mark.parametrize(("total", "processes", "each"), [(8 * _GIB, 4, 96 * 2**20), (512 * 2**20, 4, 8 * 2**20)])
def test_children_keep_little_of_a_small_memory_between_two_pictures(total: int, processes: int, each: int) -> None:
    assert memory.kept(total, processes) == each
