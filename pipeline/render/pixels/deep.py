"""Pixels of 16 bits a channel, which Pillow has no image for: held in memory, worked on by libvips.

The calling thread fetches every result strip by strip, so that libvips starts no thread. Each operation rounds once, to
16 bits, and `rounded` rounds to 8 at the end.
"""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

from pipeline.render.colour import cicp, hdr, srgb
from pipeline.render.geometry.fit import Box, Placement, Size
from pipeline.render.pixels import libvips, linear_light, tone_mapping

BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
WITH_ALPHA = ("LA", "RGBA")
WHITE = 65535
_INTERPRETATIONS = {1: "grey16", 2: "grey16", 3: "rgb16", 4: "rgb16"}  # by bands
PILLOWS = {"I;16": ("ushort", 1.0), "I": ("int", 1.0), "F": ("float", float(WHITE))}  # modes -> format, factor
_PROFILE = "icc-profile-data"


class Deep:
    """Pixels in `mode` (one of `BANDS`; alpha is straight), which nothing changes. Only where libvips is installed."""

    __slots__ = ("_samples", "mode", "size")

    def __init__(self, mode: str, size: Size, samples: bytes | bytearray) -> None:
        """`samples`: 16 bits each in the machine's byte order, rows from the top, without gaps."""
        self.mode, self.size, self._samples = mode, size, samples

    @property
    def width(self) -> int:
        """In pixels."""
        return self.size[0]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.size[1]

    @property
    def image(self) -> Any:
        """A libvips image that reads the same memory."""
        vips: Any = libvips.module()
        bands = BANDS[self.mode]
        image = vips.Image.new_from_memory(self._samples, *self.size, bands, "ushort")
        return image.copy(interpretation=_INTERPRETATIONS[bands])

    @property
    def is_transparent(self) -> bool:
        """Whether an alpha hides anything."""
        if self.mode not in WITH_ALPHA:
            return False
        alpha = libvips.fetched(self.image.extract_band(BANDS[self.mode] - 1))
        return alpha.count(0xFF) < len(alpha)

    def rounded(self) -> Image.Image:
        """The same picture at 8 bits, each sample the nearest level."""
        levels = self.image.linear(1 / 257, 0.5).cast("uchar")
        return Image.frombytes(self.mode, self.size, libvips.fetched(levels))

    def opaque(self) -> Deep:
        """The colours without their alpha."""
        return of(self.image.extract_band(0, n=BANDS[self.mode] - 1), self.mode.removesuffix("A"))

    def padded(self, placement: Placement, mode: str, colour: tuple[int, int, int, int]) -> Deep:
        """The picture over and within `colour` (red, green, blue, alpha of 255), in `mode`, which holds both."""
        image = self.image
        colours = BANDS[self.mode] - (self.mode in WITH_ALPHA)
        alpha = image.extract_band(colours) if self.mode in WITH_ALPHA else (image.extract_band(0) * 0 + WHITE)
        wanted = BANDS[mode] - (mode in WITH_ALPHA)
        own = image.extract_band(0, n=colours)
        own = own.bandjoin([own, own]) if wanted > colours else own
        ground = [level * 257 for level in colour[:wanted]]
        (x, y), under = placement.offset, colour[3] / 255
        own, alpha = (layer.embed(x, y, *placement.canvas) for layer in (own, alpha))
        cover = alpha.linear(1 / WHITE, 0)
        total = cover + (1 - cover) * under
        mixed = (own * cover + (1 - cover) * under * ground) / total  # 0 where all is transparent
        joined = mixed.bandjoin(total * WHITE) if mode in WITH_ALPHA else mixed
        return of(joined.rint().cast("ushort"), mode)

    def turned(self, orientation: int) -> Deep:
        """Upright, if it is stored under an EXIF orientation of 2 to 8."""
        image = self.image
        match orientation:
            case 2:
                turned = image.fliphor()
            case 3:
                turned = image.rot180()
            case 4:
                turned = image.flipver()
            case 5:
                turned = image.rot90().fliphor()
            case 6:
                turned = image.rot90()
            case 7:
                turned = image.rot90().flipver()
            case 8:
                turned = image.rot270()
            case _:
                return self
        return of(turned, self.mode)

    def resampled(self, box: Box, size: Size, *, linear: bool) -> Deep:
        """`box` at `size`: by Lanczos along a side that gets shorter, by bicubic along one that gets longer.

        With `linear` the pixels are sRGB and are averaged as light.
        """
        across = _side(box[0], box[2], self.width, size[0])
        down = _side(box[1], box[3], self.height, size[1])
        image = self.image.crop(across.start, down.start, across.length, down.length)
        alpha = self.mode in WITH_ALPHA
        if linear:
            image = linear_light.of_deep(image, alpha=alpha)
        if alpha:
            image = image.premultiply(max_alpha=WHITE)
        image = image.reduce(across.factor, down.factor, kernel="lanczos3", gap=libvips.GAP)
        if across.larger or down.larger:
            image = _enlarged(image, across, down, size)
        if alpha:
            image = image.unpremultiply(max_alpha=WHITE)
        if linear:
            image = linear_light.to_deep(image, alpha=alpha)
        return of(image.rint().cast("ushort"), self.mode)

    def in_srgb(self, icc: bytes | None) -> tuple[Deep, tuple[str, ...]]:
        """The colours through `icc` to sRGB, and warnings, as `colour.srgb.to_srgb` does it at 8 bits."""
        shown, icc = self._tone_mapped(icc)
        use = srgb.usable(icc, self.mode) if icc else None
        if isinstance(use, str):
            return shown, (use,)
        if icc is None or use is None:
            return shown, ()
        return shown._through(icc, srgb.profile(), use), ()

    def in_space(self, icc: bytes | None, space: bytes) -> tuple[Deep, bytes | None, tuple[str, ...]]:
        """The colours through `icc` to those of the profile `space`, as `colour.srgb.to_space` does it at 8 bits."""
        if self.mode in ("L", "LA"):
            grey, told = self.in_srgb(icc)
            return grey, None, told
        shown, icc = self._tone_mapped(icc)
        use = srgb.usable(icc, self.mode) if icc else None
        trouble = (use,) if isinstance(use, str) else ()
        if icc is None or not isinstance(use, srgb.Use):
            icc, use = srgb.profile(), srgb.Use("relative", black_point=True)
        return shown._through(icc, space, use), space, trouble

    def _tone_mapped(self, icc: bytes | None) -> tuple[Deep, bytes | None]:
        """The pixels without HDR, and their profile; unchanged if `icc` says nothing of PQ or HLG."""
        said = hdr.said(icc)
        if said is None:
            return self, icc
        colours = BANDS[self.mode] - (self.mode in WITH_ALPHA)
        shown = tone_mapping.to_sdr(self.image.extract_band(0, n=colours), said)
        if self.mode in WITH_ALPHA:
            shown = shown.bandjoin(self.image.extract_band(colours))
        return of(shown, self.mode), cicp.sdr(said, grey=colours == 1)

    def _through(self, icc: bytes, space: bytes, use: srgb.Use) -> Deep:
        image = self.image
        colours = BANDS[self.mode] - (self.mode in WITH_ALPHA)
        coloured = _with_profile(image.extract_band(0, n=colours), icc)
        told = {"intent": use.intent, "black_point_compensation": use.black_point, "pcs": "lab"}
        converted = _with_profile(coloured.icc_import(embedded=True, **told), space)
        converted = converted.icc_export(depth=16, **told)
        if colours == 1:
            converted = converted.extract_band(1)  # a neutral profile gives three equal channels
        if self.mode in WITH_ALPHA:
            converted = converted.bandjoin(image.extract_band(colours))
        return of(converted, self.mode)


