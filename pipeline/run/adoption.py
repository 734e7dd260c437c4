"""Files in the way that the user lets a run overwrite: `run --adopt=replace`.

A file is overwritten only if it looks like the rendition that takes its place: the same name, format, width and height.
Everything else stays, and the rendition is `not ours`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline.errors import PictureError
from pipeline.folder import CHUNK
from pipeline.model.job import Planned
from pipeline.model.rendering import RenderAnswer, Rendered, RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import Limits
from pipeline.run.answers import Asked
from pipeline.sources import reading
from pipeline.targets.target import Target
from pipeline.workers.exchange import Bounds, ChildDied, Renderer, whole
from pipeline.workers.token import Token


def headers(
    planned: Iterable[Planned], target: Target, renderer: Renderer, limits: Limits, token: Token
) -> dict[str, Header]:
    """The header of each picture that stands at the target of a rendition and is not ours, by the rendition's name.

    Runs in I/O threads, which hold no room for work and no child. Raises `Revoked`.
    """
    standing = {}
    for rendition in planned:
        if not rendition.ours and (header := _header(rendition.target, target, renderer, limits, token)):
            standing[rendition.spec.name] = header
    return standing


def replacing(
    planned: tuple[Planned, ...], answer: RenderAnswer, standing: Mapping[str, Header]
) -> tuple[Planned, ...]:
    """`planned`, marked as ours where the child's renditions may overwrite existing files."""
    if not standing:
        return planned
    made = {rendition.name: rendition for rendition in answer.renditions if isinstance(rendition, Rendered)}
    names = [rendition.spec.name for rendition in planned]
    return tuple(
        _replacing(rendition, made[name], standing.get(name)) if name in made else rendition
        for name, rendition in zip(names, planned, strict=True)
    )


def _replacing(planned: Planned, made: Rendered, standing: Header | None) -> Planned:
    """`planned`, marked as ours if `standing` looks like the `made` rendition, which may then overwrite it."""
    if standing is None or (made.format, made.width, made.height) != (standing.format, standing.width, standing.height):
        return planned
    return replace(planned, ours=True)


def _header(path: str, target: Target, renderer: Renderer, limits: Limits, token: Token) -> Header | None:
    """None if there is no readable picture."""
    try:
        with target.open_for_reading(path) as file:
            copied = reading.copy(file.fileno(), reading.read(file.fileno(), CHUNK), limits.file_size)
    except (OSError, PictureError):
        return None
    asked = Asked(RenderTask((), limits), copied.size, limits.memory)
    bounds = Bounds(limits.seconds, limits.memory, files=0)
    try:
        with renderer.ask(whole(copied.descriptor), asked.task, bounds, token) as exchange:
            header = asked.header(exchange.first())
            asked.answer(exchange.last()[0])  # nothing is rendered; the child is idle again
    except (PictureError, ChildDied):
        return None
    finally:
        os.close(copied.descriptor)
    return header
