"""What `pipeline compare` asks of pictures: the traits of a source, and how close a rendition is to its reference.

The measure is SSIM (Wang et al. 2004) as video encoders compute it: windows of 8 x 8 pixels, 4 apart, each counting the
same; luma from 16 to 235, because a black that is one level off would otherwise count as a tenth of all; and of the
planes of YCbCr luma six times as much as each of the two of colour. Pillow's means over blocks make it a few
operations; SSIMULACRA 2 would follow the eye more closely, at the price of NumPy and SciPy (100 MB installed).
"""

from __future__ import annotations

import os
from collections.abc import Generator

from PIL import Image, ImageColor, ImageMath

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import Look, RenderTask, Resemblance, Traits
from pipeline.model.spec import Limits
from pipeline.render import memory
from pipeline.render.child.warm_up import render_samples, set_switches
from pipeline.render.header import read_header
from pipeline.render.line import render
from pipeline.render.opening.decode import facts_of, frames, picture
from pipeline.render.opening.source import opening
from pipeline.render.pixels.deep import Deep
from pipeline.render.pixels.frame import in_srgb
from pipeline.workers.exchange import Held, Reply, whole

_WINDOW, _STEP = 8, 4  # pixels
_WEIGHTS = (6, 1, 1)  # of Y, Cb and Cr
# The constants that keep the quotient defined where a window is even: (0.01 x 255)^2 and (0.03 x 255)^2.
_C1, _C2 = 6.5025, 58.5225
_UPRIGHT = (0, 1)  # EXIF orientations that turn nothing; 0: none is said


def answer(held: Held, task: Look | Resemblance) -> Generator[Reply, None, None]:
    """A `pipeline.workers.exchange.Function`: yields the `Header` of the (first) picture, then `Traits`, or a float.

    Raises PictureError for any fault of a picture, and where the two of a `Resemblance` differ in size.
    """
    if isinstance(task, Look):
        with opening(held) as source:
            header = read_header(source, RenderTask((), task.limits))
            yield Reply(header)
            yield Reply(
                Traits(
                    header.width,
                    header.height,
                    animated=source.animated,
                    transparent=bool(source.image.has_transparency_data),
                    cmyk=header.mode == "CMYK",
                    rotated=facts_of(source).orientation not in _UPRIGHT,
                )
            )
        return
    content = os.pread(held.descriptor, held.size, 0)
    yield Reply(held.size)
    first = _decoded(content[: task.split], task)
    other = _decoded(content[task.split :], task)
    if first.size != other.size:
        raise PictureError(ErrorKind.INTERNAL, f"{first.size} compared with {other.size}")
    yield Reply(ssim(first, other))


def _decoded(content: bytes, task: Resemblance) -> Image.Image:
    """The first frame in sRGB, on the background, as YCbCr."""
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        with opening(whole(descriptor)) as source:
            everything = RenderTask((), task.limits)
            read_header(source, everything)
            stored = source.image.size
            (frame,) = frames(source, everything, 1)
            pixels, _ = in_srgb(frame.image, picture(source, stored, 1).icc)
            image = pixels.rounded() if isinstance(pixels, Deep) else pixels
            image = image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")
            if image.mode == "RGBA":
                ground = Image.new("RGBA", image.size, (*ImageColor.getrgb(task.background)[:3], 255))
                image = Image.alpha_composite(ground, image).convert("RGB")
            return image.convert("YCbCr")
    finally:
        os.close(descriptor)


def ssim(first: Image.Image, other: Image.Image) -> float:
    """The structural similarity of two YCbCr pictures of one size: 1.0 for equal ones, less the more they differ."""
    planes = zip(_planes(first), _planes(other), _WEIGHTS, strict=True)
    return sum(weight * _of_plane(x, y) for x, y, weight in planes) / sum(_WEIGHTS)


def _planes(image: Image.Image) -> list[Image.Image]:
    luma, *colour = (plane.convert("F") for plane in image.split())
    return [luma.point(lambda level: level * (219 / 255) + 16), *colour]


def _of_plane(x: Image.Image, y: Image.Image) -> float:
    products = [_product(x, x), _product(y, y), _product(x, y)]
    total, windows = 0.0, 0
    for left in (0, _STEP):
        for top in (0, _STEP):
            box = (left, top, x.width, x.height)
            if (left and x.width < left + _WINDOW) or (top and x.height < top + _WINDOW):
                continue  # too small for a second row of windows
            means = [image.crop(box).reduce(_WINDOW) for image in (x, y, *products)]
            similar = ImageMath.lambda_eval(_similarity, **dict(zip(("x", "y", "xx", "yy", "xy"), means, strict=True)))
            count = similar.width * similar.height
            total += count * float(similar.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
            windows += count
    return total / windows


def _product(x: Image.Image, y: Image.Image) -> Image.Image:
    product: Image.Image = ImageMath.lambda_eval(lambda of: of["x"] * of["y"], x=x, y=y)
    return product


def _similarity(of: dict[str, ImageMath._Operand]) -> ImageMath._Operand:
    """The formula, for all windows at once: from the means of x, y and their products."""
    x, y = of["x"], of["y"]
    both = x * y
    squares = x * x + y * y
    covariance = of["xy"] - both
    variances = of["xx"] + of["yy"] - squares
    return (both * 2 + _C1) * (covariance * 2 + _C2) / ((squares + _C1) * (variances + _C2))


def warm_up() -> None:
    """As `pipeline.render.line.warm_up`, and both answers once."""
    set_switches()
    render_samples(render)
    sample = Image.linear_gradient("L").resize((16, 16)).convert("RGB")
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            sample.save(file, "PNG")
            split = file.tell()
            sample.save(file, "PNG")
        for task in (Look(Limits()), Resemblance(Limits(), split, "#ffffff")):
            for _reply in answer(whole(descriptor), task):
                pass
    finally:
        os.close(descriptor)