def of(image: Any, mode: str) -> Deep:
    """The pixels of a libvips image of 16-bit samples. Raises whatever libvips raises."""
    return Deep(mode, (image.width, image.height), libvips.fetched(image))


def scaled(image: Any, bits: int, mode: str) -> Deep:
    """The pixels of a libvips image of 16-bit samples that hold `bits` each at their upper end."""
    most = (1 << 16) - (1 << (16 - bits))
    return of(image.linear(WHITE / most, 0.5).cast("ushort") if most < WHITE else image, mode)


def of_pillow(image: Image.Image) -> Deep:
    """A picture in one of `BANDS`, 8 bits a channel, or grey of more in one of `PILLOWS`: `I` has the range 0 to
    65,535, `F` 0 to 1.
    """
    vips: Any = libvips.module()
    if image.mode in BANDS:
        levels = vips.Image.new_from_memory(image.tobytes(), *image.size, BANDS[image.mode], "uchar")
        return of(levels.linear(257, 0).cast("ushort"), image.mode)
    format_, factor = PILLOWS[image.mode]
    samples = vips.Image.new_from_memory(image.tobytes(), image.width, image.height, 1, format_)
    if format_ == "float":
        samples = (samples == samples).ifthenelse(samples, 0.0)  # noqa: PLR0124 -- a NaN is not equal to itself
    return of(samples if format_ == "ushort" else samples.linear(factor, 0.5).cast("ushort"), "L")


class _Side:
    """How one side is resampled: the whole pixels that are read, and the factor between them and the result."""

    __slots__ = ("factor", "larger", "length", "offset", "scale", "start")

    def __init__(self, start: int, end: int, factor: float, scale: float = 1.0, offset: float = 0.0) -> None:
        self.start, self.length, self.factor = start, end - start, factor
        self.scale, self.offset = scale, offset  # of what gets longer: result to source, and where in the pixels read
        self.larger = scale > 1


def _side(low: float, high: float, length: int, count: int) -> _Side:
    if high - low >= count:
        return _Side(*libvips.window(low, high, length, count))
    start, end = max(0, math.floor(low) - 2), min(length, math.ceil(high) + 2)  # bicubic looks two pixels around
    return _Side(start, end, 1.0, count / (high - low), low - start)


def _enlarged(image: Any, across: _Side, down: _Side, size: Size) -> Any:
    """The pixels of `image` at `size`, along the sides that get longer; the others have their size already."""
    vips: Any = libvips.module()
    return image.affine(
        [across.scale, 0, 0, down.scale],
        interpolate=vips.Interpolate.new("bicubic"),
        oarea=[0, 0, *size],
        idx=_shift(across),
        idy=_shift(down),
        extend="copy",
        premultiplied=True,
    )


def _shift(side: _Side) -> float:
    """What moves the middle of the first pixel of the result to its place: libvips counts from middles of pixels."""
    return 0.5 - 0.5 / side.scale - side.offset


def _with_profile(image: Any, icc: bytes) -> Any:
    vips: Any = libvips.module()
    copied = image.copy()
    copied.set_type(vips.GValue.blob_type, _PROFILE, icc)
    return copied
