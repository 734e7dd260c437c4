"""What `pipeline compare` asks of pictures: the traits of a source, and how close a rendition is to its reference.

The measure is SSIMULACRA 2, as for a quality that is sought. Transparent parts are put on the background first.
"""

from __future__ import annotations

import os
from collections.abc import Generator

from PIL import Image, ImageColor

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import Look, RenderTask, Resemblance, Traits
from pipeline.model.spec import Limits
from pipeline.render import memory
from pipeline.render.child.warm_up import render_samples, set_switches
from pipeline.render.geometry.orientation import upright_size
from pipeline.render.header import read_header
from pipeline.render.line import render
from pipeline.render.opening.decode import facts_of, first_in_srgb
from pipeline.render.opening.source import opening
from pipeline.render.pixels import libvips, ssimulacra2
from pipeline.workers.exchange import Held, Reply, whole

_UPRIGHT = (0, 1)  # EXIF orientations that turn nothing; 0: none is said


def answer(held: Held, task: Look | Resemblance) -> Generator[Reply, None, None]:
    """A `pipeline.workers.exchange.Function`: yields the `Header` of the (first) picture, then `Traits`, or the score.

    Raises PictureError for any fault of a picture, and where the two of a `Resemblance` differ in size.
    """
    if isinstance(task, Look):
        with opening(held, raw=task.raw) as source:
            header = read_header(source, RenderTask((), task.limits))
            yield Reply(header)
            orientation = facts_of(source).orientation
            upright = upright_size((header.width, header.height), orientation)
            yield Reply(
                Traits(
                    header.width,
                    header.height,
                    animated=source.animated,
                    transparent=bool(source.image.has_transparency_data),
                    cmyk=header.mode == "CMYK",
                    rotated=orientation not in _UPRIGHT,
                    outside=task.only.outside(header.format, *upright) if task.only is not None else "",
                )
            )
        return
    content = os.pread(held.descriptor, held.size, 0)
    yield Reply(held.size)
    first = _decoded(content[: task.split], task)
    other = _decoded(content[task.split :], task)
    if first.size != other.size:
        raise PictureError(ErrorKind.INTERNAL, f"{first.size} compared with {other.size}")
    measurable = libvips.available() and min(first.size) >= ssimulacra2.LEAST_SIDE
    yield Reply(round(ssimulacra2.Original(first).score(other), 2) if measurable else None)


def _decoded(content: bytes, task: Resemblance) -> Image.Image:
    """The first frame in sRGB, on the background."""
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        with opening(whole(descriptor)) as source:
            read_header(source, RenderTask((), task.limits))
            image = first_in_srgb(source, task.limits)
            image = image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")
            if image.mode == "RGBA":
                ground = Image.new("RGBA", image.size, (*ImageColor.getrgb(task.background)[:3], 255))
                image = Image.alpha_composite(ground, image).convert("RGB")
            return image
    finally:
        os.close(descriptor)


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
