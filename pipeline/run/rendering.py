"""What renders for a run: children that shut themselves in, or the I/O threads themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.workers import cpus, memory, zygote
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import InThread, Pool

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"


def children(count: int, total: int, *, at_once: bool, ahead: ChildPool | None = None) -> ChildPool:
    """Up to `count` children, when all processes together are to stay below `total` bytes; see `ChildPool`. `ahead`: a
    pool that has begun already, to be used for them; they then start as they are needed.
    """
    pool = ahead or ChildPool(_RENDER, _WARM_UP, count, at_once=at_once)
    pool.serve(count, memory.kept(total, count))
    return pool


@contextmanager
def ahead(*, wanted: bool, processes: int | None) -> Iterator[ChildPool | None]:
    """A child pool whose zygote loads what it needs while the run still finds out what there is to do.

    None where it is not `wanted`, or cannot pay: on one CPU, or where fewer than two of `processes` are to render.
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
    """The same function, called by the thread that asks."""
    from pipeline.render.line import render  # noqa: PLC0415 - with children, this process never imports Pillow

    return InThread(render)
