from __future__ import annotations

import os
import struct
import zlib

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import Format, Limits, Spec
from pipeline.render.estimate import work_by_shape
from pipeline.render.line import render
from pipeline.render.pixels import libvips
from pipeline.workers.exchange import whole
from tests.pictures import descriptor_of, encoded, giant_gif, giant_png, jpeg_of_scans, png16, quarters
from tests.tiffs import TILE, Layout, tiff


def header_of(content: bytes, limits: Limits | None = None, specs: tuple[Spec, ...] = (Spec("a", 100),)) -> Header:
    """The first of the two replies only: nothing is decoded for it."""
    descriptor = descriptor_of(content)
    line = render(whole(descriptor), RenderTask(specs, limits or Limits()))
    try:
        header = next(line).payload
    finally:
        line.close()
        os.close(descriptor)
    assert isinstance(header, Header)
    return header


def refused(content: bytes, limits: Limits | None = None) -> PictureError:
    with pytest.raises(PictureError) as caught:
        header_of(content, limits)
    return caught.value


def gif(frames: int) -> bytes:
    images = [Image.new("L", (8, 8), 20 * number) for number in range(frames)]
    return encoded(images[0], "GIF", save_all=True, append_images=images[1:], duration=50)


@pytest.mark.parametrize(
    ("content", "limits", "kind"),
    [
        (giant_png(60_000, 60_000), Limits(), ErrorKind.TOO_MANY_PIXELS),
        (giant_png(10_001, 10_000), Limits(), ErrorKind.TOO_MANY_PIXELS),
        (giant_gif(65_535, 65_535), Limits(), ErrorKind.TOO_MANY_PIXELS),
        (encoded(quarters((100, 100)), "JPEG"), Limits(pixels=9_999), ErrorKind.TOO_MANY_PIXELS),
        (encoded(quarters((100, 100)), "WEBP"), Limits(pixels=9_999), ErrorKind.TOO_MANY_PIXELS),
        (encoded(quarters((100, 100)), "AVIF"), Limits(pixels=9_999), ErrorKind.TOO_MANY_PIXELS),
        (encoded(quarters((64, 64)), "ICO"), Limits(pixels=4_095), ErrorKind.TOO_MANY_PIXELS),
        (gif(5), Limits(pixels=319), ErrorKind.TOO_MANY_PIXELS),
        (gif(5), Limits(frames=4), ErrorKind.TOO_MANY_FRAMES),
        (jpeg_of_scans(40), Limits(scans=39), ErrorKind.TOO_MANY_SCANS),
    ],
)
def test_what_is_beyond_a_limit_is_refused_from_the_header(content: bytes, limits: Limits, kind: ErrorKind) -> None:
    assert refused(content, limits).kind == kind


def test_limits_are_inclusive() -> None:
    assert header_of(encoded(quarters((100, 100)), "JPEG"), Limits(pixels=10_000)).width == 100
    assert header_of(gif(5), Limits(frames=5, pixels=320)).frames == 5
    assert header_of(jpeg_of_scans(40), Limits(scans=40)).format == "jpeg"


def test_a_picture_larger_than_pillows_own_limit_is_a_matter_of_ours() -> None:
    """Above 89 megapixels Pillow would warn, above 179 refuse, by a switch of the whole process: neither is met."""
    limits = Limits(pixels=10**9)
    assert header_of(giant_png(14_000, 14_000), limits).width == 14_000


def test_an_icon_is_not_decoded_to_read_its_header() -> None:
    """Its directory promises 16 x 16, the PNG within 60,000 x 60,000."""
    inner = giant_png(60_000, 60_000)
    directory = (
        b"\0\0\1\0\1\0" + b"\x10\x10\0\0\1\0\x20\0" + len(inner).to_bytes(4, "little") + (22).to_bytes(4, "little")
    )
    assert refused(directory + inner).kind == ErrorKind.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", ErrorKind.NOT_A_PICTURE),
        (b"hello", ErrorKind.NOT_A_PICTURE),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ErrorKind.NOT_A_PICTURE),
        (b"%PDF-1.7\n", ErrorKind.NOT_A_PICTURE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ErrorKind.NOT_A_PICTURE),
        (b"BMW is a car, and this a text", ErrorKind.NOT_A_PICTURE),
        (b"P2 is not always a picture", ErrorKind.NOT_A_PICTURE),
        (b"\0\0\0\x0cjP  \r\n\x87\n", ErrorKind.DAMAGED),
        (b"\xff\x0a\x00\x00", ErrorKind.NOT_A_PICTURE),
        (b"8BPS\0\1", ErrorKind.UNSUPPORTED),
    ],
)
def test_only_pictures_on_the_list_are_opened(content: bytes, kind: ErrorKind) -> None:
    assert refused(content).kind == kind


