"""Maps the brightness of HDR pictures to what a screen without HDR shows.

Each pixel is decoded to cd/m2 (PQ by its EOTF, HLG by its inverse OETF and the OOTF of a screen of 1,000 cd/m2, as in
ITU-R BT.2100-3), multiplied so that its brightest channel follows the curve of ITU-R BT.2390-11 (section 5.4.1, with
black at 0), and encoded by sRGB's curve. All three channels are multiplied by one number, so hues stay. White is at 203
cd/m2, where ITU-R BT.2408-7 has diffuse white: up to about 90 cd/m2 nothing changes, and what is brighter shares what
is left.
"""

from __future__ import annotations

import functools
from typing import Any

from pipeline.render.colour.hdr import Hdr
from pipeline.render.pixels import libvips, linear_light

_WHITE = 203.0  # cd/m2
_BRIGHTEST = 10_000.0  # cd/m2, the end of PQ
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # BT.2100, table 4
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073  # BT.2100, table 5
_HLG_PEAK, _GAMMA = 1000.0, 1.2
_LUMA = (0.2627, 0.6780, 0.0593)  # of BT.2020's primaries
_PQ = 16


def to_sdr(image: Any, hdr: Hdr) -> Any:
    """A libvips image of 16-bit samples, grey or RGB without alpha, in the same primaries under sRGB's curve."""
    light = _held(image.maplut(_decoded(hdr.transfer)))
    if hdr.transfer != _PQ:
        luma = light.recomb([list(_LUMA)]) if light.bands > 1 else light
        light = _held(light * (luma ** (_GAMMA - 1)) * _HLG_PEAK)
    brightest = light.extract_band(0)
    for band in range(1, light.bands):
        brightest = brightest.maxpair(light.extract_band(band))
    shown = light * _rooted(brightest, _BRIGHTEST).maplut(_gains(hdr.peak))
    return _rooted(shown, _WHITE).maplut(_encoded())


def _rooted(light: Any, most: float) -> Any:
    """The square root of light as 16-bit levels, of which 65,535 is `most`: a table of it has enough dark levels."""
    return ((light / most) ** 0.5).linear(65535, 0.5).cast("ushort")


def _held(image: Any) -> Any:
    """`image`, computed: what is read more than once would be computed each time."""
    vips: Any = libvips.module()
    return vips.Image.new_from_memory(libvips.fetched(image), image.width, image.height, image.bands, image.format)


def _table() -> Any:
    """The levels of 16 bits as numbers from 0 to 1."""
    vips: Any = libvips.module()
    return vips.Image.identity(ushort=True, size=65536).cast("double") / 65535


@functools.cache
def _decoded(transfer: int) -> Any:
    """A table of light by 16-bit level: PQ in cd/m2, HLG as 0 to 1 of the scene."""
    level = _table()
    if transfer == _PQ:
        return _held(_light(level).cast("float"))
    low, high = level * level / 3, (((level - _C) / _A).exp() + _B) / 12
    return _held((level <= 0.5).ifthenelse(low, high).cast("float"))


@functools.cache
def _encoded() -> Any:
    """A table of sRGB's levels, by the square root of light."""
    return _held(linear_light.to_deep(_table() ** 2 * 65535, alpha=False).rint().cast("ushort"))


@functools.lru_cache(maxsize=4)
def _gains(peak: float) -> Any:
    """A table of what a pixel is multiplied by, by the square root of its brightest channel."""
    light = _held(_table() ** 2 * _BRIGHTEST)
    most = _level(max(peak, _WHITE))
    top = _level(_WHITE) / most
    knee = 1.5 * top - 0.5
    if knee >= 1:
        return _held((light * 0 + 1).cast("float"))
    level = _coded(light) / most
    level = _held((level < 1).ifthenelse(level, 1.0))
    t = (level - knee) / (1 - knee)
    t2, t3 = t**2, t**3
    bent = (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) + (3 * t2 - 2 * t3) * top
    shown = _light((level < knee).ifthenelse(level, bent) * most)
    return _held((light > 0).ifthenelse(shown / light, 1.0).cast("float"))


def _light(level: Any) -> Any:
    """PQ's EOTF: levels of 0 to 1 to cd/m2."""
    power = _held(level ** (1 / _M2))
    above = (power > _C1).ifthenelse(power - _C1, 0.0)
    return ((above / (_C2 - _C3 * power)) ** (1 / _M1)) * _BRIGHTEST


def _coded(light: Any) -> Any:
    """The inverse of `_light`."""
    power = (light / _BRIGHTEST) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _level(light: float) -> float:
    return float(_coded(light))
