"""How the samples of a TIFF are stored, and which decoder reads them right: Pillow, libvips, or neither.

Pillow silently misreads many layouts that it opens (planes of 16 bits, compressed big-endian floats), and libvips
misreads others. A layout in neither table is refused by name. Both tables come from comparing the two libraries with
tifffile over all combinations of photometric x bits x sample format x extra samples x planes x
compression x predictor x byte order x fill order x strips or tiles: 15,000 small files.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
UNSPECIFIED, PREMULTIPLIED, STRAIGHT = (0,), (1,), (2,)  # extra samples: unknown, or an alpha of either kind

COLOURS = {
    WHITE_IS_ZERO: 1,
    BLACK_IS_ZERO: 1,
    RGB: 3,
    PALETTE: 1,
    CMYK: 4,
    YCBCR: 3,
    LAB: 3,
}  # samples a pixel
_PHOTOMETRICS = {
    WHITE_IS_ZERO: "grey (white is zero)",
    BLACK_IS_ZERO: "grey",
    RGB: "RGB",
    PALETTE: "palette",
    4: "mask",
    CMYK: "CMYK",
    YCBCR: "YCbCr",
    LAB: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32803: "colour filter array",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw",
    51177: "depth map",
}
_SAMPLE_FORMATS = {UNSIGNED: "", SIGNED: " signed", FLOAT: " floating point", 4: " undefined", 5: " complex"}

_NONE, _LZW, _OLD_JPEG, _JPEG, _DEFLATE, _PACKBITS, _OLD_DEFLATE = 1, 5, 6, 7, 8, 32773, 32946
_COMPRESSIONS = {
    _NONE: "uncompressed",
    2: "CCITT RLE",
    3: "CCITT Group 3",
    4: "CCITT Group 4",
    _LZW: "LZW",
    _JPEG: "JPEG",
    _OLD_JPEG: "old-style JPEG",
    _DEFLATE: "Deflate",
    _PACKBITS: "PackBits",
    _OLD_DEFLATE: "Deflate",
    9: "JBIG",
    32766: "NeXT RLE",
    32771: "CCITT RLE",
    32809: "ThunderScan",
    32908: "Pixar film",
    32909: "Pixar log",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34661: "JBIG",
    34676: "SGI log",
    34677: "SGI log",
    34887: "LERC",
    34892: "lossy JPEG",
    34925: "LZMA",
    34933: "PNG",
    34934: "JPEG XR",
    22610: "JPEG XR",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_PILLOW_DECOMPRESSES = (_NONE, 2, 3, 4, _LZW, _OLD_JPEG, _JPEG, _DEFLATE, _PACKBITS, 32771, _OLD_DEFLATE, 34925, 50000)
_LIBVIPS_DECOMPRESSES = (_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE)
_OF_EIGHT_BITS = (_OLD_JPEG, _JPEG)  # with other depths no decoder here reads them
_CMYK_INKS = 1
_NAMED = 8  # extra samples that a message lists

_SIGNIFICANT = tuple(2**bits - 1 for bits in range(9, 16))

Tags = Mapping[int, object]


class Decoder(enum.Enum):
    """Which library reads a layout."""

    PILLOW = enum.auto()
    LIBVIPS = enum.auto()
    NONE = enum.auto()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a page's samples are stored, in the numeric codes of the format; -1 for an invalid value."""

    big_endian: bool
    photometric: int
    samples: int  # of a pixel
    bits: int  # of each sample
    kind: int  # the sample format
    extras: tuple[int, ...]
    planar: bool  # each sample has a plane of its own
    tiled: bool
    compression: int
    predictor: int
    reversed_bits: bool  # the fill order
    inks: int
    most: int  # the integer that is white; the bits may hold larger ones

    def __str__(self) -> str:
        colours = _PHOTOMETRICS.get(self.photometric, f"photometric {self.photometric}")
        bits = "unequal bits" if self.bits < 0 else f"{self.bits}{_SAMPLE_FORMATS.get(self.kind, ' strange')} bits"
        said = [colours, bits, _COMPRESSIONS.get(self.compression, f"compression {self.compression}")]
        if self.samples != COLOURS.get(self.photometric):
            said.append(f"{self.samples} samples (extra: {', '.join(map(str, self.extras[:_NAMED])) or 'none named'})")
        if self.planar:
            said.append("planar")
        if self.predictor != 1:
            said.append(f"predictor {self.predictor}")
        if self.inks != _CMYK_INKS:
            said.append("other inks")
        return ", ".join(said)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A set of layouts: each property has one of the values listed for it."""

    photometrics: tuple[int, ...]
    kind: int
    bits: tuple[int, ...]
    extras: tuple[tuple[int, ...], ...] = ((),)
    planar: tuple[bool, ...] = (False,)
    big_endian: tuple[bool, ...] = (False, True)
    reversed_bits: tuple[bool, ...] = (False,)

    def holds(self, layout: Layout) -> bool:
        return (
            layout.photometric in self.photometrics
            and layout.kind == self.kind
            and layout.bits in self.bits
            and layout.extras in self.extras
            and layout.planar in self.planar
            and layout.big_endian in self.big_endian
            and layout.reversed_bits in self.reversed_bits
        )


_GREYS, _EITHER, _LITTLE = (WHITE_IS_ZERO, BLACK_IS_ZERO), (False, True), (False,)
_ALPHAS = ((), UNSPECIFIED, PREMULTIPLIED, STRAIGHT)
_MORE = ((0, 0), (0, 0, 0), (1, 0), (1, 0, 0), (2, 0), (2, 0, 0), (999,))  # the last is CorelDraw's alpha

_BY_PILLOW = (
    _Rule((*_GREYS, PALETTE), UNSIGNED, (1, 2, 4, 8)),
    _Rule(_GREYS, UNSIGNED, (1, 2, 4), reversed_bits=_EITHER),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (8,), reversed_bits=_EITHER),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (8,), _ALPHAS),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (12,), big_endian=_LITTLE),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (16,)),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (16,), big_endian=_LITTLE, reversed_bits=_EITHER),
    _Rule((WHITE_IS_ZERO,), UNSIGNED, (16,), big_endian=_LITTLE),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (32,), big_endian=_LITTLE),
    _Rule((BLACK_IS_ZERO,), SIGNED, (32,)),
    _Rule(_GREYS, FLOAT, (32,)),
    _Rule((PALETTE,), UNSIGNED, (8,), (UNSPECIFIED, STRAIGHT)),
    _Rule((RGB,), UNSIGNED, (8,), ((), PREMULTIPLIED, STRAIGHT), planar=_EITHER),
    _Rule((RGB,), UNSIGNED, (8,), (UNSPECIFIED, *_MORE)),
    _Rule((RGB,), UNSIGNED, (8,), reversed_bits=_EITHER),
    _Rule((RGB,), UNSIGNED, (16,), ((), UNSPECIFIED, STRAIGHT), planar=_EITHER),
    _Rule((CMYK,), UNSIGNED, (8, 16), planar=_EITHER),
    _Rule((CMYK,), UNSIGNED, (8,), (UNSPECIFIED, (0, 0))),
    _Rule((YCBCR,), UNSIGNED, (8,), planar=_EITHER),
    _Rule((LAB,), UNSIGNED, (8,)),
)
_BY_LIBVIPS = (
    _Rule(_GREYS, UNSIGNED, (8, 16), ((), UNSPECIFIED, STRAIGHT, (2, 0)), reversed_bits=_EITHER),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (8, 16), (PREMULTIPLIED,), reversed_bits=_EITHER),
    _Rule(_GREYS, FLOAT, (16, 32), ((), UNSPECIFIED, STRAIGHT, (2, 0))),
    _Rule((BLACK_IS_ZERO,), UNSIGNED, (32,)),
    _Rule((PALETTE,), UNSIGNED, (16,)),
    _Rule((RGB,), UNSIGNED, (8, 16), (*_ALPHAS, (2, 0)), planar=_EITHER, reversed_bits=_EITHER),
    _Rule((RGB,), FLOAT, (16,), ((), UNSPECIFIED, STRAIGHT, (2, 0))),
    _Rule((RGB,), FLOAT, (32,), (*_ALPHAS, (2, 0)), planar=_EITHER),
    _Rule((CMYK,), UNSIGNED, (8, 16), ((), UNSPECIFIED), planar=_EITHER, reversed_bits=_EITHER),
    _Rule((LAB,), UNSIGNED, (8, 16), ((), UNSPECIFIED)),
)


def layout(tags: Tags, *, big_endian: bool) -> Layout:
    """The layout that `tags`, as read by Pillow, describe. Never raises."""
    compression = _number(tags, 259, _NONE)
    photometric = YCBCR if compression == _OLD_JPEG else _number(tags, 262, WHITE_IS_ZERO)
    samples = _number(tags, 277, 3 if compression == _OLD_JPEG else 1)
    stored = _numbers(tags, 258, (1,))[: max(1, samples)]
    bits = stored[0] if len(set(stored)) == 1 and len(stored) in (1, samples) else -1
    kinds = set(_numbers(tags, 339, (UNSIGNED,)))
    extras = _numbers(tags, 338, ())
    if photometric == RGB and samples == 4 and not extras:
        extras = STRAIGHT  # older writers omit the tag
    told = _numbers(tags, 281, ())
    return Layout(
        big_endian=big_endian,
        photometric=photometric,
        samples=samples,
        bits=bits,
        kind=kinds.pop() if len(kinds) == 1 else -1,
        extras=extras,
        planar=samples > 1 and _number(tags, 284, 1) == 2,
        tiled=322 in tags,
        compression=compression,
        predictor=_number(tags, 317, 1),
        reversed_bits=_number(tags, 266, 1) == 2,
        inks=_number(tags, 332, _CMYK_INKS) if photometric == CMYK else _CMYK_INKS,
        # MaxSampleValue is the camera's range from some writers, and the picture's largest value from others.
        most=max(told) if bits == 16 and told and max(told) in _SIGNIFICANT else 2 ** min(max(bits, 1), 64) - 1,
    )


def decoder(stored: Layout) -> Decoder:
    """The decoder that reads the layout right, whether or not libvips is installed."""
    if not _makes_sense(stored):
        return Decoder.NONE
    if stored.compression in _PILLOW_DECOMPRESSES and any(rule.holds(stored) for rule in _BY_PILLOW):
        scaled = stored.photometric == RGB and stored.bits == 16 and stored.most != 2**16 - 1
        if not scaled:  # Pillow keeps only the top bytes
            return Decoder.PILLOW
    return Decoder.LIBVIPS if _libvips_reads(stored) else Decoder.NONE


def is_deep(stored: Layout) -> bool:
    """Whether libvips reads the layout right at 16 bits: grey and RGB with more than 8."""
    colours = stored.photometric in (*_GREYS, RGB)
    return stored.bits > 8 and colours and _makes_sense(stored) and _libvips_reads(stored)


def _libvips_reads(stored: Layout) -> bool:
    apart = stored.planar and stored.tiled  # libvips does not read it
    known = stored.compression in _LIBVIPS_DECOMPRESSES and any(rule.holds(stored) for rule in _BY_LIBVIPS)
    return known and not apart


def _makes_sense(stored: Layout) -> bool:
    """Whether the layout has one accepted meaning."""
    return (
        stored.inks == _CMYK_INKS
        and stored.samples == COLOURS.get(stored.photometric, 0) + len(stored.extras)
        and (stored.predictor == 1 or stored.compression != _NONE)
        and (stored.bits == 8 or stored.compression not in _OF_EIGHT_BITS)
    )


def _numbers(tags: Tags, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    value = tags.get(tag, default)
    values = value if isinstance(value, tuple) else (value,)
    return tuple(value if isinstance(value, int) else -1 for value in values)


def _number(tags: Tags, tag: int, default: int) -> int:
    return (*_numbers(tags, tag, (default,)), -1)[0]
