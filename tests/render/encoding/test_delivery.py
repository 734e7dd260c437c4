from __future__ import annotations

import os

import pytest
from PIL import Image, ImageChops, JpegImagePlugin

from pipeline.errors import ErrorKind
from pipeline.model.record import Status
from pipeline.model.rendering import Inspection, NotRendered, Rendered, RenderTask
from pipeline.model.spec import Fit, Format, Limits, Metadata, Private, Profile, Spec, Subsampling, Verify
from pipeline.render.encoding import delivery
from pipeline.render.encoding.encode import encode
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.encoding.inspect import inspect
from pipeline.render.line import render
from pipeline.workers.exchange import whole
from tests.pictures import DISPLAY_P3, WRITTEN, descriptor_of, encoded, exif, matrix_profile, noise, pixel, quarters
from tests.render.drawing import answer_to, rendition

NOISE = noise((160, 120), 70, seed=8).convert("RGB")
SOURCE = encoded(NOISE, "PNG")


def size(spec: Spec, source: bytes = SOURCE) -> int:
    return len(answer_to(source, spec)[1][spec.name])


def delivered(source: bytes, spec: Spec) -> tuple[Rendered, bytes]:
    answer, files = answer_to(source, spec)
    (made,) = answer.renditions
    assert isinstance(made, Rendered), made
    return made, files[spec.name]


@pytest.mark.parametrize("sampling", list(Subsampling))
@pytest.mark.parametrize("quality", [50, 95])
def test_subsampling_is_as_told_whatever_the_quality(sampling: Subsampling, quality: int) -> None:
    image = rendition(encoded(quarters(), "PNG"), Spec("a", quality=quality, subsampling=sampling))
    assert JpegImagePlugin.get_sampling(image) == {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}[sampling]


def test_the_inks_of_a_cmyk_jpeg_are_stored_whole() -> None:
    picture = encoded(NOISE.convert("CMYK"), "JPEG", quality=95, subsampling=0)
    image = rendition(picture, Spec("a", profile=Profile.KEEP))
    assert isinstance(image, JpegImagePlugin.JpegImageFile)
    assert {layer[1:3] for layer in image.layer} == {(1, 1)}


def test_subsampled_avif_is_smaller() -> None:
    full, less = Spec("a", format=Format.AVIF), Spec("a", format=Format.AVIF, subsampling=Subsampling.QUARTER)
    picture = encoded(Image.merge("RGB", [NOISE.getchannel(0), *[noise((160, 120), 70, seed=2)] * 2]), "PNG")
    assert size(less, picture) < size(full, picture)


@pytest.mark.parametrize(("progressive", "side"), [(True, 60), (False, 600)])
def test_progressive_is_as_told_whatever_the_size(progressive: bool, side: int) -> None:
    image = rendition(encoded(quarters((600, 600)), "PNG"), Spec("a", side, progressive=progressive))
    assert ("progressive" in image.info) == progressive


def test_lossless_webp_is_that_and_transparency_too() -> None:
    picture = NOISE.convert("RGBA")
    picture.putalpha(NOISE.getchannel(0).point([max(1, level) for level in range(256)]))
    image = rendition(encoded(picture, "PNG"), Spec("a", format=Format.WEBP, lossless=True))
    assert ImageChops.difference(image.convert("RGBA"), picture).getbbox(alpha_only=False) is None


@pytest.mark.parametrize(("target", "low", "high"), [(Format.PNG, 0, 9), (Format.WEBP, 0, 6), (Format.AVIF, 0, 8)])
def test_more_effort_makes_other_files_and_smaller_ones(target: Format, low: int, high: int) -> None:
    more, less = (answer_to(SOURCE, Spec("a", format=target, effort=effort))[1]["a"] for effort in (high, low))
    assert more != less
    if target is not Format.AVIF:  # its quality changes with the effort, too, and noise is noise
        assert len(more) < len(less)


@pytest.mark.parametrize("target", [Format.PNG, Format.GIF])
@pytest.mark.parametrize("colors", [2, 16, 200])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_palette_has_no_more_colours_than_asked_for(target: Format, colors: int, mode: str) -> None:
    picture = NOISE.convert(mode)
    if mode == "RGBA":
        picture.paste((0, 0, 0, 0), (0, 0, 80, 120))
    image = rendition(encoded(picture, "PNG"), Spec("a", format=target, colors=colors))
    assert image.mode in ("P", "L", "1")
    assert len(set(image.convert("RGBA").get_flattened_data())) <= colors
    if mode == "RGBA":
        assert pixel(image.convert("RGBA"), (10, 60))[3] == 0
        assert pixel(image.convert("RGBA"), (120, 60))[3] == 255


