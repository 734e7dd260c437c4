"""Decodes an opened source: once, as small as the renditions allow, into one of a few working modes.

The working modes are those that Pillow resamples well: `L LA RGB RGBA CMYK LAB I;16 I F`. Colours are converted to sRGB
only after resampling (see `colour.srgb`), when there are far fewer pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageMath

from pipeline.errors import PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.spec import Limits
from pipeline.render.colour.cicp import profile_of
from pipeline.render.formats import heif
from pipeline.render.formats.avif import Avif
from pipeline.render.formats.png import Png
from pipeline.render.formats.tiff import Tiff
from pipeline.render.geometry.fit import Size
from pipeline.render.geometry.framing import max_shrink
from pipeline.render.geometry.orientation import upright_size
from pipeline.render.metadata.blocks import Blocks
from pipeline.render.metadata.density import Density, stated
from pipeline.render.metadata.exif import ORIENTATION
from pipeline.render.metadata.policy import Facts, read_exif
from pipeline.render.opening.failures import decode_failure
from pipeline.render.opening.metadata import read_blocks
from pipeline.render.opening.source import DAMAGED_EXIF, DEEP, Source
from pipeline.render.pixels.deep import Deep, of_pillow
from pipeline.render.pixels.frame import Frame, in_srgb

_OF_PAGES = ("TIFF", "JPEG", "HEIF")  # not icons: their pictures are one picture in several sizes
_ORIENTATIONS = range(1, 9)
# Milliseconds: all browsers show a frame of at most the first duration for the second.
_TOO_SHORT, _INSTEAD = 10, 100


@dataclass(frozen=True, slots=True)
class Picture:
    """The properties that all frames of a source share, known after the first one is decoded."""

    size: Size  # pixels, upright and not shrunk
    orientation: int  # how its frames are stored
    icc: bytes | None
    blocks: Blocks  # the metadata
    density: Density | None
    source: Source
    stored: int  # the orientation that the file names: Pillow turns TIFFs itself, so theirs can differ from the other
    plays: int  # how often an animation is played; 0: for ever
    warnings: tuple[str, ...]


def picture(source: Source, stored: Size, pages: int) -> Picture:
    """The properties of `source`, whose first frame is decoded. `stored`: its size before decoding, not upright."""
    facts_ = facts_of(source)
    warnings = [*source.remarks, *([DAMAGED_EXIF] if facts_.damaged else [])]
    if pages > 1 and source.format in _OF_PAGES:
        page = source.image.tell()
        warnings.append(f"{f'page {page}' if page else 'first'} of {pages} pages only")
    blocks = read_blocks(source)
    icc = profile_of(source.image, source.format, source.view)
    return Picture(
        size=upright_size(stored, facts_.orientation),
        orientation=facts_.orientation,
        icc=icc,
        blocks=blocks,
        density=stated(source.image.info.get("dpi"), blocks.exif),
        source=source,
        stored=_named_in(blocks) if source.format == "TIFF" else facts_.orientation,
        plays=_plays(source),
        warnings=tuple(warnings),
    )


def _named_in(blocks: Blocks) -> int:
    said = blocks.exif.main.get(ORIENTATION)
    return said.number if said is not None and said.number is not None and said.number in _ORIENTATIONS else 1


def facts_of(source: Source) -> Facts:
    """The facts in the metadata read so far; a PNG's may come after its pixels. Never raises."""
    exif = source.image.info.get("exif")
    if not isinstance(exif, bytes) or source.format == "TIFF":  # Pillow turns TIFFs itself while decoding
        return Facts()
    if exif not in source.facts:
        source.facts[exif] = read_exif(exif)
    return source.facts[exif]


def shrink_on_load(source: Source, task: RenderTask) -> int:
    """The factor by which the decoder may shrink (1, 2, 4 or 8) and still leave enough pixels for every rendition."""
    if source.format != "JPEG":
        return 1
    orientation = facts_of(source).orientation
    upright = upright_size(source.image.size, orientation)
    most = min((max_shrink(upright, orientation, spec, task) for spec in (*task.specs, *task.beside)), default=1.0)
    return next(factor for factor in (8, 4, 2, 1) if factor <= most or factor == 1)


def frames(source: Source, task: RenderTask, count: int) -> Iterator[Frame]:
    """Yields the first `count` frames, decoded one at a time. Raises PictureError for any fault of the file.

    After the first frame `source.image.info` holds all metadata.
    """
    try:
        image = source.image
        shrink = shrink_on_load(source, task)
        if shrink > 1:
            image.draft(None, (image.width // shrink, image.height // shrink))
        deep = _deep(source) if count == 1 else None
        if deep is not None:
            yield Frame(deep, shrink)
            return
        for number in range(count):
            if number or count > 1:
                image.seek(number)
            image.load()
            duration = _shown_for(image.info.get("duration")) if count > 1 else 0
            yield Frame(_working(source), shrink, duration)
    except PictureError:
        raise
    except Exception as error:
        raise decode_failure(error, source.view, source.format) from error


def first_in_srgb(source: Source, limits: Limits) -> Image.Image:
    """The first frame at 8 bits a channel in sRGB, of HDR tone-mapped, as stored. Raises as `frames` does."""
    stored = source.image.size
    (frame,) = frames(source, RenderTask((), limits), 1)
    pixels, _warnings = in_srgb(frame.image, picture(source, stored, 1).icc)
    return pixels.rounded() if isinstance(pixels, Deep) else pixels


def _deep(source: Source) -> Deep | None:
    """The picture at 16 bits a channel, if it has more than 8 or is HDR, is grey or RGB, and libvips is installed."""
    image = source.image
    if not source.is_deep:
        return None
    if source.bits > DEEP:
        match image:
            case Png() | Tiff():
                return image.deep()
            case Avif():
                return image.deep(facts_of(source).orientation)
        if source.format == "HEIF":
            return heif.decoded_deep(source.view, image.tell())
    image.load()
    return of_pillow(_working(source))


def _shown_for(said: object) -> int:
    duration = round(said) if isinstance(said, int | float) else 0
    return duration if duration > _TOO_SHORT else _INSTEAD


def _plays(source: Source) -> int:
    loop = source.image.info.get("loop")
    if source.format == "GIF":  # counts repetitions after the first time; None: no repetition
        return 1 if loop is None else loop + 1 if loop else 0
    return loop if isinstance(loop, int) else 0


def _working(source: Source) -> Image.Image:
    """The decoded picture in a working mode. It may be the source's own image, so it must not be changed."""
    image = source.image
    mode, transparent = image.mode, image.has_transparency_data
    if mode.startswith("I;16"):
        return image if mode == "I;16" else image.convert("I")
    if mode == "F":  # clipped before resampling, which would spread an infinity or NaN over its surroundings
        clipped = ImageMath.lambda_eval(lambda bands: bands["min"](bands["max"](bands["image"], 0.0), 1.0), image=image)
        return Image.merge("F", (clipped,))
    if mode == "CMYK":
        # Pillow treats every CMYK JPEG as inverted, as Adobe writes them; one without Adobe's marker is not.
        return ImageChops.invert(image) if source.format == "JPEG" and "adobe" not in image.info else image
    if mode in ("1", "L", "La") and not (mode == "L" and not transparent):
        return image.convert("LA" if transparent else "L")
    if mode in ("P", "PA", "RGBa", "RGBX", "YCbCr", "HSV") or (mode == "RGB" and transparent):
        return image.convert("RGBA" if transparent else "RGB")
    return image
