from __future__ import annotations

import zlib

import pytest
from PIL import Image

from pipeline.model.rendering import Rendered
from pipeline.model.spec import Fit, Format, Spec
from tests.pictures import BLUE, GREEN, RED, encoded, near, pixel
from tests.render.drawing import answer_to, rendition

COLOURS = [RED, GREEN, BLUE]
DURATIONS = [100, 250, 400]
MOVING = ["GIF", "PNG", "WEBP", "AVIF"]


def animation(kind: str, *, clear: bool = False, **options: object) -> bytes:
    """Three frames of a colour each; with `clear`, each shows only its own third and is transparent elsewhere."""
    frames = []
    for number, colour in enumerate(COLOURS):
        frame = Image.new("RGBA" if clear else "RGB", (90, 60), (0, 0, 0, 0) if clear else colour)
        if clear:
            # With a soft rim: libwebp crops a frame to what is seen, and calls the animation opaque if all of that is.
            frame.paste((*colour, 128), (number * 30, 0, number * 30 + 30, 60))
            frame.paste((*colour, 255), (number * 30 + 2, 2, number * 30 + 28, 58))
        frames.append(frame)
    if kind == "GIF" and clear:
        options["disposal"] = 2
    if kind in ("WEBP", "AVIF"):
        options["quality"] = 95
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=DURATIONS, **options)


def frames_of(image: Image.Image) -> list[tuple[Image.Image, int]]:
    frames = []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        image.load()
        frames.append((image.convert("RGBA"), round(image.info["duration"])))
    return frames


@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("target", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_an_animation_stays_one_with_its_colours_and_durations(kind: str, target: Format) -> None:
    image = rendition(animation(kind), Spec("a", 45, format=target))
    assert image.size == (45, 30)
    frames = frames_of(image)
    assert [duration for _, duration in frames] == DURATIONS
    for (frame, _), wanted in zip(frames, COLOURS, strict=True):
        assert near(pixel(frame, (20, 15)), (*wanted, 255), 12)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("target", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_what_turns_transparent_again_is_transparent(kind: str, target: Format) -> None:
    frames = frames_of(rendition(animation(kind, clear=True), Spec("a", 45, format=target)))
    assert len(frames) == 3
    for number, (frame, _) in enumerate(frames):
        for third in range(3):
            *colour, alpha = pixel(frame, (third * 15 + 7, 15))
            if third == number:
                assert alpha > 245
                assert near(colour, COLOURS[number], 14)
            else:
                assert alpha < 10


@pytest.mark.parametrize("target", [Format.JPEG, Format.TIFF])
def test_a_still_target_gets_the_first_frame_and_a_warning(target: Format) -> None:
    answer, _ = answer_to(animation("GIF"), Spec("a", 45, format=target))
    (made,) = answer.renditions
    assert isinstance(made, Rendered)
    assert "first of 3 frames" in made.warnings[0]
    assert near(pixel(rendition(animation("GIF"), Spec("a", 45, format=target)).convert("RGB"), (20, 15)), RED, 8)


@pytest.mark.parametrize(
    ("loop", "plays"),
    [
        (None, {"GIF": None, "WEBP": 1, "PNG": 1}),
        (0, {"GIF": 0, "WEBP": 0, "PNG": 0}),
        (3, {"GIF": 3, "WEBP": 4, "PNG": 4}),
    ],
)
def test_a_gif_that_repeats_n_times_plays_once_more_elsewhere(loop: int | None, plays: dict[str, int | None]) -> None:
    source = animation("GIF") if loop is None else animation("GIF", loop=loop)
    for target in (Format.GIF, Format.WEBP, Format.PNG):
        image = rendition(source, Spec("a", 45, format=target))
        assert image.info.get("loop") == plays[target.name]


def test_every_frame_is_cropped_and_padded_alike() -> None:
    for fit in (Fit.COVER, Fit.CONTAIN):
        image = rendition(animation("GIF"), Spec("a", 30, 30, fit, format=Format.WEBP))
        assert [frame.size for frame, _ in frames_of(image)] == [(30, 30)] * 3


def test_the_still_that_an_animated_png_begins_with_is_not_a_frame_of_it() -> None:
    still = Image.new("RGB", (90, 60), (9, 9, 9))
    frames = [Image.new("RGB", (90, 60), colour) for colour in COLOURS]
    content = encoded(still, "PNG", save_all=True, default_image=True, append_images=frames, duration=DURATIONS)
    got = frames_of(rendition(content, Spec("a", 45, format=Format.WEBP)))
    assert [
        near(pixel(frame, (20, 15)), (*wanted, 255), 12) for (frame, _), wanted in zip(got, COLOURS, strict=True)
    ] == [True] * 3


def test_a_frame_that_says_zero_is_shown_as_browsers_do() -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in COLOURS]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert [duration for _, duration in frames_of(rendition(content, Spec("a", format=Format.WEBP)))] == [100] * 3


@pytest.mark.parametrize("target", [Format.GIF, Format.PNG, Format.WEBP, Format.AVIF])
def test_what_no_format_can_say_becomes_the_most_that_it_can(target: Format) -> None:
    """An animated PNG that is shown for weeks, and as often as a number can say."""
    whole = bytearray(animation("PNG"))
    at = whole.index(b"acTL") + 8
    _put(whole, at - 4, at, (2**32 - 1).to_bytes(4))
    at = -1
    while (at := whole.find(b"fcTL", at + 1)) >= 0:
        _put(whole, at + 4, at + 4 + 20, (65_535).to_bytes(2) + (1).to_bytes(2))  # 65,535 s
    frames = frames_of(rendition(bytes(whole), Spec("a", 45, format=target)))
    assert len(frames) == len(COLOURS)
    assert all(65_000 <= duration <= 65_535_000 for _, duration in frames)


def _put(whole: bytearray, start: int, at: int, value: bytes) -> None:
    """Write `value` at `at` into the chunk whose content starts at `start`, and make its checksum right again."""
    whole[at : at + len(value)] = value
    size = int.from_bytes(whole[start - 8 : start - 4])
    whole[start + size : start + size + 4] = zlib.crc32(whole[start - 4 : start + size]).to_bytes(4)
