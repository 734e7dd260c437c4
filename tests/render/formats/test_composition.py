"""Animations written by hand, block by block, whose frames are worked out here by the rules of GIF and APNG."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Animation, Format, Spec
from tests.hostile import chunk
from tests.pictures import encoded, near, pixel
from tests.render.colour.test_cicp import png
from tests.render.drawing import answer_to, rendition
from tests.render.formats.test_animation import frames_of

SIZE = (24, 16)
INKS = [(255, 0, 0), (0, 200, 0), (0, 0, 255), (0, 0, 0)]  # GIF's palette; the last one is the transparent one
CLEAR = 3
Pixels = list[list[tuple[int, int, int, int]]]


@dataclass(frozen=True)
class Part:
    """A rectangle of one ink in one frame; half of its columns are transparent. What happens to it afterwards."""

    box: tuple[int, int, int, int]  # left, top, width, height
    ink: int
    disposal: int
    blend: int = 1  # APNG: 0 replaces, 1 lies over
    milliseconds: int = 100

    def at(self, x: int, y: int) -> tuple[int, int, int, int] | None:
        """The pixel there; None outside of the box."""
        left, top, width, height = self.box
        if not (left <= x < left + width and top <= y < top + height):
            return None
        return (0, 0, 0, 0) if (x - left) * 2 < width and self.ink else (*INKS[self.ink], 255)


def gif(parts: list[Part]) -> bytes:
    palette = b"".join(bytes(ink) for ink in INKS)
    content = b"GIF89a" + struct.pack("<HHBBB", *SIZE, 0xF1, 0, 0) + palette
    content += b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    for part in parts:
        left, top, width, height = part.box
        cells = [part.at(x, y) for y in range(top, top + height) for x in range(left, left + width)]
        indices = [CLEAR if cell is None or not cell[3] else part.ink for cell in cells]
        content += b"\x21\xf9\x04" + struct.pack("<BHB", part.disposal << 2 | 1, part.milliseconds // 10, CLEAR) + b"\0"
        content += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + b"\2" + uncompressed(indices) + b"\0"
    return content + b"\x3b"


def uncompressed(indices: list[int]) -> bytes:
    """LZW without compression: codes of three bits, and a clear before they would have to grow."""
    codes = [4]
    for number, index in enumerate(indices):
        codes += [4] * (number > 0 and number % 2 == 0) + [index]
    bits = sum(code << 3 * place for place, code in enumerate([*codes, 5]))
    packed = bits.to_bytes((3 * (len(codes) + 1) + 7) // 8, "little")
    return b"".join(bytes((len(packed[at : at + 255]),)) + packed[at : at + 255] for at in range(0, len(packed), 255))


def apng(parts: list[Part]) -> bytes:
    chunks = [(b"IHDR", struct.pack(">LLBBBBB", *SIZE, 8, 6, 0, 0, 0)), (b"acTL", struct.pack(">LL", len(parts), 0))]
    number = 0
    for first, part in zip([True] + [False] * (len(parts) - 1), parts, strict=True):
        left, top, width, height = part.box
        rows = b"".join(
            b"\0" + b"".join(bytes(part.at(x, y) or ()) for x in range(left, left + width))
            for y in range(top, top + height)
        )
        control = struct.pack(
            ">LLLLLHHBB", number, width, height, left, top, part.milliseconds, 1000, part.disposal, part.blend
        )
        chunks.append((b"fcTL", control))
        number += 1
        if first:
            chunks.append((b"IDAT", zlib.compress(rows)))
        else:
            chunks.append((b"fdAT", struct.pack(">L", number) + zlib.compress(rows)))
            number += 1
    return png(*chunks)


def composed(parts: list[Part], *, back: int, before: int, replaces: bool) -> list[Pixels]:
    """What is seen at each frame. `back`, `before`: how the format counts the disposals; `replaces`: whether `blend`
    is heeded.
    """
    width, height = SIZE
    canvas: Pixels = [[(0, 0, 0, 0)] * width for _ in range(height)]
    seen = []
    for part in parts:
        saved = [list(row) for row in canvas]
        for y in range(height):
            for x in range(width):
                cell = part.at(x, y)
                if cell is not None and (cell[3] or (replaces and part.blend == 0)):
                    canvas[y][x] = cell
        seen.append([list(row) for row in canvas])
        if part.disposal == before:
            canvas = saved
        elif part.disposal == back:
            for y in range(height):
                for x in range(width):
                    if part.at(x, y) is not None:
                        canvas[y][x] = (0, 0, 0, 0)
    return seen


def differs(image: Image.Image, wanted: Pixels) -> list[tuple[int, int]]:
    colours = image.convert("RGBA")
    wrong = []
    for y, row in enumerate(wanted):
        for x, cell in enumerate(row):
            got = colours.getpixel((x, y))
            assert isinstance(got, tuple)
            if not cell[3]:
                wrong += [(x, y)] * (got[3] > 8)
            elif got[3] < 247 or max(abs(a - b) for a, b in zip(got, cell, strict=True)) > 24:
                wrong.append((x, y))
    return wrong


BOXES = [(0, 0, *SIZE), (4, 2, 12, 8), (10, 6, 12, 8), (2, 8, 8, 6)]


def timeline(seen: list[tuple[Image.Image, int]], wanted: list[Pixels], durations: list[int]) -> list[object]:
    """What is wrong with an animation: encoders may join equal frames, and show them for as long as both."""
    ends = list(itertools.accumulate(durations))
    wrong: list[object] = []
    if sum(duration for _, duration in seen) != ends[-1]:
        wrong.append("duration")
    at = 0
    for image, duration in seen:
        shown = [number for number, end in enumerate(ends) if at < end <= at + duration]
        wrong += [(number, difference) for number in shown if (difference := differs(image, wanted[number]))]
        at += duration
    return wrong


def parts(disposals: tuple[int, int, int, int], blend: int = 1) -> list[Part]:
    durations = (100, 40, 250, 90)
    return [
        Part(box, number % 3, disposal, blend if number else 0, duration)
        for number, (box, disposal, duration) in enumerate(zip(BOXES, disposals, durations, strict=True))
    ]


TARGETS = [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF]


@pytest.mark.parametrize(
    "disposals", [(1, 1, 1, 1), (1, 2, 1, 1), (1, 3, 1, 1), (2, 2, 2, 2), (1, 3, 2, 3), (0, 0, 2, 0)]
)
@pytest.mark.parametrize("target", TARGETS)
def test_every_disposal_of_a_gif_is_heeded(disposals: tuple[int, int, int, int], target: Format) -> None:
    animation = parts(disposals)
    wanted = composed(animation, back=2, before=3, replaces=False)
    seen = frames_of(
        rendition(gif(animation), Spec("a", format=target, lossless=target is Format.WEBP, quality=quality(target)))
    )
    assert timeline(seen, wanted, [part.milliseconds for part in animation]) == []


@pytest.mark.parametrize("disposals", [(0, 0, 0, 0), (0, 1, 0, 0), (0, 2, 0, 0), (1, 1, 1, 1), (0, 2, 1, 2)])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("target", TARGETS)
def test_every_disposal_and_blend_of_an_animated_png_is_heeded(
    disposals: tuple[int, int, int, int], blend: int, target: Format
) -> None:
    animation = parts(disposals, blend)
    wanted = composed(animation, back=1, before=2, replaces=True)
    seen = frames_of(
        rendition(apng(animation), Spec("a", format=target, lossless=target is Format.WEBP, quality=quality(target)))
    )
    assert timeline(seen, wanted, [part.milliseconds for part in animation]) == []


def quality(target: Format) -> int | None:
    return 100 if target is Format.AVIF else None


def test_what_is_half_transparent_lies_over_the_frame_before_by_its_alpha() -> None:
    """Half blue over nothing stays half blue; over red it is the middle of both."""
    width, height = SIZE
    left, blue = width // 2, bytes((0, 0, 255, 128))
    first = b"".join(b"\0" + bytes(4) * left + bytes((255, 0, 0, 255)) * left for _ in range(height))
    second = b"".join(b"\0" + blue * width for _ in range(height))
    control = [struct.pack(">LLLLLHHBB", number, *SIZE, 0, 0, 1, 10, 0, number) for number in (0, 1)]
    content = png(
        (b"IHDR", struct.pack(">LLBBBBB", *SIZE, 8, 6, 0, 0, 0)),
        (b"acTL", struct.pack(">LL", 2, 0)),
        (b"fcTL", control[0]),
        (b"IDAT", zlib.compress(first)),
        (b"fcTL", control[1]),
        (b"fdAT", struct.pack(">L", 2) + zlib.compress(second)),
    )
    (_, _), (frame, _) = frames_of(rendition(content, Spec("a", format=Format.PNG)))
    assert near(pixel(frame, (4, 8)), (0, 0, 255, 128), 1)
    assert near(pixel(frame, (20, 8)), (127, 0, 128, 255), 1)


PALETTE = chunk(b"PLTE", bytes((200, 0, 0, 0, 0, 200)))
TWO = [(0, 0, *SIZE), (4, 2, 8, 6)]  # boxes: all of it, then a part


def of_modes(colour: int, depth: int, first: bytes, second: bytes, *between: bytes) -> bytes:
    """An animated PNG of two frames of the boxes `TWO`, each of one pixel value; the second lies over the first."""
    chunks = [(b"IHDR", struct.pack(">LLBBBBB", *SIZE, depth, colour, 0, 0, 0)), (b"acTL", struct.pack(">LL", 2, 0))]
    numbers = itertools.count()
    for (left, top, width, height), value in zip(TWO, (first, second), strict=True):
        control = struct.pack(">LLLLLHHBB", next(numbers), width, height, left, top, 1, 10, 0, 1)
        rows = zlib.compress((b"\0" + value * width) * height)
        whole = (left, top) == (0, 0)
        pixels = (b"IDAT", rows) if whole else (b"fdAT", struct.pack(">L", next(numbers)) + rows)
        chunks += [(b"fcTL", control), pixels]
    extra = [(chunk[4:8], chunk[8:-4]) for chunk in between]
    return png(*chunks[:2], *extra, *chunks[2:])


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (of_modes(4, 8, b"\xc8\xff", b"\x64\x80"), (150, 150, 150, 255)),
        (of_modes(4, 16, b"\xc8\xc8\xff\xff", b"\x64\x64\x80\x80"), (150, 150, 150, 255)),
        (of_modes(6, 8, bytes((200, 0, 0, 255)), bytes((0, 0, 200, 128))), (100, 0, 100, 255)),
        (of_modes(3, 8, b"\0", b"\1", PALETTE, chunk(b"tRNS", b"\xff\x80")), (100, 0, 100, 255)),
        (of_modes(3, 8, b"\0", b"\1", PALETTE, chunk(b"tRNS", b"\xff\0")), (200, 0, 0, 255)),
        (of_modes(0, 8, b"\xc8", b"\x64", chunk(b"tRNS", b"\0\x64")), (200, 200, 200, 255)),
        (of_modes(0, 16, b"\xc8\xc8", b"\x64\x65", chunk(b"tRNS", b"\x64\x64")), (100, 100, 100, 255)),
        (of_modes(2, 8, b"\xc8\0\0", b"\1\2\3", chunk(b"tRNS", b"\0\1\0\2\0\3")), (200, 0, 0, 255)),
        (of_modes(2, 16, b"\xc8\xc8\0\0\0\0", b"\1\2" * 3, chunk(b"tRNS", b"\1\2" * 3)), (200, 0, 0, 255)),
    ],
    ids=["LA", "LA-16", "RGBA", "half palette", "palette", "grey", "grey-16", "RGB", "RGB-16"],
)  # fmt: skip
def test_what_lies_over_the_frame_before_does_so_in_every_mode(content: bytes, wanted: tuple[int, ...]) -> None:
    frame = rendition(content, Spec("a", format=Format.PNG, page=1)).convert("RGBA")
    assert near(pixel(frame, (6, 4)), wanted, 1)
    assert pixel(frame, (20, 12))[3] == 255


def plain_gif(parts: list[tuple[tuple[int, int, int, int], int, int]]) -> bytes:
    """A GIF of boxes of one ink and their disposals, without a word of transparency; its background is red."""
    content = b"GIF89a" + struct.pack("<HHBBB", *SIZE, 0xF1, 0, 0) + b"".join(bytes(ink) for ink in INKS)
    for box, ink, disposal in parts:
        content += b"\x21\xf9\x04" + struct.pack("<BHB", disposal << 2, 10, 0) + b"\0"
        content += b"\x2c" + struct.pack("<HHHHB", *box, 0) + b"\2" + uncompressed([ink] * (box[2] * box[3])) + b"\0"
    return content + b"\x3b"


def test_what_no_frame_of_a_gif_covers_is_transparent() -> None:
    image = rendition(plain_gif([((4, 2, 8, 6), 1, 0)]), Spec("a", format=Format.PNG))
    assert pixel(image, (6, 4)) == (*INKS[1], 255)
    assert pixel(image, (0, 0))[3] == 0


def test_what_a_gif_disposes_to_its_background_is_transparent() -> None:
    animation = plain_gif([((0, 0, *SIZE), 2, 2), ((4, 2, 8, 6), 1, 0)])
    (first, _), (second, _) = frames_of(rendition(animation, Spec("a", format=Format.PNG)))
    assert pixel(first, (0, 0)) == (*INKS[2], 255)
    assert pixel(second, (6, 4)) == (*INKS[1], 255)
    assert pixel(second, (0, 0))[3] == 0


def test_a_frame_that_reaches_beyond_the_screen_is_cut_to_it() -> None:
    animation = plain_gif([((0, 0, *SIZE), 2, 0), ((20, 12, 8, 6), 1, 0), ((40, 40, 8, 6), 1, 0)])
    frames = frames_of(rendition(animation, Spec("a", format=Format.WEBP, lossless=True)))
    assert [pixel(frame, (23, 15)) for frame, _ in frames] == [(*INKS[2], 255)] + [(*INKS[1], 255)] * (len(frames) - 1)


def test_the_first_of_an_animation_is_never_the_still_before_it() -> None:
    films = [Image.new("RGB", SIZE, INKS[number]) for number in (1, 2)]
    content = encoded(
        Image.new("RGB", SIZE, INKS[0]), "PNG", save_all=True, default_image=True, append_images=films, duration=100
    )
    for spec in (Spec("a", format=Format.PNG, animation=Animation.FIRST), Spec("a", format=Format.PNG, page=0)):
        assert pixel(rendition(content, spec), (4, 4)) == INKS[1]


@pytest.mark.parametrize("target", [Format.PNG, Format.WEBP])
@pytest.mark.parametrize(("said", "wanted"), [(10, 100), (20, 20)])
def test_a_frame_that_no_browser_shows_so_shortly_says_how_long_they_do(target: Format, said: int, wanted: int) -> None:
    animation = [Part((0, 0, *SIZE), number, 0, milliseconds=said) for number in (1, 2)]
    for content in (gif(animation), apng(animation)):
        frames = frames_of(rendition(content, Spec("a", format=target)))
        assert [duration for _, duration in frames] == [wanted] * 2


@pytest.mark.parametrize("make", [gif, apng])
@pytest.mark.parametrize("spec", [Spec("a", format=Format.PNG, animation=Animation.FIRST), Spec("a", page=0)])
def test_the_first_frame_of_an_animation_that_is_cut_off_later_is_done_with_a_warning(
    make: Callable[[list[Part]], bytes], spec: Spec
) -> None:
    content = make(parts((1, 1, 1, 1)))
    answer, files = answer_to(content[: len(content) - 40], spec)
    assert list(files) == ["a"]
    assert answer.warnings == ("cut off: what is whole is shown",)


@pytest.mark.parametrize("make", [gif, apng])
def test_all_of_an_animation_that_is_cut_off_is_truncated(make: Callable[[list[Part]], bytes]) -> None:
    content = make(parts((1, 1, 1, 1)))
    with pytest.raises(PictureError) as caught:
        answer_to(content[: len(content) - 40], Spec("a", format=Format.WEBP))
    assert (caught.value.kind, caught.value.detail[3:].strip(" G:")) == (ErrorKind.TRUNCATED, "cut off after frame 3")


def test_a_still_that_is_cut_off_is_not_called_a_film() -> None:
    with pytest.raises(PictureError) as caught:
        answer_to(plain_gif([((0, 0, *SIZE), 1, 0)])[:-20], Spec("a", animation=Animation.FIRST))
    assert str(caught.value) == "truncated: GIF: cut off within its picture"
