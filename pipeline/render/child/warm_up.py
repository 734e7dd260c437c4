"""Warm-up: what a child does once before its first picture, so that nothing is left to load when it is confined."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator

from PIL import AvifImagePlugin, Image, ImageCms

from pipeline.model.rendering import RenderTask
from pipeline.model.shape import Gravity, Resampler
from pipeline.model.spec import Fit, Format, Limits, Metadata, Spec
from pipeline.model.steps import Blur, Greyscale, Sharpen, Watermark
from pipeline.render import memory
from pipeline.render.formats import heif, jxl, tiff_by_libvips
from pipeline.render.pixels import arrow_view, faces, libvips
from pipeline.workers.exchange import Held, Reply, whole

_STILL = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "ICO", "PPM", "JPEG2000")
_MOVING = ("PNG", "WEBP", "GIF")


def set_switches() -> None:
    """Sets the switches of Pillow and libvips for this process. Call it in a child only, before its first picture.

    Pillow's own pixel limit is off, because the task's limits are checked from the header. AVIF decodes in one thread,
    each picture is in one piece of memory, libvips caches no operations, and Python prints no warnings, because the
    answers hold everything there is to say about a picture.
    """
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    heif.use_one_thread()
    faces.use_one_thread()
    arrow_view.in_one_piece()
    libvips.keep_nothing()


def render_samples(render: Callable[[Held, RenderTask], Iterator[Reply]]) -> None:
    """Renders a tiny picture to all formats but GIF and with every step, then a tiny picture of each source format.

    This loads all codecs, plugins, colour transforms, fonts and resamplers in 40 ms of CPU. Rendering every source
    format to every format takes 350 ms and loads nothing more. Linear light is left out: its tables take 30 ms.
    """
    resampler = Resampler.LIBVIPS if libvips.available() else Resampler.AUTO
    # Not GIF, and no JPEG by mozjpeg: libvips starts threads for them, and a zygote with threads spawns nothing. The
    # samples load Pillow's codec of GIF.
    left = {Format.GIF} if jxl.is_installed() else {Format.GIF, Format.JXL}
    targets = [format_ for format_ in Format if format_ not in left]
    formats = (Spec(name=format_.value, width=4, format=format_, resampler=resampler) for format_ in targets)
    every = (Sharpen(), Blur(), Watermark(text="x"), Greyscale())
    gravity = Gravity.FACES if not faces.trouble() else Gravity.ATTENTION
    measured = Spec("measured", 4, 2, Fit.COVER, gravity=gravity, steps=every)
    hard = Spec("hard", 4, max_bytes=10_000, metadata=Metadata.KEEP)
    every_spec = RenderTask((*formats, hard, measured), Limits())
    one_spec = RenderTask((Spec("small", 4, resampler=Resampler.PILLOW),), Limits())
    for number, descriptor in enumerate(_pictures()):
        try:
            for reply in render(whole(descriptor), one_spec if number else every_spec):
                memory.close_all(list(reply.descriptors))
        finally:
            os.close(descriptor)


def _pictures() -> Iterator[int]:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.linear_gradient("L").resize((16, 16)).convert("RGBA")
    other = picture.transpose(Image.Transpose.ROTATE_90)
    for name in _STILL:
        yield _saved(picture.convert("RGB") if name in ("JPEG", "PPM") else picture, name, {})
    for name in _MOVING:
        yield _saved(picture, name, {"save_all": True, "append_images": [other], "duration": 100})
    yield _saved(picture.convert("RGB"), "JPEG", {"progressive": True, "icc_profile": profile})
    yield _saved(picture.convert("CMYK"), "TIFF", {"compression": "tiff_lzw"})
    if libvips.available():
        yield _written(tiff_by_libvips.sample())
    if heif.is_installed():
        yield _written(heif.sample())
    if jxl.is_installed():
        yield _written(jxl.sample())


def _written(content: bytes) -> int:
    descriptor = memory.create()
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    return descriptor


def _saved(picture: Image.Image, name: str, options: dict[str, object]) -> int:
    descriptor = memory.create()
    with open(descriptor, "wb", closefd=False) as file:
        picture.save(file, name, **options)
    return descriptor
