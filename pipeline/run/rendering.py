"""Who renders for a run: children that shut themselves in, or the I/O threads themselves."""

from __future__ import annotations

from pipeline.workers import memory
from pipeline.workers.exchange import InThread, Renderer
from pipeline.workers.nursery import Nursery

_RENDER = "pipeline.render.line:render"
_WARM_UP = "pipeline.render.line:warm_up"


def children(count: int, total: int, *, at_once: bool) -> Nursery:
    """Up to `count` children, when all processes together are to stay below `total` bytes; see `Nursery`."""
    return Nursery(_RENDER, _WARM_UP, count, at_once=at_once, kept=memory.kept(total, count))


def in_threads() -> Renderer:
    """The same function, called by the thread that asks."""
    from pipeline.render.line import render  # noqa: PLC0415 - with children, this process never imports Pillow

    return InThread(render)