def test_an_animated_png_has_no_palette_and_says_so() -> None:
    animation = encoded(quarters(), "GIF", save_all=True, append_images=[NOISE.resize((320, 240))], duration=50)
    made, content = delivered(animation, Spec("a", format=Format.PNG, colors=16))
    assert any("animated png has no palette" in warning for warning in made.warnings)
    assert inspect(content).frames == 2


@pytest.mark.parametrize("target", [Format.JPEG, Format.WEBP, Format.AVIF])
def test_max_bytes_takes_the_best_quality_that_fits(target: Format) -> None:
    spec = Spec("a", 80, format=target)
    whole = size(spec)
    most = whole * 2 // 3
    made, content = delivered(SOURCE, Spec("a", 80, format=target, max_bytes=most))
    assert made.quality is not None
    assert len(content) <= most
    assert size(Spec("a", 80, format=target, quality=made.quality)) == len(content)
    assert size(Spec("a", 80, format=target, quality=made.quality + 1)) > most
    easy, same = delivered(SOURCE, Spec("a", 80, format=target, max_bytes=whole))
    assert (easy.quality, len(same)) == (spec.effective_quality, whole)


def test_what_cannot_be_made_small_enough_is_told_with_the_smallest() -> None:
    answer, files = answer_to(SOURCE, Spec("a", max_bytes=700), Spec("b"))
    failed, made = answer.renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.kind == ErrorKind.NOT_ENCODABLE
    smallest = min(size(Spec("a", quality=quality)) for quality in (1, 2, 3))
    assert failed.error.detail == f"max_bytes is 700; the smallest that could be made: {smallest:,}"
    assert isinstance(made, Rendered)
    assert list(files) == ["b"]


def asked(spec: Spec, hint: int) -> Rendered | NotRendered:
    descriptor = descriptor_of(SOURCE)
    *_, (answer, descriptors) = render(whole(descriptor), RenderTask((spec,), Limits(), hints=((spec.name, hint),)))
    for each in (descriptor, *descriptors):
        os.close(each)
    (made,) = answer.renditions  # type: ignore[attr-defined]
    return made  # type: ignore[no-any-return]


def test_a_hint_spares_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Spec("a", 80, max_bytes=3_000)
    made, _ = delivered(SOURCE, spec)
    assert made.quality is not None
    tried: list[int | None] = []

    def counted(encode_input: EncodeInput, spec: Spec, quality: int | None) -> tuple[int, int]:
        tried.append(quality)
        return encode(encode_input, spec, quality)

    monkeypatch.setattr(delivery, "encode", counted)
    again = asked(spec, made.quality)
    assert isinstance(again, Rendered)
    assert (again.quality, again.size, tried) == (made.quality, made.size, [made.quality])
    wrong = asked(spec, made.quality + 5)
    assert isinstance(wrong, Rendered)
    assert (wrong.quality, wrong.size) == (made.quality, made.size)


# keep_smaller: sources of low quality, which nothing makes smaller, and what keeps them from being kept.
LOW = {
    Format.JPEG: encoded(NOISE, "JPEG", quality=5),
    Format.WEBP: encoded(NOISE, "WEBP", quality=2),
    Format.PNG: encoded(NOISE.quantize(2), "PNG", bits=1),
}
PRIVATE = exif({0x010F: "Maker"})


