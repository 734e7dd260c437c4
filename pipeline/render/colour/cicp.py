"""Builds a profile if a file states its colours in numbers: CICP (cICP in PNG, nclx in AVIF and HEIF), gAMA and cHRM.

All colour is then converted through profiles. The numbers are read as browsers read them: transfer functions close to
that of sRGB (BT.601, 709, 2020) count as sRGB's, because pictures are graded on screens that show them so.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator

from PIL import Image

from pipeline.model.spec import Profile
from pipeline.render.colour.hdr import DEFAULT_PEAK, TRANSFERS, Hdr, tags_of
from pipeline.render.colour.hdr import said as said_by
from pipeline.render.container.bmff import properties
from pipeline.render.container.png import png_chunks
from pipeline.render.container.view import View

Pair = tuple[float, float]
Primaries = tuple[Pair, Pair, Pair, Pair]  # x and y of white, red, green, blue
Matrix = tuple[tuple[float, ...], ...]

_D65 = (0.3127, 0.3290)
_SRGB: Primaries = (_D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_PRIMARIES: dict[int, Primaries] = {  # ITU-T H.273, table 2
    1: _SRGB,
    4: ((0.310, 0.316), (0.67, 0.33), (0.21, 0.71), (0.14, 0.08)),
    5: (_D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (_D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: (_D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (_D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_ADOBE_RGB: Primaries = (_D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_ADOBE_GAMMA = 563 / 256
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # table 3; all others count as sRGB's curve
_UNSAID = 2
_CACHED = 32  # profiles, of the many that pictures may ask for
_NEAR = 0.002  # primaries and gamma within this distance count as those of sRGB
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "F")

_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_D50 = (0.96422, 1.0, 0.82521)


def profile_of(image: Image.Image, format_: str, view: View) -> bytes | None:
    """The ICC profile of an opened picture, its own or one built from what the file states.

    None stands for sRGB, stated or not. `format_` is Pillow's name of the format, `view` all bytes of the file. One
    built for PQ or HLG has sRGB's curve, and the tags that `colour.hdr` reads.
    """
    own = image.info.get("icc_profile")
    icc = own if isinstance(own, bytes) and own else None
    coded = _coded(image, format_, view, icc)
    if coded is not None:
        grey = image.mode in _GREY
        if coded[1] in TRANSFERS:
            return _of_hdr(Hdr(*coded, _peak(format_, view)), grey=grey)
        return _built(_PRIMARIES.get(coded[0], _SRGB), _GAMMAS.get(coded[1]), grey=grey)
    if icc is not None or format_ != "PNG" or "srgb" in image.info:
        return icc
    return _of_gamma(image)


def is_hdr(image: Image.Image, format_: str, view: View) -> bool:
    """Whether an opened picture says that its transfer function is PQ or HLG, in numbers or by its profile."""
    own = image.info.get("icc_profile")
    icc = own if isinstance(own, bytes) and own else None
    coded = _coded(image, format_, view, icc)
    return said_by(icc) is not None if coded is None else coded[1] in TRANSFERS


@functools.lru_cache(maxsize=_CACHED)
def sdr(hdr: Hdr, *, grey: bool) -> bytes | None:
    """The profile of tone-mapped pixels: the primaries of `hdr` with sRGB's curve; None if that is sRGB itself."""
    return _built(_PRIMARIES.get(hdr.primaries, _SRGB), None, grey=grey)


@functools.lru_cache(maxsize=_CACHED)
def _of_hdr(hdr: Hdr, *, grey: bool) -> bytes:
    return _with_tags(_PRIMARIES.get(hdr.primaries, _SRGB), None, grey, "as stated in the file", tags_of(hdr))


def _peak(format_: str, view: View) -> float:
    """The brightest pixel in cd/m2 (MaxCLL) as the file states it, or what is assumed if it does not."""
    if format_ == "PNG":
        said = next((view[at : at + 4] for kind, at, _ in png_chunks(view) if kind == b"cLLI"), b"")
        return _bounded(int.from_bytes(said) / 10_000)
    return _bounded(next(_clli(view), 0))


def _bounded(peak: float) -> float:
    return min(peak, 10_000.0) if peak >= 1 else DEFAULT_PEAK


@functools.cache
def named(space: Profile) -> bytes:
    """A profile of DISPLAY_P3 or ADOBE_RGB."""
    if space is Profile.ADOBE_RGB:
        profile = _built(_ADOBE_RGB, _ADOBE_GAMMA, grey=False, name="compatible with Adobe RGB (1998)")
    else:
        profile = _built(_PRIMARIES[12], None, grey=False, name="Display P3")
    assert profile is not None  # noqa: S101 -- neither is sRGB
    return profile


