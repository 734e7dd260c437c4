"""PNGs written by hand, sample by sample, of every mode that the format has."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Sequence

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import RenderAnswer
from pipeline.model.spec import Format, Metadata, Private, Spec
from pipeline.render.pixels import libvips
from tests.hostile import chunk, inflating
from tests.pictures import corners, encoded, exif, near, quarters
from tests.render.drawing import answer_to, rendition
from tests.render.metadata.test_policy import block, iim, properties

PNG = Spec("a", format=Format.PNG)
SIZE = 7, 5
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]  # Adam7
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
MODES = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)]
MODES += [(3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)]
Samples = tuple[int, ...]


def written(colour: int, depth: int, at: Callable[[int, int], Samples], *between: bytes, interlaced: bool) -> bytes:
    """A PNG of the samples that `at` tells, with chunks before its pixels."""
    rows = b""
    for left, top, across, down in PASSES if interlaced else [(0, 0, 1, 1)]:
        columns = range(left, SIZE[0], across)
        for y in range(top, SIZE[1], down) if columns else ():
            bits = "".join(f"{sample:0{depth}b}" for x in columns for sample in at(x, y))
            bits += "0" * (-len(bits) % 8)
            rows += b"\0" + int(bits, 2).to_bytes(len(bits) // 8)
    return file(SIZE, (depth, colour, 0, 0, int(interlaced)), *between, chunk(b"IDAT", zlib.compress(rows)))


def file(size: tuple[int, int], rest: Sequence[int], *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">LL", *size) + bytes(rest))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def samples(colour: int, depth: int) -> Callable[[int, int], Samples]:
    """Levels all over the range; two neighbours differ in the lowest bit alone."""
    most = (1 << depth) - 1
    return lambda x, y: tuple(
        min(most, (x // 2 * (most // 3) + y * (most // 5) + channel * 7 + x % 2) & most)
        for channel in range(CHANNELS[colour])
    )


def shown(colour: int, depth: int, levels: Samples, clear: Samples | None, palette: list[Samples]) -> Samples:
    """The pixel as RGBA of 8 bits, by the standard's words."""
    alpha = 0 if levels == clear else 255
    if colour == 3:
        return (*palette[levels[0]], clear[levels[0]] if clear is not None and levels[0] < len(clear) else 255)
    scaled = [round(level * 255 / ((1 << depth) - 1)) for level in levels]
    if colour in (4, 6):
        *scaled, alpha = scaled
    return (*(scaled * 3 if len(scaled) == 1 else scaled), alpha)


def unlike(image: Image.Image, wanted: Callable[[int, int], Samples]) -> list[object]:
    colours = image.convert("RGBA")
    wrong: list[object] = []
    for y, x in itertools.product(range(image.height), range(image.width)):
        got = colours.getpixel((x, y))
        assert isinstance(got, tuple)
        if not (got[3] == wanted(x, y)[3] == 0 or near(got, wanted(x, y), 1)):
            wrong.append((x, y, got, wanted(x, y)))
    return wrong


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("clears", [False, True])
@pytest.mark.parametrize(("colour", "depth"), MODES)
def test_every_mode_is_decoded_within_a_level(colour: int, depth: int, *, clears: bool, interlaced: bool) -> None:
    at = samples(colour, depth)
    palette: list[Samples] = [(5 * n % 256, 255 - n, 17 * n % 256) for n in range(1 << min(depth, 8))]
    clear: Samples | None = None
    between = [chunk(b"PLTE", bytes(itertools.chain(*palette)))] if colour == 3 else []
    if clears and colour == 3:
        clear = tuple(40 * n % 256 for n in range(min(len(palette), 9)))
        between.append(chunk(b"tRNS", bytes(clear)))
    elif clears and colour in (0, 2):
        clear = at(2, 1)
        above = 0xFF << depth & 0xFFFF  # bits beyond the depth do not count
        between.append(chunk(b"tRNS", struct.pack(f">{len(clear)}H", *(level | above for level in clear))))
    content = written(colour, depth, at, *between, interlaced=interlaced)
    image = rendition(content, PNG)
    assert unlike(image, lambda x, y: shown(colour, depth, at(x, y), clear, palette)) == []
    if clear is not None:
        assert image.mode in ("LA", "RGBA")


def grey(*between: bytes, behind: tuple[bytes, ...] = ()) -> bytes:
    return file((1, 1), (8, 0, 0, 0, 0), *between, chunk(b"IDAT", zlib.compress(b"\0\x80")), *behind)


def spoiled(chunk: bytes) -> bytes:
    return chunk[:-1] + bytes((chunk[-1] ^ 1,))


def answer(content: bytes, spec: Spec = PNG) -> RenderAnswer:
    return answer_to(content, spec)[0]


