"""What a picture says of itself before anything is decoded, held against the limits."""

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
from pipeline.render.opening import pages
from pipeline.render.opening.source import Source


def read_header(source: Source, task: RenderTask) -> Header:
    """The header of `source`. Raises PictureError where it is beyond a limit of `task`; nothing is decoded by then."""
    frames = pages.count(source, task.limits.frames)
    width, height = source.image.size
    # Pages that nobody asks for are not decoded; the frames of an animation are, unless a first one will do.
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
    """The sum over the pages that are asked for, each held against the limits."""
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
            with pages.turned_to(source, page, frames) as one:
                _check(one, 1, task.limits)
                total += estimate(one, narrowed, 1)
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
    """A legal progressive JPEG of some kilobytes can take minutes: every scan touches every coefficient again."""
    if source.format == "JPEG" and jpeg_scans(source.view, limits.scans) > limits.scans:
        raise PictureError(ErrorKind.TOO_MANY_SCANS, f"more than {limits.scans:,}")
