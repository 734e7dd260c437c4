"""What a picture says of itself before anything is decoded, held against the limits."""

from __future__ import annotations

from pipeline.errors import ErrorKind, PictureError
from pipeline.model import Header, Limits, RenderTask
from pipeline.render import container
from pipeline.render.estimate import estimate
from pipeline.render.source import Source


def read_header(source: Source, task: RenderTask) -> Header:
    """The header of `source`. Raises PictureError where it is beyond a limit of `task`; nothing is decoded by then."""
    frames = _frames(source, task.limits)
    width, height = source.image.size
    counted = frames if source.animated else 1  # pages after the first are not decoded
    if counted > task.limits.frames:
        raise PictureError(ErrorKind.TOO_MANY_FRAMES, f"more than {task.limits.frames:,}")
    if (pixels := width * height * counted) > task.limits.pixels:
        shape = f"{width} x {height}" + (f" x {counted} frames" if counted > 1 else "")
        raise PictureError(ErrorKind.TOO_MANY_PIXELS, f"{shape} = {pixels:,}, limit {task.limits.pixels:,}")
    _check_scans(source, task.limits)
    return Header(
        format=_name(source),
        width=width,
        height=height,
        frames=frames,
        mode=source.image.mode,
        estimate=estimate(source, task, counted),
    )


def _name(source: Source) -> str:
    """The format in lower case; a JPEG that holds several pictures is an `mpo`."""
    several = source.format == "JPEG" and "mp" in source.image.info
    return "mpo" if several else source.format.lower()


def _frames(source: Source, limits: Limits) -> int:
    if source.format == "GIF":  # Pillow would parse every frame to count them, however many
        frames, short = container.gif_frames(source.view, limits.frames)
        if short:
            raise PictureError(ErrorKind.TRUNCATED, f"GIF: cut off after frame {frames}")
        return max(1, frames)
    if source.format == "TIFF":
        return container.tiff_pages(source.view, limits.frames)
    return max(1, int(getattr(source.image, "n_frames", 1)) - source.stills_before)


def _check_scans(source: Source, limits: Limits) -> None:
    """A legal progressive JPEG of some kilobytes can take minutes: every scan touches every coefficient again."""
    if source.format == "JPEG" and container.jpeg_scans(source.view, limits.scans) > limits.scans:
        raise PictureError(ErrorKind.TOO_MANY_SCANS, f"more than {limits.scans:,}")
