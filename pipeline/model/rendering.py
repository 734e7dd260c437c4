"""Requests to a rendering child and its answers. Widths and heights are in pixels, sizes in bytes, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import PictureError
from pipeline.model.only import Only
from pipeline.model.record import Shown, Status
from pipeline.model.source import Header
from pipeline.model.spec import Format, Limits, Private, Spec

CHATTER = "stderr: "  # begins a warning that a library printed; only children catch it, so exports leave it out


@dataclass(frozen=True, slots=True)
class RenderTask:
    """A request to render a picture, whose bytes travel beside it as a descriptor."""

    specs: tuple[Spec, ...]
    limits: Limits
    focal_point: tuple[float, float] | None = None  # from left and top, 0..1 of the whole upright picture, crop or not
    crop: tuple[float, float, float, float] | None = None  # left, top, width, height: fractions of the upright picture
    hints: tuple[tuple[str, int], ...] = ()  # (rendition, quality) found for this very content, recipe and libraries
    placeholder: bool = False  # whether the answer holds `color` and `thumbhash`
    beside: tuple[Spec, ...] = ()  # not made now, but counted in decoding: a rendition made alone has the same bytes
    only: Only | None = None  # a picture outside of it is not decoded
    raw: bool = False  # it is a camera raw, of which the preview is taken


@dataclass(frozen=True, slots=True)
class Rendered:
    """One encoded rendition. `index` is the position of its descriptor among those sent with the answer."""

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
    quality: int | None = None  # found by a search for `max_bytes` or a similarity; None without a search
    score: float | None = None  # its similarity, where that was sought
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Properties of an encoded file, read by opening it again."""

    format: str  # as `Header.format`
    width: int
    height: int
    mode: str
    frames: int  # of an animation, else 1
    has_profile: bool
    private: tuple[Private, ...]  # the private metadata in it, in canonical order
    bits: int = 8  # of a channel


@dataclass(frozen=True, slots=True)
class NotRendered:
    """A rendition that failed although its source could be decoded."""

    name: str
    error: PictureError


@dataclass(frozen=True, slots=True)
class RenderAnswer:
    """The answer to a `RenderTask`, with renditions in the order of its specs.

    It has none for a picture outside of the task's `only`.
    """

    header: Header
    renditions: tuple[Rendered | NotRendered, ...]
    seconds_decode: float
    libraries: (
        str  # names and versions of the libraries that had a part in the pixels, "pillow=13.0.0 libjpeg_turbo=3.1.2"
    )
    warnings: tuple[str, ...] = ()
    upright: tuple[int, int] | None = None  # width and height of the whole picture after its EXIF rotation
    orientation: int | None = None  # EXIF's, 1 to 8, by which it was turned
    color: str | None = None  # the dominant colour, "#rrggbb"; only where the task asks for a placeholder
    thumbhash: bytes | None = None  # likewise; 5 to 25 bytes


@dataclass(frozen=True, slots=True)
class Look:
    """A request to look at a picture without decoding it. The answer is its `Traits`."""

    limits: Limits
    raw: bool = False  # as in `RenderTask`
    only: Only | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """What the header and the metadata say of a picture. Width and height are as stored, before rotation."""

    width: int
    height: int
    animated: bool
    transparent: bool  # it has an alpha channel or a transparent colour, whether or not any pixel uses it
    cmyk: bool
    rotated: bool  # its EXIF orientation is not the usual one
    outside: str = ""  # why it is left out by the `only` of the request; see `Only.outside`


@dataclass(frozen=True, slots=True)
class Resemblance:
    """A request to compare two pictures of one size, one after the other in the file that comes with it.

    The answer is their SSIMULACRA 2 (100.0 for equal pictures), None where they are too small or libvips is missing.
    """

    limits: Limits
    split: int  # bytes of the first
    background: str  # a colour that both are put on, where they are transparent
