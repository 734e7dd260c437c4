"""The renderers of a run: confined children, or the I/O threads themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.workers import cpus, memory, zygote
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import InThread, Pool

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"


def children(count: int, total: int, *, at_once: bool, prestarted: ChildPool | None = None) -> ChildPool:
    """Up to `count` children, where all processes together stay below `total` bytes; see `ChildPool`. `prestarted`: a
    pool that has begun already and is used for them; they then start as they are needed.
    """
    pool = prestarted or ChildPool(_RENDER, _WARM_UP, count, at_once=at_once)
    pool.serve(count, memory.kept(total, count))
    return pool


@contextmanager
def prestarted(*, wanted: bool, processes: int | None) -> Iterator[ChildPool | None]:
    """A child pool whose zygote loads its modules while the run still plans.

    None if it is not `wanted` or cannot pay: on one CPU, or with fewer than two `processes`.
    """
    there = cpus.available()
    several = there > 1 and (processes is None or processes > 1)
    pool = ChildPool(_RENDER, _WARM_UP, 0, at_once=False) if wanted and several and zygote.is_possible() else None
    try:
        if pool is not None:
            pool.prepare()
    except RuntimeError:  # no more threads: what needs one will say so
        pool = None
    try:
        yield pool
    finally:
        if pool is not None:
            pool.close()


def in_threads() -> Pool:
    """The same function, called in the requesting thread."""
    from pipeline.render.line import render  # noqa: PLC0415 - with children, this process never imports Pillow

    return InThread(render)
