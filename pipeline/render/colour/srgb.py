"""Converts pictures to sRGB through their ICC profile, or keeps colours and profile if the spec asks for that.

The intent is relative colorimetric with black point compensation, unless the profile's header asks for saturation or
absolute colours; most headers say perceptual without meaning it. Transforms are built once for a profile and process.
Threads can share those of LittleCMS, as each call works on a copy of the cache, and may build the same one twice.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageCms

from pipeline.model.spec import Format
from pipeline.render.colour import hdr

_SPACES = {"L": "GRAY", "LA": "GRAY", "RGB": "RGB ", "RGBA": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}
_TARGETS = {"L": "RGB", "RGB": "RGB", "CMYK": "RGB", "LAB": "RGB"}
_CACHED = 32  # profiles; a CMYK one takes about a megabyte
_NEAR = 0.003  # primaries within this distance in XYZ are the same: profiles round them and adapt them in their own way
_ABSOLUTE = ImageCms.Intent.ABSOLUTE_COLORIMETRIC
_CHOSEN_INTENTS = (ImageCms.Intent.SATURATION, _ABSOLUTE)
_NAMES = {
    ImageCms.Intent.RELATIVE_COLORIMETRIC: "relative",
    ImageCms.Intent.SATURATION: "saturation",
    _ABSOLUTE: "absolute",
}  # of intents, in libvips
_HOLDS_CMYK = (Format.JPEG, Format.TIFF)


def kept(
    image: Image.Image, icc: bytes | None, target: Format, *, plain: bool, cmyk: bytes | None = None
) -> tuple[Image.Image, bytes | None, tuple[str, ...]]:
    """`image` at 8 bits in its own colours, the profile to write with it, and warnings.

    If `target` cannot hold the colours, the picture is converted to sRGB and the profile is None. This concerns HDR and
    Lab in any format, CMYK except in JPEG and TIFF, and grey with a profile in WebP; also CMYK and grey if the picture
    is not `plain`, which means that something in RGB is put beside or over it. `cmyk`: as in `to_srgb`.
    """
    image = eight_bits(image)
    keeps, profile_ = keeping(image.mode, icc, target, plain=plain)
    if keeps:
        return image, profile_, ()
    converted, told = to_srgb(image, icc, cmyk)
    return converted, None, (*_colours_lost(image.mode, target), *told)


def _colours_lost(mode: str, target: Format) -> tuple[str, ...]:
    """A warning, with the reason, of a picture in `mode` that `kept` converts for `target`; none of grey and RGB."""
    if mode == "LAB":
        return ("Lab becomes sRGB: no format keeps it",)
    if mode != "CMYK":
        return ()
    if target in _HOLDS_CMYK:
        return ("CMYK becomes sRGB: what is drawn over it or beside it is RGB",)
    return (f"CMYK becomes sRGB: {target} holds no CMYK; tiff and jpeg would keep it",)


def keeping(mode: str, icc: bytes | None, target: Format, *, plain: bool) -> tuple[bool, bytes | None]:
    """Whether a picture in `mode` stays in its own colours, and the profile to write with it. See `kept`."""
    fits = icc is not None and not isinstance(_transform(icc, _base(mode)), str)
    holds = hdr.said(icc) is None
    match _base(mode):
        case "LAB":
            holds = False
        case "CMYK":
            holds = plain and target in _HOLDS_CMYK
        case "L":
            holds = holds and (not fits or (plain and target is not Format.WEBP))
    return holds, icc if holds and fits else None


def to_srgb(image: Image.Image, icc: bytes | None, cmyk: bytes | None = None) -> tuple[Image.Image, tuple[str, ...]]:
    """`image` of any working mode as sRGB in `L`, `LA`, `RGB` or `RGBA`, and warnings.

    A profile that is broken or made for other channels causes a warning, and the picture counts as untagged: grey and
    RGB as sRGB, CMYK through the profile `cmyk` or, without one, by R = (1-C)(1-K) and so on. 16-bit grey is scaled;
    `I` (32-bit integers) has the range 0..65535 and `F` 0..1, with values outside clipped.
    """
    image = eight_bits(image)
    trouble: tuple[str, ...] = ()
    transform: ImageCms.ImageCmsTransform | str | None = None
    if icc:
        transform = _transform(icc, _base(image.mode))
        if isinstance(transform, str):
            trouble, transform = (transform,), None
    if transform is None and image.mode == "LAB":
        transform = _from_lab()
    if transform is None and image.mode == "CMYK":
        trouble = (*trouble, "CMYK without a usable profile: colours are approximate")
        transform = _transform(cmyk, "CMYK") if cmyk else None
    if isinstance(transform, ImageCms.ImageCmsTransform):
        return _through(transform, image), trouble
    return image.convert("RGB") if image.mode == "CMYK" else image, trouble


@dataclass(frozen=True, slots=True)
class Use:
    """How LittleCMS is to use a profile: the intent by libvips' name, and whether black points are compensated."""

    intent: str
    black_point: bool


