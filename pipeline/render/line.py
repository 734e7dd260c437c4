"""The life of one picture in a child: header, limits, pixels, renditions. The entry to this package for all others."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Status
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered, RenderTask
from pipeline.model.shape import Gravity, Resampler
from pipeline.model.source import Header
from pipeline.model.spec import AS_SOURCE, Format, Hdr, Similarity
from pipeline.render.child.libraries import libraries
from pipeline.render.child.warm_up import render_samples, set_switches
from pipeline.render.geometry.orientation import upright_size
from pipeline.render.header import read_header
from pipeline.render.memory import close_all
from pipeline.render.opening import pages
from pipeline.render.opening.decode import Picture, facts_of, frames, picture
from pipeline.render.opening.failures import blame_memory
from pipeline.render.opening.source import Source, opening
from pipeline.render.pixels.placeholder import REDUCED, placeholder
from pipeline.render.pixels.shared import SharedPixels
from pipeline.render.rendition import Rendition, keeps_hdr
from pipeline.workers.exchange import Held, Reply

_OF_HDR, _DEEPEST = 10, 16  # bits a channel that a rendition can have

# What these libraries log about a picture is in its error as well: without a handler it would go to the terminal.
for _library in ("PIL", "pyvips"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


def render(held: Held, task: RenderTask) -> Generator[Reply, None, None]:
    """Renders the picture in `held` to every rendition of `task`. A `pipeline.workers.exchange.Function`.

    Yields `Reply(Header)` after parsing and checking the header and, when resumed, `Reply(RenderAnswer, descriptors)`
    with one sealed descriptor for each `Rendered`, which the receiver closes. Raises PictureError for any fault of the
    source; a rendition that cannot be made is a `NotRendered` in the answer. A picture outside of `task.only` is not
    decoded: its answer has no renditions. Except for the seconds, both replies are a pure function of the bytes and the
    task. Any number of threads may call it at once, each with its own `held`, which stays the caller's and must not
    change meanwhile.
    """
    with opening(held, task.limits.pixels if task.limits.truncated else 0, raw=task.raw) as source:
        header = read_header(source, task)
        yield Reply(header)
        if task.only is not None:
            upright = upright_size((header.width, header.height), facts_of(source).orientation)
            if task.only.outside(header.format, *upright):
                yield Reply(RenderAnswer(header, (), 0.0, libraries(by_libvips=False), upright=upright))
                return
        try:
            answer, descriptors = _carried_out(source, header, task)
        except PictureError as error:
            # Not from `error`, which it may be: its own cause would keep the pixels in its traceback from being freed.
            raise blame_memory(error, header.estimate, task.limits) from error.__cause__
    yield Reply(answer, descriptors)


def _carried_out(source: Source, header: Header, task: RenderTask) -> tuple[RenderAnswer, tuple[int, ...]]:
    """Decodes every frame once, draws it into each rendition that needs it, then encodes the renditions in turn."""
    specs = (*task.specs, REDUCED) if task.placeholder else task.specs
    renditions = [Rendition(spec, task, header.frames if source.animated else 1) for spec in specs]
    seconds_decode, abouts = 0.0, []
    for page, of_it in pages.by_page(specs, header.frames):
        wanted = [rendition for rendition in renditions if rendition.spec in of_it]
        try:
            with pages.turned_to(source, page, header.frames) as turned:
                about, seconds = _drawn(turned, wanted, _narrowed(task, wanted, renditions), header)
        except PictureError as error:
            if page is None or error.kind is not ErrorKind.NOT_ENCODABLE:
                raise
            for rendition in wanted:
                rendition.refuse(error)
        else:
            abouts.append(about)
            seconds_decode += seconds
    source.image.close()  # frees its pixels before the encoders need memory

    reduced = renditions.pop().first if task.placeholder else None
    color, thumbhash = placeholder(reduced) if reduced is not None else (None, None)
    descriptors: list[int] = []
    try:
        made = (_named(rendition.encoded(descriptors), header, task) for rendition in renditions)
        encoded = tuple(_marked(each) if source.damage else each for each in made)
        told = (
            *_depth_lost(source, abouts, task),
            *_light_lost(source, abouts, task),
            *(warning for about in abouts for warning in about.warnings),
            *(warning for rendition in renditions for warning in rendition.source_warnings),
        )
        answer = RenderAnswer(
            header,
            encoded,
            seconds_decode,
            libraries(by_libvips=source.by_libvips or _may_use_libvips(task), by_faces=_looks_for_faces(task)),
            warnings=tuple(dict.fromkeys(told)),
            upright=abouts[0].size if abouts else None,
            orientation=abouts[0].stored if abouts else None,
            color=color,
            thumbhash=thumbhash,
        )
    except BaseException:
        close_all(descriptors)
        raise
    return answer, tuple(descriptors)


def _depth_lost(source: Source, abouts: list[Picture], task: RenderTask) -> tuple[str, ...]:
    """A warning where the source has more bits a channel than any rendition of the config keeps."""
    left, specs = 8, (*task.specs, *task.beside)
    if source.is_deep and any(spec.depth == AS_SOURCE for spec in specs):
        left = _DEEPEST
    elif source.is_deep and any(keeps_hdr(spec, about.icc) for spec in specs for about in abouts):
        left = _OF_HDR
    if source.bits <= left:
        return ()
    way = "; depth: keep would keep 16" if source.is_deep and left < _DEEPEST else ""
    return (f"{source.bits} bits a channel become {left}{way}",)


def _light_lost(source: Source, abouts: list[Picture], task: RenderTask) -> tuple[str, ...]:
    """A warning where the source is HDR, and a rendition is not."""
    specs = (*task.specs, *task.beside)
    if not any(spec.hdr is Hdr.KEEP for spec in specs) and source.has_gain_map:
        way = "; hdr: keep would keep it in jpegs" if source.may_keep_gain_map else ""
        return (f"gain map dropped{way}",)
    if not source.is_hdr or (source.is_deep and all(keeps_hdr(spec, about.icc) for spec in specs for about in abouts)):
        return ()
    return ("HDR: tone-mapped to what other screens show" if source.is_deep else "HDR: its brightness is not mapped",)


def _may_use_libvips(task: RenderTask) -> bool:
    """Whether the config allows libvips to resample, to make palettes, to encode or to measure."""
    specs = (*task.specs, *task.beside)
    return any(
        spec.resampler is not Resampler.PILLOW
        or spec.format is Format.GIF
        or spec.colors
        or spec.optimize
        or isinstance(spec.quality, Similarity)
        for spec in specs
    )


def _looks_for_faces(task: RenderTask) -> bool:
    return any(spec.gravity is Gravity.FACES for spec in (*task.specs, *task.beside))


def _narrowed(task: RenderTask, wanted: list[Rendition], all_: list[Rendition]) -> RenderTask:
    """`task` for the renditions of one page. The other specs move to `beside`: they still count in what is shared."""
    if len(wanted) == len(all_):
        return task
    others = tuple(other.spec for other in all_ if other not in wanted and other.spec is not REDUCED)
    these = tuple(
        rendition.spec for rendition in wanted if rendition.spec is not REDUCED
    )  # the placeholder takes any size
    return replace(task, specs=these, beside=(*task.beside, *others))


def _drawn(source: Source, renditions: list[Rendition], task: RenderTask, header: Header) -> tuple[Picture, float]:
    """Decodes the frames of a page and draws them into `renditions`. Returns the picture and the decoding seconds."""
    started, drawing = time.perf_counter(), 0.0
    about: Picture | None = None
    stored = source.image.size
    alone = renditions[0].spec.page is not None
    for frame in frames(source, task, max((rendition.frames for rendition in renditions), default=1)):
        about = about or picture(source, stored, 1 if alone else header.frames)
        decoded = time.perf_counter()
        still = header.frames == 1 or not source.animated
        pixels = SharedPixels(frame, about.size, about.orientation, about.icc, task, still=still)
        for rendition in renditions:
            rendition.draw(pixels, about)
        drawing += time.perf_counter() - decoded
    if about is None:  # `frames` yields one at least, or raises
        raise PictureError(ErrorKind.DAMAGED, "no frame")
    return about, time.perf_counter() - started - drawing


def _named(made: Rendered | NotRendered, header: Header, task: RenderTask) -> Rendered | NotRendered:
    if isinstance(made, Rendered):
        return made
    return NotRendered(made.name, blame_memory(made.error, header.estimate, task.limits))


def _marked(made: Rendered | NotRendered) -> Rendered | NotRendered:
    return replace(made, status=Status.DAMAGED) if isinstance(made, Rendered) else made


def warm_up() -> None:
    """Called once by a child, in its main thread, before its first picture and before it is confined.

    Sets the switches of Pillow and libvips for the process, and renders tiny pictures through every codec, both ways.
    """
    set_switches()
    render_samples(render)
