"""Small honest pictures of every format and in many of its forms, made by code: what the fuzzer bends."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import pillow_jxl  # noqa: F401 -- registers itself with Pillow
from PIL import Image, ImageCms
from pillow_heif import HeifFile, from_bytes, from_pillow

from pipeline.render.encoding.gain_map import encoded, with_gain
from pipeline.render.formats import heif
from pipeline.render.formats.gain_map import Numbers
from pipeline.render.pixels import libvips
from scripts.fuzzing.deep_seeds import deep_seeds
from tests import gain_maps, raws

_SIZE = (48, 36)
_MODES = {
    "JPEG": "L RGB CMYK",
    "PNG": "1 L P LA RGB RGBA I;16",
    "WEBP": "RGB RGBA",
    "AVIF": "RGB RGBA",
    "GIF": "L P",
    "TIFF": "1 L P RGB RGBA CMYK F I;16",
    "BMP": "1 L P RGB",
    "ICO": "RGBA",
    "PPM": "1 L RGB",
    "JP2": "L LA RGB RGBA I;16",
    "JXL": "L LA RGB RGBA I;16",
}
_MORE: dict[str, list[dict[str, object]]] = {
    "JPEG": [{"progressive": True}, {"subsampling": "4:4:4"}, {"restart_marker_blocks": 1}, {"comment": b"a comment"}],
    "PNG": [{"compress_level": 0}],
    "WEBP": [{"lossless": True}, {"method": 0}],
    "GIF": [{"interlace": 0}],
    "JP2": [{"no_jp2": True}, {"tile_size": (16, 16)}, {"irreversible": True}, {"progression": "RPCL"}],
    "JXL": [{"lossless": True}, {"effort": 1}, {"use_container": True}],
    "TIFF": [
        {"compression": how}
        for how in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma", "group3", "group4")
    ],
}
_MOVING = ("PNG", "WEBP", "GIF", "AVIF")


def seeds() -> list[tuple[str, bytes]]:
    """(name, content), always the same ones in the same order."""
    picture = _picture()
    seeds = [
        (f"{name} {mode}", _saved(_in_mode(picture, mode), name)) for name in _MODES for mode in _MODES[name].split()
    ]
    for name, several in _MORE.items():
        for options in several:
            mode = "1" if str(options.get("compression", "")).startswith("group") else "RGB"
            seeds.append((f"{name} {options}", _saved(_in_mode(picture, mode), name, **options)))
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x013B: "Ada", 0x8298: "(c) Ada"})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        seeds.append((f"{name} with metadata", _saved(picture, name, exif=exif.tobytes(), icc_profile=profile)))
    turning = [picture.rotate(90 * turn) for turn in range(1, 4)]
    for name in _MOVING:
        seeds.append((f"{name} moving", _saved(picture, name, save_all=True, append_images=turning, duration=70)))
    seeds += [
        ("AVIF of 10 bits", _deep(picture, 10)),
        ("AVIF of 12 bits and alpha", _deep(_in_mode(picture, "RGBA"), 12)),
    ]
    seeds += [("JPEG with a gain map", _bright(picture)), *_by_apple(picture)]
    seeds += [("HEIF of 8x8", heif.sample()), *_high_efficiency(picture)]
    return seeds + _raws() + deep_seeds(profile)


def _deep(picture: Image.Image, bits: int) -> bytes:
    pixels = (libvips.of_pillow(picture).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    content: bytes = pixels.heifsave_buffer(bitdepth=bits, compression="av1")
    return content


def _high_efficiency(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    """HEIC: grey and colours with and without alpha, turned, of 10 bits, and two pictures in one file."""
    for mode in ("L", "RGB", "RGBA"):
        yield f"HEIF {mode}", _heic(from_pillow(_in_mode(picture, mode)))
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x013B: "Ada"})
    yield "HEIF with metadata", _heic(from_pillow(picture), exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")
    levels = b"".join(struct.pack("<H", level * 257) for level in picture.tobytes())
    yield "HEIF of 10 bits", _heic(from_bytes("RGB;16", _SIZE, levels))
    two = from_pillow(picture)
    two.add_from_pillow(picture.reduce(2))
    yield "HEIF of two pictures", _heic(two)


def _heic(file: HeifFile, **options: object) -> bytes:
    out = io.BytesIO()
    file.save(out, quality=50, **options)
    return out.getvalue()


def _raws() -> list[tuple[str, bytes]]:
    texts: raws.Tags = {0x010F: b"a camera\0", 0x8298: b"(c) Ada\0"}
    return [
        ("raw NEF", raws.nef(texts=texts)),
        ("raw ARW", raws.nef("<", 6)),
        ("raw ORF", raws.nef("<", magic=b"IIRO")),
        *(("raw CR2", raws.cr2()), ("raw RW2", raws.rw2()), ("raw RAF", raws.raf()), ("raw CR3", raws.cr3(6))),
    ]


def _bright(picture: Image.Image) -> bytes:
    numbers = Numbers((0.0,) * 3, (2.0,) * 3, (1.0,) * 3, (0.0,) * 3, (0.0,) * 3, (0.0, 2.0))
    return with_gain(_saved(picture, "JPEG"), encoded(picture.convert("L").reduce(2), numbers))


def _by_apple(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    large, gain = picture.resize((192, 144)), picture.convert("L").resize((96, 72))
    notes = gain_maps.exif_with(gain_maps.apple_notes(1.01, 0.006), 6)
    yield "JPEG with a gain map by Apple", gain_maps.apple_jpeg(large, gain, 4.0)
    yield "JPEG with a gain map by Apple and its notes", gain_maps.apple_jpeg(large, gain, None, notes)
    yield "HEIF with a gain map", gain_maps.apple_heic(large, gain, notes, 1)


def _picture() -> Image.Image:
    gradient = Image.linear_gradient("L").resize(_SIZE)
    noise = Image.frombytes("L", _SIZE, bytes(x * 7919 % 251 for x in range(_SIZE[0] * _SIZE[1])))
    return Image.merge("RGB", (gradient, gradient.transpose(Image.Transpose.ROTATE_180), noise))


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return picture.convert("I").convert(mode)
    made = picture.convert(mode)
    if mode.endswith("A"):
        made.putalpha(picture.getchannel("G"))
    return made


def _saved(picture: Image.Image, name: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, {"JP2": "JPEG2000"}.get(name, name), **options)
    return out.getvalue()