def usable(icc: bytes, mode: str) -> Use | str | None:
    """How pixels in `mode` go through `icc` to sRGB at more than 8 bits; None if that changes nothing, else a warning
    that says why the profile is unusable.
    """
    transform = _transform(icc, _base(mode))
    if not isinstance(transform, ImageCms.ImageCmsTransform):
        return transform
    chosen = _intent(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    return Use(_NAMES[chosen], chosen != _ABSOLUTE)


@functools.cache
def profile() -> bytes:
    """LittleCMS' own sRGB, which every conversion ends at."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_space(
    image: Image.Image, icc: bytes | None, space: bytes, cmyk: bytes | None = None
) -> tuple[Image.Image, bytes | None, tuple[str, ...]]:
    """`image` in the RGB colours of the profile `space`, with it, and warnings. Grey becomes sRGB's, without one.

    `cmyk`: as in `to_srgb`.
    """
    image = eight_bits(image)
    mode = _base(image.mode)
    trouble: tuple[str, ...] = ()
    if mode == "L":
        converted, trouble = to_srgb(image, icc)
        return converted, None, trouble
    if icc and isinstance(transform := _transform(icc, mode), str):
        icc, trouble = None, (transform,)
    if icc is None and mode in ("CMYK", "LAB"):
        image, told = to_srgb(image, None, cmyk)
        trouble, mode = (*trouble, *told), _base(image.mode)
    return _through(_between(icc or profile(), mode, space), image), space, trouble


def same_primaries(icc: bytes | None, other: bytes | None) -> bool:
    """Whether two profiles of RGB have the same primaries. None, and a profile that cannot be used, stand for sRGB."""
    if icc == other:
        return True
    points, others = _primaries(icc), _primaries(other)
    return len(points) == len(others) > 0 and all(abs(a - b) < _NEAR for a, b in zip(points, others, strict=True))


def _primaries(icc: bytes | None) -> list[float]:
    """XYZ of red, green and blue; empty if a profile has tables instead of them."""
    used = icc if icc is not None and isinstance(usable(icc, "RGB"), Use) else profile()
    said = ImageCms.ImageCmsProfile(io.BytesIO(used)).profile
    each = (said.red_colorant, said.green_colorant, said.blue_colorant)
    return [value for points in each if points is not None for value in points[0]]


@functools.lru_cache(maxsize=_CACHED)
def _between(icc: bytes, mode: str, space: bytes) -> ImageCms.ImageCmsTransform:
    return _build(ImageCms.ImageCmsProfile(io.BytesIO(icc)), mode, space)


def eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, scaled to `L` and rounded; other modes unchanged. Pillow's own conversion clips."""
    match image.mode:
        case "I;16":
            return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
        case "I":
            return image.point(lambda value: value * (1 / 257) + 0.5).convert("L")
        case "F":
            return image.point(lambda value: value * 255 + 0.5).convert("L")
    return image


def _base(mode: str) -> str:
    """The mode without its alpha."""
    return {"LA": "L", "RGBA": "RGB"}.get(mode, mode)


def _through(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    grey = _base(image.mode) == "L"
    opaque = image if alpha is None else image.convert(_base(image.mode))
    result = transform.apply(opaque)
    if grey:
        result = result.getchannel("G")  # a neutral profile gives three equal channels
    if alpha is None:
        return result
    return Image.merge("LA" if grey else "RGBA", (*result.split(), alpha))


@functools.lru_cache(maxsize=_CACHED)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | str | None:
    """The transform from `mode` under `icc` to sRGB; None if it changes nothing, a warning if `icc` is unusable."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space
        if space != _SPACES[mode]:
            return f"colour profile ignored: it is for {space.strip()}, the picture is {mode}"
        transform = _build(profile, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError, MemoryError):
        return "colour profile ignored: it is broken"
    return None if mode in ("L", "RGB") and _changes_nothing(transform, mode) else transform


def _intent(profile: ImageCms.ImageCmsProfile) -> ImageCms.Intent:
    said = profile.profile.rendering_intent
    return ImageCms.Intent(said if said in _CHOSEN_INTENTS else ImageCms.Intent.RELATIVE_COLORIMETRIC)


@functools.cache
def _from_lab() -> ImageCms.ImageCmsTransform:
    return _build(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _build(source: ImageCms.ImageCmsProfile, mode: str, space: bytes | None = None) -> ImageCms.ImageCmsTransform:
    """From `source` to the profile `space`; None: sRGB."""
    chosen = _intent(source)
    flags = ImageCms.Flags.NONE if chosen == _ABSOLUTE else ImageCms.Flags.BLACKPOINTCOMPENSATION
    if mode == "LAB":  # a precomputed table of LittleCMS is off by up to 21 levels
        flags |= ImageCms.Flags.NOOPTIMIZE
    return ImageCms.ImageCmsTransform(
        source,
        ImageCms.ImageCmsProfile(io.BytesIO(profile() if space is None else space)),
        mode,
        _TARGETS[mode],
        intent=chosen,
        flags=flags,
    )


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether the transform changes no colour by more than rounding: most embedded profiles are sRGB by some name."""
    if mode == "L":
        probe = Image.frombytes("L", (256, 1), bytes(range(256)))
    else:
        steps = range(0, 256, 15)
        colours = bytes(value for r in steps for g in steps for b in steps for value in (r, g, b))
        probe = Image.frombytes("RGB", (len(colours) // 3, 1), colours)
    difference = ImageChops.difference(transform.apply(probe), probe.convert("RGB"))
    return max(high for _, high in difference.getextrema()) <= 1  # type: ignore[misc]
