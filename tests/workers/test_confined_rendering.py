"""Whatever can be rendered can be rendered by a child that is shut in, to the same bytes."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image, ImageCms

from pipeline.model.rendering import RenderAnswer, Rendered, RenderTask
from pipeline.model.shape import Gravity, Resampler
from pipeline.model.spec import AS_SOURCE, Fit, Format, Hdr, Limits, Metadata, Profile, Similarity, Spec, Verify
from pipeline.model.steps import Blur, Greyscale, Sharpen, Watermark
from pipeline.render.line import render
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, InThread, Renderer, whole
from pipeline.workers.token import Token
from scripts.fuzzing.seeds import seeds
from tests import pictures, tiffs
from tests.render import test_deep_options

LIMITS = Limits()
SPECS = tuple(
    Spec(name=f"{format_.value}-{alpha}", width=40, height=30, format=format_, background=alpha)
    for format_ in pictures.WRITTEN
    for alpha in ("#ffffff", "#11223344")
)


def _sixteen() -> Image.Image:
    return Image.linear_gradient("L").resize((64, 48)).convert("I").point(lambda value: value * 257).convert("I;16")


def _lab() -> Image.Image:
    srgb, lab = (ImageCms.ImageCmsProfile(ImageCms.createProfile(space)) for space in ("sRGB", "LAB"))
    return ImageCms.ImageCmsTransform(srgb, lab, "RGB", "LAB").apply(_quarters())


def _quarters(mode: str = "RGB") -> Image.Image:
    return pictures.quarters((64, 48)).convert(mode)


def _pictures() -> Iterator[tuple[str, Image.Image, str, dict[str, object]]]:
    """Name, picture, format, options of the encoder."""
    for name, modes in _MODES.items():
        for mode in modes.split():
            yield f"{name} {mode}", _quarters(mode), name, {}
    for how in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        yield f"TIFF {how}", _quarters(), "TIFF", {"compression": how}
    for how in ("group3", "group4", "tiff_ccitt"):
        yield f"TIFF {how}", _quarters("1"), "TIFF", {"compression": how}
    yield "TIFF LAB", _lab(), "TIFF", {}
    yield "TIFF 16", _sixteen(), "TIFF", {}
    yield "PNG 16", _sixteen(), "PNG", {}
    yield "JPEG progressive", _quarters(), "JPEG", {"progressive": True}
    exif = pictures.exif({0x0112: 6, 0x013B: "Ada", 0x8298: "(c) Ada"})
    yield "JPEG with EXIF", _quarters(), "JPEG", {"exif": exif}
    yield "JPEG with a profile", _quarters(), "JPEG", {"icc_profile": pictures.matrix_profile(pictures.DISPLAY_P3)}
    yield "JPEG with a grey profile", _quarters("L"), "JPEG", {"icc_profile": pictures.grey_profile(1.8)}
    yield "PNG with a broken profile", _quarters(), "PNG", {"icc_profile": b"x" * 200}
    yield "PNG with EXIF", _quarters(), "PNG", {"exif": exif}
    turning = [_quarters().rotate(90 * turn) for turn in range(1, 4)]
    for name in ("GIF", "PNG", "WEBP", "AVIF"):
        yield f"{name} moving", _quarters(), name, {"save_all": True, "append_images": turning, "duration": 90}


_MODES = {
    "JPEG": "L RGB CMYK",
    "PNG": "1 L P LA RGB RGBA",
    "WEBP": "RGB RGBA",
    "AVIF": "RGB RGBA",
    "GIF": "L P",
    "TIFF": "1 L P RGB RGBA CMYK F",
    "BMP": "L RGB",
    "ICO": "RGBA",
    "PPM": "L RGB",
}
PICTURES = {name: (picture, format_, options) for name, picture, format_, options in _pictures()}


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    with ChildPool("pipeline.render.line:render", "pipeline.render.line:warm_up", 1) as opened:
        yield opened


def carried(renderer: Renderer, content: bytes, specs: tuple[Spec, ...] = SPECS, *, raw: bool = False) -> list[object]:
    """All that came of it, but for the seconds."""
    descriptor = pictures.descriptor_of(content)
    task = RenderTask(specs, LIMITS, placeholder=True, raw=raw)
    came: list[object] = []
    try:
        with renderer.ask(whole(descriptor), task, Bounds(60, 2**30, len(specs)), Token()) as exchange:
            came.append(exchange.first())
            reply, _meter = exchange.last()
        assert isinstance(reply.payload, RenderAnswer)
        came.append(reply.payload.warnings)
        for rendition in reply.payload.renditions:
            came.append(
                (rendition.name, rendition.format, rendition.width, rendition.height)
                if isinstance(rendition, Rendered)
                else str(rendition.error)
            )
        for made in reply.descriptors:
            came.append(os.pread(made, 2**20, 0))
            os.close(made)
    except Exception as error:  # noqa: BLE001 - it is compared
        came.append(str(error))
    finally:
        os.close(descriptor)
    return came


@pytest.mark.parametrize("name", PICTURES)
def test_every_format_is_rendered_by_a_confined_child_as_by_a_thread(pool: ChildPool, name: str) -> None:
    picture, format_, options = PICTURES[name]
    content = pictures.encoded(picture, format_, **options)
    shut_in, free = carried(pool, content), carried(InThread(render), content)
    assert shut_in == free
    assert len(shut_in) == 2 + 2 * len(SPECS)


_LARGE = pictures.quarters((1600, 1200))
_STEPS = (Sharpen(), Blur(), Greyscale(), Watermark(text="\u00a9 Ada \u0416"))
EVERYTHING = {
    "cropped by attention": Spec("a", 300, 300, Fit.COVER, gravity=Gravity.ATTENTION),
    "cropped by entropy": Spec("a", 300, 300, Fit.COVER, gravity=Gravity.ENTROPY),
    "linear": Spec("a", 300, linear=True),
    "by libvips": Spec("a", 300, resampler=Resampler.LIBVIPS),
    "by libvips, linear": Spec("a", 300, resampler=Resampler.LIBVIPS, linear=True),
    "trimmed": Spec("a", 300, trim=10),
    "with every step": Spec("a", 300, steps=_STEPS),
    "within bytes": Spec("a", 300, max_bytes=4_000),
    "within bytes as AVIF": Spec("a", 300, max_bytes=4_000, format=Format.AVIF),
    "with all metadata": Spec("a", 300, metadata=Metadata.KEEP),
    "lossless": Spec("a", 300, format=Format.WEBP, lossless=True),
    "of few colours": Spec("a", 300, format=Format.PNG, colors=16),
    "verified": Spec("a", 300, verify=Verify.DECODE),
    "similar": Spec("a", 300, quality=Similarity(70)),
    "optimized": Spec("a", 300, optimize=True),
}


def _with_chunk(png: bytes, kind: bytes, content: bytes) -> bytes:
    """`png` with one more chunk behind its header."""
    chunk = struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
    return png[:33] + chunk + png[33:]


_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmpRights:Marked="True"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
RARE = {
    "XMP": lambda: pictures.encoded(_quarters(), "JPEG", xmp=_XMP),
    "XMP with a byte order mark": lambda: pictures.encoded(_quarters(), "JPEG", xmp=b"\xef\xbb\xbf" + _XMP),
    "broken XMP": lambda: pictures.encoded(_quarters(), "JPEG", xmp=b"<x"),
    "a comment": lambda: pictures.encoded(_quarters(), "JPEG", comment=b"\xff\xfe said"),
    "cICP": lambda: _with_chunk(pictures.encoded(_quarters(), "PNG"), b"cICP", bytes((12, 13, 0, 1))),
    "gAMA": lambda: _with_chunk(pictures.encoded(_quarters(), "PNG"), b"gAMA", struct.pack(">L", 55_555)),
    "international text": lambda: _with_chunk(
        pictures.encoded(_quarters(), "PNG"), b"iTXt", "Title\0\0\0de\0\0Gr\u00fc\u00dfe".encode()
    ),
}

_FOR_LIBVIPS = {
    "TIFF of floats": tiffs.Layout(2, 32, tiffs.FLOAT),
    "TIFF of floats, in planes": tiffs.Layout(2, 32, tiffs.FLOAT, planar=True, compression=tiffs.DEFLATE),
    "TIFF of floats, in tiles": tiffs.Layout(2, 32, tiffs.FLOAT, compression=tiffs.LZW, tiled=True),
    "TIFF of Lab": tiffs.Layout(8, 16, compression=tiffs.PACKBITS),
}
RARE |= {name: partial(tiffs.tiff, [[[1, 0, 0]] * 40] * 300, layout) for name, layout in _FOR_LIBVIPS.items()}


@pytest.mark.parametrize("name", RARE)
def test_what_is_rare_needs_nothing_that_is_loaded_when_it_is_met(pool: ChildPool, name: str) -> None:
    if name in _FOR_LIBVIPS:
        pytest.importorskip("pyvips", reason="needs pyvips")
    content = RARE[name]()
    specs = (Spec("a", 30, metadata=Metadata.KEEP), Spec("b", 30, metadata=Metadata.RIGHTS, format=Format.PNG))
    shut_in, free = carried(pool, content, specs), carried(InThread(render), content, specs)
    assert shut_in == free
    assert len(shut_in) == 6


BY_LIBVIPS = ("AVIF of 10 bits", "AVIF of 12 bits and alpha", "PNG of 16 bits in PQ", "JPEG with a gain map")
NEWER = {
    name: content
    for name, content in seeds()
    if name.split()[0] in ("JP2", "JXL", "HEIF", "raw") or name.startswith(BY_LIBVIPS)
}
_AS_THEY_ARE = (
    Spec("a", 30, hdr=Hdr.KEEP, metadata=Metadata.KEEP),
    Spec("b", 30, format=Format.AVIF, hdr=Hdr.KEEP, depth=AS_SOURCE),
    Spec("c", 30, format=Format.PNG, depth=AS_SOURCE, profile=Profile.KEEP),
)


@pytest.mark.parametrize("name", NEWER)
def test_what_libraries_beside_pillow_decode_is_rendered_by_a_confined_child(pool: ChildPool, name: str) -> None:
    kind = name.split(maxsplit=1)[0]
    shut_in, free = (
        carried(renderer, NEWER[name], _AS_THEY_ARE, raw=kind == "raw") for renderer in (pool, InThread(render))
    )
    assert shut_in == free
    assert len(shut_in) == 2 + 2 * len(_AS_THEY_ARE)


def test_sixteen_bits_come_out_of_a_confined_child_as_of_a_thread(pool: ChildPool) -> None:
    pytest.importorskip("pyvips", reason="needs pyvips")
    names = ("cover", "contain, transparent", "enlarge", "pad", "trim", "linear", "display-p3", "profile: keep")
    specs = tuple(replace(test_deep_options.SPECS[name], name=name, depth=AS_SOURCE) for name in names)
    content = dict(seeds())["PNG of 16 bits, 4 channels"]
    shut_in, free = (carried(renderer, content, specs) for renderer in (pool, InThread(render)))
    assert shut_in == free
    assert len(shut_in) == 2 + 2 * len(specs)


@pytest.mark.parametrize("name", EVERYTHING)
def test_whatever_can_be_asked_for_can_be_had_of_a_confined_child(pool: ChildPool, name: str) -> None:
    if "libvips" in name:
        pytest.importorskip("pyvips", reason="needs pyvips")
    exif = pictures.exif({0x0112: 6, 0x013B: "Ada", 0x8298: "(c) Ada"})
    profile = pictures.matrix_profile(pictures.DISPLAY_P3)
    content = pictures.encoded(_LARGE, "JPEG", exif=exif, icc_profile=profile)
    shut_in, free = (carried(renderer, content, (EVERYTHING[name],)) for renderer in (pool, InThread(render)))
    assert shut_in == free
    assert len(shut_in) == 4
