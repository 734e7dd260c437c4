"""What passes between a thread and the child that renders for it. Pictures are measured in pixels, sizes are bytes."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import PictureError
from pipeline.model.record import Status
from pipeline.model.source import Header
from pipeline.model.spec import Format, Limits, Private, Spec

CHATTER = "stderr: "  # begins a warning that a library printed; only children catch it, so exports leave it out


@dataclass(frozen=True, slots=True)
class RenderTask:
    """What a renderer is asked for, beside the descriptor of the picture's bytes."""

    specs: tuple[Spec, ...]
    limits: Limits
    focal_point: tuple[float, float] | None = None  # from left and top, 0..1 of the whole upright picture, crop or not
    crop: tuple[float, float, float, float] | None = None  # left, top, width, height: fractions of the upright picture
    hints: tuple[tuple[str, int], ...] = ()  # (rendition, quality) found for this very content, recipe and libraries
    placeholder: bool = False  # whether the answer is to hold `color` and `thumbhash`
    beside: tuple[Spec, ...] = ()  # not made now, yet heeded in decoding: who is made alone is made alike


@dataclass(frozen=True, slots=True)
class Rendered:
    """One encoded rendition. `index` is the position of its descriptor among those that came with the answer."""

    name: str
    index: int
    size: int
    format: Format
    width: int
    height: int
    seconds_resize: float
    seconds_encode: float
    status: Status = Status.DONE
    warnings: tuple[str, ...] = ()
    quality: int | None = None  # that a search (`max_bytes`) ended with; None where nothing was searched


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file turned out to be when it was opened, as `render.inspect` finds it."""

    format: str  # as `Header.format`
    width: int
    height: int
    mode: str
    frames: int  # of an animation, else 1
    has_profile: bool
    private: tuple[Private, ...]  # what was found of it, in canonical order


@dataclass(frozen=True, slots=True)
class NotRendered:
    """A rendition that could not be made although its source could be decoded."""

    name: str
    error: PictureError


@dataclass(frozen=True, slots=True)
class RenderAnswer:
    """What came of a `RenderTask`, in the order of its specs."""

    header: Header
    renditions: tuple[Rendered | NotRendered, ...]
    seconds_decode: float
    libraries: str  # names and versions of all that touched the pixels, "pillow=13.0.0 libjpeg_turbo=3.1.2"
    warnings: tuple[str, ...] = ()
    upright: tuple[int, int] | None = None  # width and height of the whole picture, turned as it is looked at
    color: str | None = None  # "#rrggbb", the dominant one; only where the task asked for a placeholder
    thumbhash: bytes | None = None  # likewise; 5 to 25 bytes