def keeping(target: Format, **changes: object) -> Spec:
    return Spec("a", format=target, keep_smaller=True, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", list(LOW))
def test_the_sources_bytes_are_kept_where_nothing_is_smaller(target: Format) -> None:
    made, content = delivered(LOW[target], keeping(target, width=160, height=120))
    assert made.status is Status.KEPT
    assert content == LOW[target]
    assert delivered(LOW[target], Spec("a", format=target))[0].status is Status.DONE


def test_something_smaller_is_made_where_it_can_be() -> None:
    made, content = delivered(encoded(NOISE, "JPEG", quality=98), keeping(Format.JPEG))
    assert made.status is Status.DONE
    assert len(content) < len(encoded(NOISE, "JPEG", quality=98))


@pytest.mark.parametrize(
    ("source", "spec"),
    [
        (LOW[Format.JPEG], keeping(Format.JPEG, width=159)),
        (LOW[Format.JPEG], keeping(Format.JPEG, width=160, height=160, fit=Fit.CONTAIN)),
        (LOW[Format.JPEG], keeping(Format.JPEG, rotate=180)),
        (LOW[Format.JPEG], keeping(Format.PNG)),
        (LOW[Format.JPEG], keeping(Format.JPEG, max_bytes=len(LOW[Format.JPEG]) - 1, quality=3)),
        (LOW[Format.JPEG] + b"film", keeping(Format.JPEG)),
        (encoded(NOISE, "JPEG", quality=5, comment=b"x"), keeping(Format.JPEG)),
        (encoded(NOISE, "JPEG", quality=5, exif=PRIVATE), keeping(Format.JPEG)),
        (encoded(NOISE, "JPEG", quality=5, exif=exif({0x0112: 3})), keeping(Format.JPEG)),
        (encoded(NOISE, "JPEG", quality=5, xmp=b"<broken"), keeping(Format.JPEG)),
        (encoded(NOISE, "JPEG", quality=5, icc_profile=matrix_profile(DISPLAY_P3)), keeping(Format.JPEG)),
        (encoded(NOISE.convert("CMYK"), "JPEG", quality=1), keeping(Format.JPEG, quality=100)),
        (LOW[Format.JPEG][:2] + b"\xff\xe5\0\6home" + LOW[Format.JPEG][2:], keeping(Format.JPEG)),
        (LOW[Format.PNG] + b"tail", keeping(Format.PNG)),
        (LOW[Format.WEBP] + b"tail", keeping(Format.WEBP)),
        (encoded(NOISE, "WEBP", quality=2, exif=PRIVATE), keeping(Format.WEBP)),
    ],
)  # fmt: skip
def test_a_source_that_is_not_as_asked_in_every_way_is_not_kept(source: bytes, spec: Spec) -> None:
    answer, _ = answer_to(source, spec)
    assert not isinstance(answer.renditions[0], Rendered) or answer.renditions[0].status is Status.DONE


def test_what_the_policy_allows_does_not_hinder() -> None:
    rights = encoded(NOISE, "JPEG", quality=5, exif=exif({0x8298: "(c) Ada", 0x0112: 1}))
    assert delivered(rights, keeping(Format.JPEG))[0].status is Status.KEPT
    camera = encoded(NOISE, "JPEG", quality=5, exif=PRIVATE, icc_profile=matrix_profile(DISPLAY_P3))
    spec = keeping(Format.JPEG, metadata=Metadata.KEEP, profile=Profile.KEEP)
    assert delivered(camera, spec)[0].status is Status.KEPT
    said = encoded(NOISE, "JPEG", quality=5, comment=b"x")
    assert delivered(said, keeping(Format.JPEG, private=(Private.COMMENTS,)))[0].status is Status.KEPT


# The look at what was encoded.
@pytest.mark.parametrize(
    ("inspection", "word"),
    [
        (Inspection("png", 160, 120, "L", 1, False, ()), "format png"),
        (Inspection("jpeg", 120, 160, "L", 1, False, ()), "size 120 x 160"),
        (Inspection("jpeg", 160, 120, "CMYK", 1, False, ()), "mode CMYK"),
        (Inspection("jpeg", 160, 120, "RGB", 2, False, ()), "2 frames"),
        (Inspection("jpeg", 160, 120, "RGB", 1, True, ()), "a colour profile"),
        (Inspection("jpeg", 160, 120, "RGB", 1, False, (Private.GPS,)), "private metadata (gps)"),
    ],
)
def test_a_file_that_is_not_what_was_to_be_made_is_not_delivered(
    inspection: Inspection, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "inspect", lambda descriptor, decode: inspection)
    before = set(os.listdir("/dev/fd"))
    answer, files = answer_to(SOURCE, Spec("a"))
    (failed,) = answer.renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.kind == ErrorKind.INTERNAL
    assert word in failed.error.detail
    assert files == {}
    assert set(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("target", WRITTEN)
def test_a_decoding_look_finds_what_a_header_hides(target: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder that loses the second half of its file."""

    def careless(encode_input: EncodeInput, spec: Spec, quality: int | None) -> tuple[int, int]:
        descriptor, size = encode(encode_input, spec, quality)
        content = os.pread(descriptor, size, 0)
        os.close(descriptor)
        return descriptor_of(content[: size // 2]), size // 2

    assert isinstance(answer_to(SOURCE, Spec("a", format=target, verify=Verify.DECODE))[0].renditions[0], Rendered)
    monkeypatch.setattr(delivery, "encode", careless)
    (failed,) = answer_to(SOURCE, Spec("a", format=target, verify=Verify.DECODE))[0].renditions
    assert isinstance(failed, NotRendered)
    assert failed.error.kind == ErrorKind.INTERNAL


def test_it_is_inspected_as_bytes_or_descriptor_which_is_rewound() -> None:
    content = encoded(quarters(), "JPEG", icc_profile=matrix_profile(DISPLAY_P3))
    descriptor = descriptor_of(content)
    wanted = Inspection("jpeg", 320, 240, "RGB", 1, True, ())
    assert inspect(content) == inspect(descriptor) == inspect(content, decode=True) == wanted
    assert os.read(descriptor, 3) == b"\xff\xd8\xff"
    os.close(descriptor)
