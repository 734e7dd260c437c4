"""Reads a picture's header and checks it against the limits, before anything is decoded."""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import Animation, Limits
from pipeline.render.container.jpeg import jpeg_scans
from pipeline.render.container.truncation import is_short
from pipeline.render.estimate import estimate
from pipeline.render.formats.animation import cut_off
from pipeline.render.formats.jxl import Jxl
from pipeline.render.opening import pages
from pipeline.render.opening.source import Source


def read_header(source: Source, task: RenderTask) -> Header:
    """The header of `source`. Raises PictureError if it exceeds a limit of `task`. Decodes nothing."""
    frames = pages.count(source, task.limits.frames)
    width, height = source.image.size
    # Pages that no spec asks for are not decoded. All frames of an animation are, unless the first one is enough.
    whole = not task.specs or any(spec.animation is Animation.KEEP and spec.page is None for spec in task.specs)
    if whole and source.format == "GIF" and is_short(source.view, "GIF"):
        raise cut_off("GIF", frames)
    counted = frames if source.animated and whole else 1
    if counted > task.limits.frames:
        raise PictureError(ErrorKind.TOO_MANY_FRAMES, f"more than {task.limits.frames:,}")
    _check(source, counted, task.limits)
    return Header(
        format=pages.name_of(source),
        width=width,
        height=height,
        frames=frames,
        mode=source.image.mode,
        estimate=_estimated(source, task, frames, counted),
    )


def _estimated(source: Source, task: RenderTask, frames: int, counted: int) -> int:
    """The estimate in bytes, summed over the pages that specs ask for; each page is checked against the limits."""
    total = 0
    for page, specs in pages.by_page(task.specs, frames):
        if page is None and len(specs) == len(task.specs):
            return estimate(source, task, counted)
        others = tuple(spec for spec in task.specs if spec not in specs)
        narrowed = replace(task, specs=specs, beside=(*task.beside, *others))
        if page is None:
            total += estimate(source, narrowed, counted)
            continue
        try:
            with pages.turned_to(source, page, frames) as turned:
                _check(turned, 1, task.limits)
                total += estimate(turned, narrowed, 1)
        except PictureError as error:
            if error.kind is not ErrorKind.NOT_ENCODABLE:
                raise
    return total or estimate(source, task, counted)


def _check(source: Source, counted: int, limits: Limits) -> None:
    width, height = source.decoded
    if (pixels := width * height * counted) > limits.pixels:
        shape = f"{width} x {height}" + (f" x {counted} frames" if counted > 1 else "")
        raise PictureError(ErrorKind.TOO_MANY_PIXELS, f"{shape} = {pixels:,}, limit {limits.pixels:,}")
    _check_scans(source, limits)


def _check_scans(source: Source, limits: Limits) -> None:
    """Raises PictureError for too many scans. Those of a JPEG in a JPEG XL are counted when it is decoded.

    A legal progressive JPEG of some kilobytes can take minutes, because every scan touches every coefficient again.
    """
    if source.format == "JPEG" and jpeg_scans(source.view, limits.scans) > limits.scans:
        raise PictureError(ErrorKind.TOO_MANY_SCANS, f"more than {limits.scans:,}")
    if isinstance(source.image, Jxl):
        source.image.most_scans = limits.scans
