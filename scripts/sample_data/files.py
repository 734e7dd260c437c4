"""Pictures into files of every kind: orientation, profiles, separations, palettes, animation, metadata."""

from __future__ import annotations

import io
import math
import struct

from PIL import Image, ImageChops
from PIL.Image import Transpose

from scripts.sample_data.field import (
    Picture,
    Size,
    calc,
    clamp,
    distance,
    fractal,
    grade,
    mix,
    shade,
    smooth,
    xs,
)
from scripts.sample_data.water import sunset

# How an upright picture is stored under each EXIF orientation (tag 0x0112): the inverse of what a viewer does.
STORED = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
AUTHOR = "The pipeline authors"


def jpeg(picture: Image.Image, quality: int = 80, **options: object) -> bytes:
    """An optimised JPEG."""
    return encode(picture, "JPEG", quality=quality, optimize=True, **options)


def encode(picture: Image.Image, name: str, **options: object) -> bytes:
    """The bytes of the picture in a format, as Pillow names both it and its options."""
    out = io.BytesIO()
    picture.save(out, name, **options)  # options of all encoders at once
    return out.getvalue()


def oriented(upright: Picture, orientation: int) -> bytes:
    """A JPEG that looks like `upright` once its orientation tag is obeyed."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(STORED[orientation]) if orientation in STORED else upright
    return jpeg(stored, 74, exif=exif)


def signed(picture: Picture) -> bytes:
    """A JPEG as a camera with a GPS writes it: artist, copyright, time and place (a skerry in the Atlantic)."""
    exif = Image.Exif()
    exif[0x010E] = "Lighthouse at dusk"
    exif[0x010F], exif[0x0110] = "Example", "Rendered One"
    exif[0x013B], exif[0x8298] = AUTHOR, f"Copyright {AUTHOR}"
    exif.get_ifd(0x8769)[0x9003] = "2024:06:15 21:40:00"
    gps = exif.get_ifd(0x8825)
    gps[0], gps[1], gps[2], gps[3], gps[4] = b"\x02\x03\x00\x00", "N", (48.0, 27.0, 36.0), "W", (5.0, 7.0, 48.0)
    return jpeg(picture, exif=exif, comment=b"rendered, not photographed")


def display_p3() -> bytes:
    """An ICC v4 profile of Display P3: the primaries of SMPTE RP 431-2, white D65 adapted to D50, the curve of sRGB."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*values)

    def text(words: str) -> bytes:
        coded = words.encode("utf-16-be")
        return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded

    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    adapt = (1.047882, 0.022919, -0.050201, 0.029587, 0.990479, -0.017059, -0.009232, 0.015076, 0.751678)
    tags = {
        b"desc": text("Display P3"),
        b"cprt": text("Public domain"),
        b"wtpt": xyz(0.964203, 1.0, 0.824905),
        b"rXYZ": xyz(0.515121, 0.241196, -0.001053),
        b"gXYZ": xyz(0.291977, 0.692245, 0.041885),
        b"bXYZ": xyz(0.157104, 0.066574, 0.784073),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"chad": b"sf32\0\0\0\0" + fixed(*adapt),
    }
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s6H4s4sI4sIQI12s4s44x",
        start + len(body), b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ", 2024, 1, 1, 0, 0, 0,
        b"acsp", b"\0\0\0\0", 0, b"\0\0\0\0", 0, 0, 0, fixed(0.9642, 1.0, 0.8249), b"\0\0\0\0",
    )  # fmt: skip
    return head + table + body


def separated(picture: Picture) -> Image.Image:
    """CMYK with half of the common darkness moved to black, so that the naive way back gives the same colours."""
    inks = [calc(lambda band: 1.0 - band / 255.0, band.convert("F")) for band in picture.split()]
    least = [ImageChops.invert(band) for band in picture.split()]
    grey = ImageChops.darker(ImageChops.darker(least[0], least[1]), least[2])
    black = calc(lambda g: g / 255.0 * 0.5, grey.convert("F"))
    plates = [calc(lambda ink, k: (ink - k) / (1.0 - k) * 255.0 + 0.5, ink, black).convert("L") for ink in inks]
    return Image.merge("CMYK", [*plates, calc(lambda k: k * 255.0 + 0.5, black).convert("L")])


def moon_phases(side: int, frames: int = 16, seed: int = 71) -> list[Picture]:
    """A month: the same face of the moon, the light going round it."""
    size: Size = (side, side)
    away = distance(size, 0.5, 0.5)
    up = calc(lambda d: 1.0 - (d / 0.42) ** 2, away)
    height = calc(lambda h: h**0.5, clamp(up))
    seas = fractal(size, (3.2, 3.2), seed, 5, 0.5)
    face = grade(seas, [(0.36, "#6c6e78"), (0.5, "#b0afad"), (0.6, "#dcd9d0")])
    month = []
    for number in range(frames):
        turn = 2 * math.pi * (number + 0.5) / frames
        ahead, aside = -math.cos(turn), math.sin(turn)
        facing = calc(lambda u, h, a=ahead, b=aside: (u - 0.5) / 0.42 * b + h * a, xs(size), height)
        light = calc(lambda f: 0.035 + f * 1.15, clamp(facing))
        night = Image.new("RGB", size, "#0e1730")
        month.append(mix(night, shade(face, light), smooth(away, 0.424, 0.416)))
    return month


def gif(frames: list[Picture], milliseconds: int, colours: int = 128) -> bytes:
    """An endless GIF in one palette."""
    strip = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for number, frame in enumerate(frames):
        strip.paste(frame, (0, number * frame.height))
    palette = strip.quantize(colours, Image.Quantize.MAXCOVERAGE)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    return encode(flat[0], "GIF", save_all=True, append_images=flat[1:], duration=milliseconds, loop=0, optimize=True)


def sea_loop(size: Size, frames: int = 12) -> bytes:
    """The sunset with its waves moving, an endless WebP."""
    moments = [sunset(size, phase=2 * math.pi * number / frames) for number in range(frames)]
    return encode(
        moments[0], "WEBP", save_all=True, append_images=moments[1:], duration=110, loop=0, quality=62, method=6
    )
