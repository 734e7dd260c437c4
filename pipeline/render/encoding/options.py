"""The arguments for Pillow's encoders. All are given, so that no encoder takes one from the image or from a default."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image, PngImagePlugin, TiffImagePlugin

from pipeline.model.spec import DEFAULT_QUALITY, Format, Spec, Subsampling
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.metadata import exif

_FULL_CHROMA_FROM = 90  # the JPEG quality from which chroma is kept at full resolution
# Pixels. On 24 photographs, progressive saves 2.9 % of bytes at 1200 px for 12 % more time, 1.3 % for 4 % at 300 px.
_PROGRESSIVE_FROM = 150_000
_LOSSLESS_QUALITY = 75  # of WebP: the effort of lossless compression
# The most that formats can store, which a hostile source may exceed: milliseconds of a frame, and repetitions.
_LONGEST, _LONGEST_OTHERWISE = {Format.GIF: 655_350, Format.PNG: 65_535}, 2**24 - 1
_MOST_PLAYS = 65_535
_PREDICTOR, _XMP = 317, 700  # TIFF tags


def options(encode_input: EncodeInput, spec: Spec, quality: int | None) -> dict[str, object]:
    """The arguments of Pillow's `save` for the first image; all images have one mode that the format takes.

    `quality`: `Spec.effective_quality`, or a lower one that a search for `max_bytes` tries.
    """
    image = encode_input.of_pillow[0]
    named: dict[str, object] = {"icc_profile": encode_input.icc} if encode_input.icc else {}
    if encode_input.density is not None and spec.format in (Format.JPEG, Format.PNG, Format.TIFF):
        named["dpi"] = encode_input.density
    match spec.format:
        case Format.JPEG:
            named |= _of_jpeg(image, spec, DEFAULT_QUALITY[Format.JPEG] if quality is None else quality)
        case Format.PNG:
            named |= {"compress_level": spec.effective_effort, "pnginfo": _png_texts(encode_input)}
        case Format.WEBP:
            named |= {"quality": _LOSSLESS_QUALITY if spec.lossless else quality, "method": spec.effective_effort}
            named |= {"lossless": True} if spec.lossless else {}
        case Format.AVIF:
            subsampling = "4:0:0" if image.mode == "L" else (spec.subsampling or Subsampling.FULL).value
            named |= {
                "quality": quality,
                "speed": 10 - spec.effective_effort,
                "subsampling": subsampling,
                "max_threads": 1,
            }
        case Format.GIF:
            clear = image.info.get("transparency")
            named |= {} if clear is None else {"transparency": clear}
        case Format.TIFF:
            return named | {"compression": "tiff_adobe_deflate", "tiffinfo": _tiff_tags(encode_input)}
    return (
        named
        | _metadata(encode_input, spec.format)
        | (_animated(encode_input, spec.format) if len(encode_input.images) > 1 else {})
    )


def _of_jpeg(image: Image.Image, spec: Spec, quality: int) -> dict[str, object]:
    # Of CMYK, Pillow would leave cyan whole and halve the other inks, black among them.
    whole = quality >= _FULL_CHROMA_FROM or image.mode == "CMYK"
    default = Subsampling.FULL if whole else Subsampling.QUARTER
    large = image.width * image.height >= _PROGRESSIVE_FROM
    return {
        "quality": quality,
        "subsampling": (spec.subsampling or default).value,
        "optimize": True,
        "progressive": large if spec.progressive is None else spec.progressive,
    }


def _metadata(encode_input: EncodeInput, format_: Format) -> dict[str, object]:
    going = encode_input.written
    named: dict[str, object] = {}
    if format_ is not Format.GIF and going.exif:
        named["exif"] = going.exif.removeprefix(b"Exif\0\0") if format_ is Format.WEBP else going.exif
    if format_ in (Format.JPEG, Format.WEBP, Format.AVIF) and going.xmp:
        named["xmp"] = going.xmp
    if format_ in (Format.JPEG, Format.GIF) and going.comment:
        named["comment"] = going.comment
    return named


def _png_texts(encode_input: EncodeInput) -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    if encode_input.written.xmp:
        texts.add_itxt("XML:com.adobe.xmp", encode_input.written.xmp.decode("utf-8", "replace"))
    if encode_input.written.comment:
        texts.add_itxt("Comment", encode_input.written.comment.decode("utf-8", "replace").replace("\0", " "))
    return texts


def _tiff_tags(encode_input: EncodeInput) -> TiffImagePlugin.ImageFileDirectory_v2:
    """The tags of a TIFF, taken from the main directory of the EXIF block; its other directories are not written."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[_PREDICTOR] = 2
    going: Mapping[int, exif.Entry] = exif.read(encode_input.written.exif).main
    for tag, entry in going.items():
        if entry.kind == exif.ASCII:
            tags.tagtype[tag] = exif.ASCII
            tags[tag] = entry.value.rstrip(b"\0")
    if encode_input.written.xmp:
        tags[_XMP] = encode_input.written.xmp
    return tags


def bounded(encode_input: EncodeInput, format_: Format) -> tuple[list[int], int]:
    """The durations and the number of plays, within what the format can store."""
    longest = min(_LONGEST.get(format_, _LONGEST_OTHERWISE), (2**31 - 1) // len(encode_input.durations))
    durations = [min(max(1, duration), longest) for duration in encode_input.durations]
    return durations, min(encode_input.plays, _MOST_PLAYS)


def _animated(encode_input: EncodeInput, format_: Format) -> dict[str, object]:
    durations, plays = bounded(encode_input, format_)
    named: dict[str, object] = {"save_all": True, "append_images": encode_input.of_pillow[1:], "duration": durations}
    transparent = any(image.mode == "RGBA" or "transparency" in image.info for image in encode_input.of_pillow)
    match format_:
        case Format.GIF:
            # A GIF counts repetitions after the first time, and has no count if there are none.
            if plays != 1:
                named["loop"] = max(0, plays - 1)
            named["disposal"] = 2 if transparent else 0  # pixels must be cleared to become transparent
            if transparent:  # optimising would drop the transparent colour from opaque frames
                named["optimize"] = False
        case Format.PNG:
            named |= {"loop": plays, "disposal": 0, "blend": 0}
        case Format.WEBP:
            named |= {"loop": plays, "background": (0, 0, 0, 0)}
    return named