def _coded(image: Image.Image, format_: str, view: View, icc: bytes | None) -> tuple[int, int] | None:
    """The codes of primaries and transfer function, None if not stated. Only in PNG do they precede a profile."""
    if format_ == "PNG":
        codes = image.info.get("cicp", b"")
    elif format_ in ("AVIF", "HEIF") and icc is None:
        codes = next(_nclx(view), b"")
    else:
        return None
    if len(codes) < 2 or codes[0] == _UNSAID:
        return None
    return codes[0], codes[1]


def _nclx(view: View) -> Iterator[bytes]:
    """The codes in the colour boxes that hold no ICC profile, in the order of the file."""
    for kind, start, _end in properties(view):
        if kind == b"colr" and view[start : start + 4] == b"nclx":
            codes = view[start + 4 : start + 8]
            yield bytes((codes[1], codes[3])) if len(codes) == 4 else b""


def _clli(view: View) -> Iterator[int]:
    for kind, start, end in properties(view):
        if kind == b"clli" and end - start >= 2:
            yield int.from_bytes(view[start : start + 2])


def _of_gamma(image: Image.Image) -> bytes | None:
    """A profile from gAMA, and from cHRM if it is there; None if they are absent or invalid."""
    gamma, places = image.info.get("gamma"), image.info.get("chromaticity")
    if not isinstance(gamma, float) or not 0.1 <= gamma <= 2:
        return None
    primaries = _SRGB
    if isinstance(places, tuple) and len(places) == 8:
        pairs = tuple(zip(places[0::2], places[1::2], strict=True))
        primaries = (pairs[0], pairs[1], pairs[2], pairs[3])
    curve = None if abs(gamma - 1 / 2.2) < _NEAR else 1 / gamma
    try:
        return _built(primaries, curve, grey=image.mode in _GREY)
    except (ZeroDivisionError, OverflowError, struct.error):
        return None


@functools.lru_cache(maxsize=_CACHED)
def _built(
    primaries: Primaries, gamma: float | None, *, grey: bool, name: str = "as stated in the file"
) -> bytes | None:
    """A profile of `primaries` and a power curve (`gamma` None: sRGB's curve); None if the result is sRGB itself."""
    same = all(abs(a - b) < _NEAR for point, other in zip(primaries, _SRGB, strict=True) for a, b in zip(point, other))  # noqa: B905
    if gamma is None and (grey or same):
        return None
    return _with_tags(primaries, gamma, grey, name, {})


def _with_tags(primaries: Primaries, gamma: float | None, grey: bool, name: str, more: dict[bytes, bytes]) -> bytes:
    numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    curve = b"para\0\0\0\0\0\3\0\0" + _fixed(*numbers) if gamma is None else b"para\0\0\0\0\0\0\0\0" + _fixed(gamma)
    tags = {b"wtpt": _xyz(_D50)}
    if grey:
        tags[b"kTRC"] = curve
    else:
        columns = zip(*_to_d50(primaries), strict=True)
        tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"GRAY" if grey else b"RGB ", tags | more, name)


def _to_d50(primaries: Primaries) -> Matrix:
    """The matrix from linear RGB to XYZ under D50, adapted by Bradford's method."""
    white, *colours = ((x / y, 1.0, (1 - x - y) / y) for x, y in primaries)
    columns = tuple(zip(*colours, strict=True))
    scales = _times(_inverse(columns), white)
    matrix = tuple(tuple(value * scale for value, scale in zip(row, scales, strict=True)) for row in columns)
    cones, wanted = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    scaled = tuple(
        tuple(value * to / have for value in row) for row, to, have in zip(_BRADFORD, wanted, cones, strict=True)
    )
    return _product(_product(_inverse(_BRADFORD), scaled), matrix)


def _times(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _product(matrix: Matrix, other: Matrix) -> Matrix:
    return tuple(zip(*(_times(matrix, column) for column in zip(*other, strict=True)), strict=True))


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / det for value in row) for row in rows)


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}l", *(round(number * 65536) for number in numbers))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _profile(space: bytes, tags: dict[bytes, bytes], name_: str) -> bytes:
    texts = {name: _text(said) for name, said in ((b"desc", name_), (b"cprt", "none"))}
    table, content = struct.pack(">L", len(tags) + 2), b""
    start = 128 + 4 + 12 * (len(tags) + 2)
    for name, tag in sorted((texts | tags).items()):
        table += struct.pack(">4sLL", name, start + len(content), len(tag))
        content += tag + b"\0" * (-len(tag) % 4)
    size = start + len(content)
    head = struct.pack(">L4sL4s4s4s", size, bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(24) + struct.pack(">L", 1) + _fixed(*_D50)  # relative colorimetric
    return head.ljust(128, b"\0") + table + content


def _text(said: str) -> bytes:
    raw = "".join(f"\0{char}" for char in said).encode(
        "ascii"
    )  # UTF-16, without the codec, which Python loads on demand
    return b"mluc\0\0\0\0" + struct.pack(">LL4sLL", 1, 12, b"enUS", len(raw), 28) + raw