def test_a_camera_raw_is_not_taken_for_its_thumbnail() -> None:
    raw = encoded(quarters((40, 30)), "TIFF", tiffinfo={0xC612: b"\1\4\0\0"})
    assert refused(raw).kind == ErrorKind.UNSUPPORTED


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "ICO", "PPM"])
def test_the_header_says_what_is_stored(kind: str) -> None:
    header = header_of(encoded(quarters((64, 48)), kind, **({"sizes": [(64, 48)]} if kind == "ICO" else {})))
    assert (header.format, header.width, header.height, header.frames) == (kind.lower(), 64, 48, 1)


def test_shrinking_on_load_lowers_the_estimate_and_a_progressive_jpeg_raises_it() -> None:
    picture = quarters((2000, 1500))
    plain = encoded(picture, "JPEG")
    small, large = ((Spec("a", side),) for side in (100, 2000))
    assert header_of(plain, specs=small).estimate < header_of(plain, specs=large).estimate / 2
    progressive = encoded(picture, "JPEG", progressive=True)
    without_files = [header_of(content, specs=small).estimate - len(content) for content in (plain, progressive)]
    assert without_files[1] > without_files[0] + 2000 * 1500 * 3 - 1


def test_an_estimate_grows_with_pixels_renditions_and_frames() -> None:
    smaller = header_of(encoded(quarters((500, 500)), "PNG"))
    assert smaller.estimate > 500 * 500 * 4
    assert header_of(encoded(quarters((1000, 500)), "PNG")).estimate > smaller.estimate
    webp = (Spec("a", 8, format=Format.WEBP),)
    assert header_of(gif(9), specs=webp).estimate > header_of(gif(2), specs=webp).estimate


@pytest.mark.skipif(not libvips.available(), reason="needs libvips")
def test_an_interlaced_png_of_16_bits_reserves_its_pixels_three_times() -> None:
    """2.9 to 3.1 times their bytes were taken for 12 Mpx. Another one as low as this reserves them twice."""
    plain = png16((100, 100), "RGB", bytes(30_000))
    header = plain[12:28] + b"\1"
    interlaced = plain[:12] + header + struct.pack(">L", zlib.crc32(header)) + plain[33:]
    reserved, more = (header_of(content).estimate for content in (plain, interlaced))
    assert more - reserved == 100 * 100 * 6


def test_a_gif_whose_second_frame_does_not_say_how_it_is_shown_has_it_nonetheless() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    at = content.rindex(b"\x21\xf9\x04")  # the extension before the second frame: of four bytes one is left
    short = content[:at] + b"\x21\xf9\x01\x09\x00" + content[at + 8 :]
    assert header_of(short, specs=(Spec("a", 8, format=Format.WEBP),)).frames == 2


def test_a_png_whose_palette_is_missing_has_a_header_all_the_same() -> None:
    """Decoding it is what finds it damaged; looking for its transparency must not trip over it."""
    content = encoded(quarters((16, 16)).convert("P"), "PNG")
    at = content.index(b"PLTE") - 4
    length = int.from_bytes(content[at : at + 4], "big")
    assert header_of(content[:at] + content[at + length + 12 :]).mode == "P"


def test_no_more_requests_are_kept_for_their_estimates_than_a_child_keeps_anyway() -> None:
    """Each may hold a picture or a font of megabytes, and be unlike the one before only in where it looks."""
    for number in range(20):
        header_of(encoded(quarters((64, 48)), "PNG"), specs=(Spec("a", 10 + number),))
    assert work_by_shape.cache_info().currsize <= 4


def test_the_tiles_of_a_deep_tiff_count_whole() -> None:
    """libvips holds all that lie beside each other, however little of them the picture fills."""
    pixels = [[(level,) for level in range(0, 3000, 30)]] * 100
    content = tiff(pixels, Layout(1, 16, tiled=True))
    sizes = [struct.pack("<HHLL", tag, 4, 1, TILE) for tag in (322, 323)]
    assert all(size in content for size in sizes)
    large = content
    for size in sizes:
        large = large.replace(size, size[:8] + struct.pack("<L", 4096))
    assert header_of(large).estimate - header_of(content).estimate > 4096 * 4096 * 2
