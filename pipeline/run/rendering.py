"""Who renders for a run: children that shut themselves in, or the I/O threads themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.workers import birth, cpus, memory
from pipeline.workers.exchange import InThread, Pool
from pipeline.workers.nursery import Nursery

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"


def children(count: int, total: int, *, at_once: bool, ahead: Nursery | None = None) -> Nursery:
    """Up to `count` children, when all processes together are to stay below `total` bytes; see `Nursery`. `ahead`: one
    that has begun already, to be used for them; they then start as they are needed.
    """
    nursery = ahead or Nursery(_RENDER, _WARM_UP, count, at_once=at_once)
    nursery.serve(count, memory.kept(total, count))
    return nursery


@contextmanager
def ahead(*, wanted: bool, processes: int | None) -> Iterator[Nursery | None]:
    """A nursery whose first process loads what it needs while the run still finds out what there is to do.

    None where it is not `wanted`, or cannot pay: on one CPU, or where fewer than two of `processes` are to render.
    """
    there = cpus.available()
    several = there > 1 and (processes is None or processes > 1)
    nursery = Nursery(_RENDER, _WARM_UP, 0, at_once=False) if wanted and several and birth.is_possible() else None
    try:
        if nursery is not None:
            nursery.prepare()
    except RuntimeError:  # no more threads: whoever needs one will say so
        nursery = None
    try:
        yield nursery
    finally:
        if nursery is not None:
            nursery.close()


def in_threads() -> Pool:
    """The same function, called by the thread that asks."""
    from pipeline.render.line import render  # noqa: PLC0415 - with children, this process never imports Pillow

    return InThread(render)
