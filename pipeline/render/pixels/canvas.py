"""The last step before the encoder: alpha flattened if the format has none, padding, and no leftover metadata."""

from __future__ import annotations

from PIL import Image, ImageColor

from pipeline.model.spec import Format, Spec
from pipeline.render.geometry.fit import Placement
from pipeline.render.pixels.deep import WITH_ALPHA, Deep

WITHOUT_ALPHA = (Format.JPEG,)


def finished(image: Image.Image, placement: Placement, spec: Spec) -> Image.Image:
    """`image` (sRGB, of `placement.size`) on its canvas, in a mode that `spec.format` can hold, without metadata.

    Grey stays grey unless the background is coloured.
    """
    colour = _colour(spec.background)
    if spec.format in WITHOUT_ALPHA and image.mode in ("LA", "RGBA"):
        image = _flattened(image, colour)
    if placement.canvas != placement.size:
        image = _padded(image, placement, colour, transparency=spec.format not in WITHOUT_ALPHA)
    image.info = {}  # from which Pillow's encoders would copy profiles, comments and resolutions
    return image


def finished_deep(image: Deep, placement: Placement, spec: Spec) -> Deep:
    """The same for pixels of 16 bits a channel, in a format that holds alpha."""
    if placement.canvas == placement.size:
        return image
    colour = _colour(spec.background)
    grey = image.mode in ("L", "LA") and _is_grey(colour)
    mode = ("L" if grey else "RGB") + ("A" if image.mode in WITH_ALPHA or colour[3] < 255 else "")
    return image.padded(placement, mode, colour)


def _colour(text: str) -> tuple[int, int, int, int]:
    """Red, green, blue, alpha. Raises ValueError if `text` is not a colour."""
    red, green, blue, *alpha = ImageColor.getrgb(text)
    return red, green, blue, alpha[0] if alpha else 255


def _is_grey(colour: tuple[int, int, int, int]) -> bool:
    return colour[0] == colour[1] == colour[2]


def _flattened(image: Image.Image, colour: tuple[int, int, int, int]) -> Image.Image:
    """`image` over an opaque `colour`, as `L` or `RGB`."""
    if image.mode == "LA" and _is_grey(colour):
        base, mode = Image.new("L", image.size, colour[0]), "L"
    else:
        base, mode = Image.new("RGB", image.size, colour[:3]), "RGB"
    base.paste(image.convert(mode), (0, 0), image.getchannel("A"))
    return base


def _padded(
    image: Image.Image, placement: Placement, colour: tuple[int, int, int, int], *, transparency: bool
) -> Image.Image:
    grey = image.mode in ("L", "LA") and _is_grey(colour)
    alpha = image.mode in ("LA", "RGBA") or (transparency and colour[3] < 255)
    mode = ("LA" if alpha else "L") if grey else ("RGBA" if alpha else "RGB")
    ground = (colour[0], colour[3]) if mode == "LA" else colour[0] if mode == "L" else colour[: len(mode)]
    canvas = Image.new(mode, placement.canvas, ground)
    if image.mode in ("LA", "RGBA"):  # blend with the background here as well
        over = Image.new(mode, placement.canvas)
        over.paste(image.convert(mode), placement.offset)
        return Image.alpha_composite(canvas, over) if mode == "RGBA" else _composited(canvas, over)
    canvas.paste(image.convert(mode), placement.offset)
    return canvas


def _composited(canvas: Image.Image, over: Image.Image) -> Image.Image:
    """`alpha_composite` for `LA`."""
    return Image.alpha_composite(canvas.convert("RGBA"), over.convert("RGBA")).convert("LA")
