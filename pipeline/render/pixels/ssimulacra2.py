"""SSIMULACRA 2.1 (Jon Sneyers, Cloudinary): how much of a picture an encoder has taken away, as an eye would judge it.

100 is equal, 90 cannot be told apart side by side, 70 is high quality, 50 medium, 30 low. Differences of structure, and
edges that came or went, are weighed on scales from 1:1 to 1:16 in the channels X, Y and B of an opponent colour space.
The matrix and the weights are those of the reference tool; weights below a hundredth are left out, which leaves out the
scale of 1:32 and most of X and B, and changes no score by .01. The reference tool blurs by a recursive filter, here it
is the Gaussian that this approximates: scores differ by a tenth at most.

libvips computes it in the calling thread. No number of threads changes a score.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

from PIL import Image

from pipeline.render.pixels import libvips

_SIGMA, _RADIUS = 1.5, 5
LEAST_SIDE = 8  # pixels; smaller scales count nothing
_C2 = 0.0009  # keeps the quotient defined where a window is even
_GROUNDS = (26, 230)  # greys under transparency: a dark and a light one, of which the lower score counts

_BIAS = 0.0037930732552754493
_ABSORBED = (  # how much of linear red, green and blue each kind of cone absorbs
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
)
_CHANNELS = {  # from the cube roots of those, and what makes it positive
    "X": ((7.0, -7.0, 0.0), 0.42),
    "Y": ((0.5, 0.5, 0.0), 0.01 - math.cbrt(_BIAS)),
    "B": ((-0.5, -0.5, 1.0), 0.55),
}
_SCALES = ("Y", "XY", "XY", "XYB", "XYB")  # the channels that count at 1:1, 1:2, 1:4, ...
_STRUCTURE, _CAME, _WENT = range(3)  # the maps of a scale: differences of structure, edges that came, edges that went


class _Term(NamedTuple):
    channel: str
    scale: int
    map: int
    norm: int  # 1: the mean of the map; 4: the fourth root of the mean of its fourth powers
    weight: float


_TERMS = (
    _Term("X", 1, _STRUCTURE, 4, 1.1041726426657346),
    _Term("X", 2, _STRUCTURE, 4, 1.8422455520539298),
    _Term("X", 2, _CAME, 4, 11.441172603757666),
    _Term("X", 3, _STRUCTURE, 4, 1.8787594979546387),
    _Term("X", 3, _CAME, 4, 10.94906990605142),
    _Term("X", 4, _CAME, 1, 0.9677937080626833),
    _Term("X", 4, _CAME, 4, 0.9981766977854967),
    _Term("Y", 0, _STRUCTURE, 4, 7.466890328078848),
    _Term("Y", 0, _WENT, 4, 17.445833984131262),
    _Term("Y", 1, _STRUCTURE, 4, 6.683678146179332),
    _Term("Y", 1, _WENT, 4, 1.027889937768264),
    _Term("Y", 2, _STRUCTURE, 1, 225.20515300849274),
    _Term("Y", 2, _STRUCTURE, 4, 19.213238186143016),
    _Term("Y", 3, _STRUCTURE, 1, 176.39317598450694),
    _Term("Y", 3, _STRUCTURE, 4, 24.43300999870476),
    _Term("Y", 3, _CAME, 4, 0.28520802612117757),
    _Term("Y", 4, _STRUCTURE, 4, 34.77906344483772),
    _Term("Y", 4, _CAME, 4, 44.835625328877896),
    _Term("B", 3, _STRUCTURE, 4, 8.826982764996862),
    _Term("B", 3, _CAME, 4, 23.19243343998926),
    _Term("B", 4, _STRUCTURE, 1, 95.1080498811086),
    _Term("B", 4, _CAME, 1, 0.9863978034400682),
    _Term("B", 4, _WENT, 1, 0.9834382792465353),
    _Term("B", 4, _CAME, 4, 171.2667255897307),
    _Term("B", 4, _WENT, 4, 0.9807858872435379),
)


class _Blurred(NamedTuple):
    """A scale of the original: its pixels, their local means, and the local means of their squares."""

    pixels: Any
    mean: Any
    square: Any


class Original:
    """A picture that others are held against. Call only where `libvips.available()`."""

    def __init__(self, image: Image.Image) -> None:
        grounds = _GROUNDS if image.has_transparency_data else (None,)
        self._seen = [(ground, [_blurred(pixels) for pixels in _scales(_on(image, ground))]) for ground in grounds]

    def score(self, image: Image.Image) -> float:
        """How close `image`, of the same size, comes to the original. Of two grounds the lower score counts."""
        return min(_score(original, _scales(_on(image, ground))) for ground, original in self._seen)


def _on(image: Image.Image, ground: int | None) -> Image.Image:
    if ground is None:
        return image.convert("RGB")
    grey = Image.new("RGBA", image.size, (ground, ground, ground, 255))
    return Image.alpha_composite(grey, image.convert("RGBA")).convert("RGB")


def _scales(image: Image.Image) -> list[Any]:
    """The channels of an RGB picture, in sRGB, at each scale."""
    vips: Any = libvips.module()
    pixels = vips.Image.new_from_memory(image.tobytes(), *image.size, 3, "uchar").copy(interpretation="srgb")
    linear, scales = _kept(pixels.colourspace("scrgb")), []
    for channels in _SCALES:
        if min(linear.width, linear.height) < LEAST_SIDE:
            break
        scales.append(_opponent(linear, channels))
        even = linear.embed(0, 0, linear.width + linear.width % 2, linear.height + linear.height % 2, extend="copy")
        linear = _kept(even.shrink(2, 2))
    return scales


def _opponent(linear: Any, channels: str) -> Any:
    kinds = 3 if "B" in channels else 2
    roots = (linear.recomb(_matrix(_ABSORBED[:kinds])) + _BIAS) ** (1 / 3)
    rows = tuple(_CHANNELS[channel][0][:kinds] for channel in channels)
    return _kept(roots.recomb(_matrix(rows)) + [_CHANNELS[channel][1] for channel in channels])


def _blurred(pixels: Any) -> _Blurred:
    return _Blurred(pixels, _kept(_blur(pixels)), _kept(_blur(pixels * pixels)))


def _score(original: list[_Blurred], other: list[Any]) -> float:
    total = sum(
        term.weight * mean ** (1 / term.norm)
        for scale, (first, second) in enumerate(zip(original, other, strict=True))
        for term, mean in _means(first, second, scale)
    )
    total *= 0.9562382616834844
    total = 2.326765642916932 * total - 0.020884521182843837 * total**2 + 6.248496625763138e-05 * total**3
    return 100 - 10 * total**0.6276336467831387 if total > 0 else 100.0


def _means(original: _Blurred, other: Any, scale: int) -> list[tuple[_Term, float]]:
    """The terms of a scale, each with the mean of its map or of the fourth powers of that."""
    structure, edges = _maps(original, other)
    maps = structure.bandjoin([edges, -1 * edges])  # what is below 0 counts as 0
    positive = _kept((maps + maps.abs()) / 2)
    square = positive * positive
    powers = positive.bandjoin(square * square)
    means = memoryview(libvips.fetched(powers.shrink(powers.width, powers.height))).cast("f")
    channels = len(_SCALES[scale])
    terms = [term for term in _TERMS if term.scale == scale]
    return [
        (term, means[((term.norm == 4) * 3 + term.map) * channels + _SCALES[scale].index(term.channel)])
        for term in terms
    ]


def _maps(original: _Blurred, other: Any) -> tuple[Any, Any]:
    """Differences of structure, and edges: those that came above 0, those that went below."""
    stacked = _kept(_blur(other.bandjoin([other * other, original.pixels * other])))
    mean, square, product = (stacked.extract_band(at * other.bands, n=other.bands) for at in range(3))
    here, away = original.mean * original.mean, original.mean - mean
    shared = product - original.mean * mean
    spread = (original.square - here) + (square - mean * mean)
    structure = _kept(1 - (1 - away * away) * (2 * shared + _C2) / (spread + _C2))
    edges = _kept((1 + (other - mean).abs()) / (1 + (original.pixels - original.mean).abs()) - 1)
    return structure, edges


def _blur(pixels: Any) -> Any:
    """The Gaussian mean around each pixel; all is 0 beyond the edges, as in the reference tool."""
    width, height = pixels.width, pixels.height
    framed = pixels.embed(_RADIUS, _RADIUS, width + 2 * _RADIUS, height + 2 * _RADIUS)
    return framed.convsep(_gaussian(), precision="float").crop(_RADIUS, _RADIUS, width, height)


@functools.cache
def _gaussian() -> Any:
    weights = [math.exp(-(step**2) / (2 * _SIGMA**2)) for step in range(-_RADIUS, _RADIUS + 1)]
    return _matrix((tuple(weight / sum(weights) for weight in weights),))


@functools.cache
def _matrix(rows: tuple[tuple[float, ...], ...]) -> Any:
    vips: Any = libvips.module()
    return vips.Image.new_from_array([list(row) for row in rows])


def _kept(image: Any) -> Any:
    """`image`, computed now, as one in memory: libvips would compute it anew for each use."""
    vips: Any = libvips.module()
    floats = image.cast("float")
    return vips.Image.new_from_memory(libvips.fetched(floats), image.width, image.height, image.bands, "float")
