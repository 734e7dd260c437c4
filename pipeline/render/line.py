"""The straight line of one picture: header, limits, pixels, renditions. The only entry to this room from outside."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from dataclasses import replace

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import NotRendered, RenderAnswer, Rendered, RenderTask
from pipeline.model.shape import Resampler
from pipeline.model.source import Header
from pipeline.render.child.libraries import libraries
from pipeline.render.child.warm_up import render_samples, set_switches
from pipeline.render.header import read_header
from pipeline.render.memory import close_all
from pipeline.render.opening import pages
from pipeline.render.opening.decode import Picture, frames, picture
from pipeline.render.opening.failures import blame_memory
from pipeline.render.opening.source import Source, opening
from pipeline.render.pixels.placeholder import REDUCED, placeholder
from pipeline.render.pixels.shared import SharedPixels
from pipeline.render.rendition import Rendition
from pipeline.workers.exchange import Held, Reply

# What they log of a picture is in its verdict: it goes to whoever has set up logging, and not to the terminal.
for _library in ("PIL", "pyvips"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


def render(held: Held, task: RenderTask) -> Generator[Reply, None, None]:
    """Carries the picture that is `held` to every rendition of `task`. A `pipeline.workers.exchange.Function`.

    Yields `Reply(Header)` after parsing and checking the header, and when resumed `Reply(RenderAnswer, descriptors)`:
    one sealed descriptor for each `Rendered`, the receiver's to close. Raises PictureError for whatever is wrong with
    the source; a rendition that cannot be made is a `NotRendered` in the answer. Both are a pure function of the
    bytes and the task, but for the seconds. Runs in any number of threads at once; what is held stays the caller's, is
    used by one call at a time, and must not change meanwhile.
    """
    with opening(held) as source:
        header = read_header(source, task)
        yield Reply(header)
        try:
            answer, descriptors = _carried_out(source, header, task)
        except PictureError as error:
            raise blame_memory(error, header.estimate, task.limits) from error
    yield Reply(answer, descriptors)


def _carried_out(source: Source, header: Header, task: RenderTask) -> tuple[RenderAnswer, tuple[int, ...]]:
    """Decodes every frame once and draws it into each rendition that wants it, then encodes one after the other."""
    specs = (*task.specs, REDUCED) if task.placeholder else task.specs
    renditions = [Rendition(spec, task, header.frames if source.animated else 1) for spec in specs]
    seconds_decode, abouts = 0.0, []
    for page, of_it in pages.by_page(specs, header.frames):
        wanted = [one for one in renditions if one.spec in of_it]
        try:
            with pages.turned_to(source, page, header.frames) as one:
                about, seconds = _drawn(one, wanted, _narrowed(task, wanted, renditions), header)
        except PictureError as error:
            if page is None or error.kind is not ErrorKind.NOT_ENCODABLE:
                raise
            for rendition in wanted:
                rendition.refuse(error)
        else:
            abouts.append(about)
            seconds_decode += seconds
    source.image.close()  # its pixels are not needed any more, the encoders' memory is

    reduced = renditions.pop().first if task.placeholder else None
    color, thumbhash = placeholder(reduced) if reduced is not None else (None, None)
    descriptors: list[int] = []
    try:
        encoded = tuple(_named(rendition.encoded(descriptors), header, task) for rendition in renditions)
        told = (
            *(warning for about in abouts for warning in about.warnings),
            *(warning for one in renditions for warning in one.source_warnings),
        )
        answer = RenderAnswer(
            header,
            encoded,
            seconds_decode,
            libraries(by_libvips=source.by_libvips or _may_resample(task)),
            warnings=tuple(dict.fromkeys(told)),
            upright=abouts[0].size if abouts else None,
            color=color,
            thumbhash=thumbhash,
        )
    except BaseException:
        close_all(descriptors)
        raise
    return answer, tuple(descriptors)


def _may_resample(task: RenderTask) -> bool:
    """Whether libvips may."""
    return any(one.resampler is not Resampler.PILLOW for one in (*task.specs, *task.beside))


def _narrowed(task: RenderTask, wanted: list[Rendition], all_: list[Rendition]) -> RenderTask:
    """`task` for the renditions of one page; those of the others count in what all of them share, nonetheless."""
    if len(wanted) == len(all_):
        return task
    others = tuple(one.spec for one in all_ if one not in wanted and one.spec is not REDUCED)
    these = tuple(one.spec for one in wanted if one.spec is not REDUCED)  # which takes what it gets
    return replace(task, specs=these, beside=(*task.beside, *others))


def _drawn(source: Source, renditions: list[Rendition], task: RenderTask, header: Header) -> tuple[Picture, float]:
    """Decodes what `renditions` want of one page and draws it into them; what it is, and the seconds of decoding."""
    started, drawing = time.perf_counter(), 0.0
    about: Picture | None = None
    stored = source.image.size
    alone = renditions[0].spec.page is not None
    for frame in frames(source, task, max((one.frames for one in renditions), default=1)):
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


def warm_up() -> None:
    """What a child calls once, in its main thread, before its first picture and before it is confined.

    Sets the process's Pillow switches and puts a tiny picture through every codec, both ways.
    """
    set_switches()
    render_samples(render)