def failure(content: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        answer_to(content, PNG)
    return caught.value


@pytest.mark.parametrize(
    "kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"gAMA", b"tRNS", b"pHYs", b"acTL", b"abCd"]
)
@pytest.mark.parametrize("before", [True, False])
def test_a_damaged_chunk_beside_the_pixels_costs_a_warning(kind: bytes, *, before: bool) -> None:
    wrong = spoiled(chunk(kind, b"Comment\0\0 12345678"))
    content = grey(wrong) if before else grey(behind=(wrong,))
    assert answer(content).warnings == (f"damaged chunk ignored: {kind.decode()}",)
    assert rendition(content, PNG).getpixel((0, 0)) == 0x80


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_a_wrong_checksum_of_the_pixels_fails_although_they_could_be_inflated(kind: bytes) -> None:
    whole = grey()
    at = whole.index(kind)
    end = at + 4 + int.from_bytes(whole[at - 4 : at]) + 4
    error = failure(whole[: end - 1] + bytes((whole[end - 1] ^ 1,)) + whole[end:])
    assert (error.kind, error.detail) == (ErrorKind.DAMAGED, f"PNG: wrong checksum in {kind.decode()}")


@pytest.mark.parametrize(
    "kind", [b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"iCCP", b"acTL", b"cICP", b"eXIf", b"iTXt"]
)
def test_a_chunk_that_is_too_short_fails_nothing(kind: bytes) -> None:
    assert rendition(grey(chunk(kind, b"")), PNG).getpixel((0, 0)) == 0x80


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_picture_that_is_cut_off_is_truncated(cut: int) -> None:
    """But where nothing is missing but the end that is said."""
    content = grey(chunk(b"tEXt", b"Comment\0hello"))[:-cut]
    if cut <= 12:
        assert answer(content).warnings == ("cut off: what is whole is shown",)
    else:
        assert failure(content).kind is ErrorKind.TRUNCATED


def raw(name: str, content: bytes, packed: bool = False) -> bytes:
    """A profile as ImageMagick writes it."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    said = f"\n{name}\n{len(content):8d}\n{lines}\n".encode()
    keyword = f"Raw profile type {name}".encode() + b"\0"
    return chunk(b"zTXt", keyword + b"\0" + zlib.compress(said)) if packed else chunk(b"tEXt", keyword + said)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Quay</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>'
)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["exif", "APP1"])
def test_exif_in_a_text_is_metadata_and_turns_the_picture(name: str, *, packed: bool) -> None:
    chunks = raw(name, exif({0x0112: 6, 0x013B: "Ada", 0x010E: "SECRET"}), packed)
    content = encoded(quarters((40, 30)), "PNG")
    spec = Spec("a", format=Format.PNG, private=(Private.COMMENTS,))
    for whole in (content[:33] + chunks + content[33:], content[:-12] + chunks + content[-12:]):
        got, files = answer_to(whole, spec)
        assert got.upright == (30, 40)
        assert corners(rendition(whole, spec)) == corners(rendition(content, PNG).transpose(Image.Transpose.ROTATE_270))
        assert block(files["a"]).main[0x013B].value == b"Ada\0"
        assert b"SECRET" not in files["a"]
        assert b"Raw profile" not in files["a"]


def test_iptc_and_xmp_in_texts_are_metadata_and_no_comments() -> None:
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">L", len(iim(byline=b"Ada"))) + iim(byline=b"Ada")
    other = b"8BIM\x04\x0c\3abc" + struct.pack(">L", 3) + b"xyz\0"
    keep = Spec("a", format=Format.PNG, metadata=Metadata.KEEP, private=(Private.COMMENTS,))
    _, files = answer_to(grey(raw("iptc", other + resources), raw("xmp", XMP)), keep)
    assert properties(files["a"])["title"] == "Quay"
    assert block(files["a"]).main[0x013B].value == b"Ada\0"
    assert b"Comment" not in files["a"]


def test_a_damaged_profile_in_a_text_costs_a_warning() -> None:
    content = grey(chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 4\nxyz"), chunk(b"zTXt", b"Author\0\0none"))
    wanted = ("damaged text ignored: Raw profile type exif", "damaged text ignored: Author")
    assert answer(content).warnings == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (chunk(b"tEXt", b"Title\0Quay") + chunk(b"tEXt", b"Comment\0caf\xe9"), "café"),
        (chunk(b"zTXt", b"Title\0\0" + zlib.compress(b"Quay")), "Title: Quay"),
        (chunk(b"iTXt", b"Comment\0\1\0en\0K\0" + zlib.compress("ça".encode())), "ça"),
    ],
)
def test_a_comment_goes_along_as_it_reads_where_it_is_asked_for(text: bytes, wanted: str) -> None:
    image = rendition(grey(text), Spec("a", format=Format.PNG, private=(Private.COMMENTS,)))
    assert image.info["Comment"] == wanted


@pytest.mark.parametrize("head", [(b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0"), (b"iCCP", b"x\0\0")])
def test_what_inflates_to_megabytes_fails_nothing_and_to_more_than_sixteen_by_its_name(
    head: tuple[bytes, bytes],
) -> None:
    kind, start = head
    assert rendition(grey(chunk(kind, start + inflating(15 * 2**20))), PNG).getpixel((0, 0)) == 0x80
    error = failure(grey(chunk(kind, start + inflating(17 * 2**20))))
    assert (error.kind, error.detail) == (
        ErrorKind.TOO_MANY_BYTES,
        f"PNG: {kind.decode()} inflates to more than 16 MiB",
    )


def test_a_png_in_an_icon_is_read_by_the_same_rules() -> None:
    inner = grey(chunk(b"tRNS", b"\0\x80"), spoiled(chunk(b"tEXt", b"Comment\0hi")))
    icon = b"\0\0\1\0\1\0" + struct.pack("<BBBBHHLL", 1, 1, 0, 0, 1, 8, len(inner), 22) + inner
    assert rendition(icon, PNG).getpixel((0, 0)) == (128, 128, 128, 0)


def test_where_pillow_decodes_a_transparent_16_bit_colour_twice_memory_is_reserved_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libvips, "available", lambda: False)
    at = samples(2, 16)
    opaque, clear = (written(2, 16, at, *between, interlaced=False) for between in ((), (chunk(b"tRNS", bytes(6)),)))
    pixels = SIZE[0] * SIZE[1]
    assert answer(clear).header.estimate - answer(opaque).header.estimate >= 12 * pixels
