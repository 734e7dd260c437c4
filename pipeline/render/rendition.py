"""One rendition in the making: frames are drawn into it as they are decoded, then it is encoded.

Any error here fails this rendition and never its source, because the source could be decoded.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.record import Shown, Status
from pipeline.model.rendering import NotRendered, Rendered, RenderTask
from pipeline.model.spec import ANIMATED, AS_SOURCE, NAMED, Animation, Format, Hdr, Profile, Spec
from pipeline.render.colour import hdr
from pipeline.render.colour.cicp import named
from pipeline.render.encoding.delivery import Delivered, deliver
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.encoding.gain_map import drawn
from pipeline.render.encoding.passthrough import can_pass_through, copy_source
from pipeline.render.formats.gain_map import Unkept
from pipeline.render.geometry.fit import Placement
from pipeline.render.geometry.framing import Framing, framing, shown
from pipeline.render.metadata.coordinates import place_of
from pipeline.render.metadata.density import wanted
from pipeline.render.metadata.policy import written
from pipeline.render.opening.decode import Picture
from pipeline.render.opening.failures import render_failure
from pipeline.render.pixels.canvas import finished, finished_deep
from pipeline.render.pixels.deep import Deep
from pipeline.render.pixels.frame import Frame, Pixels, in_space, in_srgb, kept_colours
from pipeline.render.pixels.resize import resample
from pipeline.render.pixels.saliency import focus
from pipeline.render.pixels.shared import SharedPixels
from pipeline.render.pixels.trim import trimmed
from pipeline.render.steps.registry import through


def keeps_hdr(spec: Spec, icc: bytes | None) -> bool:
    """Whether a picture under the profile `icc` is PQ or HLG, and `spec` leaves it so."""
    return spec.hdr is Hdr.KEEP and spec.format is Format.AVIF and hdr.said(icc) is not None


class Rendition:
    """Used by one thread. `frames` is the number it needs of the `available` ones (1 if the source is not animated)."""

    def __init__(self, spec: Spec, task: RenderTask, available: int) -> None:
        self.spec = spec
        self._task = task
        self._framing: Framing | None = None  # measured on the first frame and then kept: the crop must not jump
        first = spec.animation is Animation.FIRST or spec.page is not None
        self.frames = available if spec.format in ANIMATED and not first else 1
        self.warnings: tuple[str, ...] = ()
        if self.frames < available and not first:
            self.warnings = (f"first of {available} frames only: {spec.format} holds no animation",)
        self.source_warnings: tuple[str, ...] = ()  # about colours of the source, found in its pixels
        self._picture: Picture | None = None
        self._placement: Placement | None = None
        self._images: list[Pixels] = []
        self._durations: list[int] = []
        self._icc: bytes | None = None  # the profile of its pixels; None: sRGB
        self._seconds_resize = 0.0
        self._failure: PictureError | None = None

    @property
    def first(self) -> Image.Image | None:
        """The first frame as drawn at 8 bits, before encoding; None if drawing failed."""
        first = self._images[0] if self._images else None
        return first.rounded() if isinstance(first, Deep) else first

    @property
    def _shown(self) -> Shown | None:
        if self._placement is None or self._framing is None:
            return None
        return shown(self._placement, self._framing, self.spec)

    def draw(self, pixels: SharedPixels, picture: Picture) -> None:
        """Draws the next frame, unless there are enough or an earlier one failed. Never raises."""
        if self._failure is not None or len(self._images) == self.frames:
            return
        started = time.perf_counter()
        self._picture = picture
        try:
            self._images.append(self._made(pixels, picture))
            self._durations.append(pixels.frame.duration)
        except Exception as error:  # noqa: BLE001 -- Pillow raises nearly anything; all of it is this rendition's failure
            self._failure = render_failure(error)
        self._seconds_resize += time.perf_counter() - started

    def _made(self, pixels: SharedPixels, picture: Picture) -> Pixels:
        """Everything that is done to the pixels of a frame before the encoder, in order."""
        spec, frame = self.spec, pixels.frame
        stays = keeps_hdr(spec, picture.icc) and isinstance(frame.image, Deep)
        if spec.profile is Profile.SRGB and not spec.linear and not stays:
            return self._finished(self._shared(pixels, picture))
        if spec.linear:  # linear light needs known colours
            image, self.source_warnings = in_srgb(frame.image, picture.icc, spec.cmyk_profile)
            frame, picture = replace(frame, image=image), replace(picture, icc=None)
        framed = self._framing = self._framing or self._framed(frame, picture)
        placement = self._placement = framed.place(spec)
        image = resample(frame, placement, framed.turned, framed.orientation, spec)
        if stays:
            self._icc = picture.icc
        elif spec.profile in NAMED:
            space, inks = named(spec.profile), spec.cmyk_profile
            image, self._icc, self.source_warnings = in_space(image, picture.icc, space, inks)
        elif not spec.linear:
            plain = not spec.steps and placement.canvas == placement.size
            image, self._icc, self.source_warnings = kept_colours(image, picture.icc, spec, plain=plain)
        return self._finished(image)

    def _shared(self, pixels: SharedPixels, picture: Picture) -> Pixels:
        """The frame resampled and in sRGB, shared with other renditions of the same placement."""
        framed = self._framing = self._framing or self._framed(pixels.frame, picture)
        placement = self._placement = framed.place(self.spec)
        image, self.source_warnings = pixels.of(self.spec, framed, placement)
        if self.spec.steps and isinstance(image, Image.Image):
            return image.copy()  # a step may change its input
        return image

    def _finished(self, image: Pixels) -> Pixels:
        if self._placement is None:
            raise PictureError(ErrorKind.INTERNAL, "no placement")
        if isinstance(image, Deep):
            if self.spec.depth == AS_SOURCE or hdr.said(self._icc) is not None:
                return finished_deep(image, self._placement, self.spec)
            image = image.rounded()
        return finished(through(self.spec.steps, image, self.spec.dpr), self._placement, self.spec)

    def _framed(self, frame: Frame, picture: Picture) -> Framing:
        framed = framing(picture.size, picture.orientation, self.spec, self._task)
        if self.spec.trim is not None:
            framed = trimmed(frame, framed, self.spec.trim, picture.icc)
        if self.spec.gravity.measured and framed.focus is None:
            framed = replace(framed, focus=focus(frame, framed, self.spec, picture.icc))
        return framed

    def refuse(self, error: PictureError) -> None:
        """Fails the rendition, because it cannot be made of this source."""
        self._failure = error

    def encoded(self, descriptors: list[int]) -> Rendered | NotRendered:
        """Encodes the drawn frames. A success appends its descriptor to `descriptors`. Never raises."""
        started = time.perf_counter()
        picture = self._picture
        if self._failure is None and picture is not None:
            try:
                encode_input, told = self._encode_input(picture)
                made = deliver(encode_input, self.spec, dict(self._task.hints).get(self.spec.name))
                made = self._kept(made, encode_input, picture)
                descriptors.append(made.descriptor)
            except Exception as error:  # noqa: BLE001 -- as above
                self._failure = render_failure(error)
        if self._failure is not None or picture is None:
            reason = self._failure or PictureError(ErrorKind.INTERNAL, "nothing was drawn")
            return NotRendered(self.spec.name, reason)
        return Rendered(
            name=self.spec.name,
            index=len(descriptors) - 1,
            size=made.size,
            format=self.spec.format,
            width=self._images[0].width,
            height=self._images[0].height,
            seconds_resize=self._seconds_resize,
            seconds_encode=time.perf_counter() - started,
            status=made.status,
            warnings=(*self.warnings, *told, *made.warnings),
            quality=made.quality,
            score=made.score,
            shown=self._shown,
        )

    def _encode_input(self, picture: Picture) -> tuple[EncodeInput, tuple[str, ...]]:
        """The input of the encoder, and warnings about metadata."""
        if self._placement is None or self._framing is None:
            raise PictureError(ErrorKind.INTERNAL, "no placement")
        density = wanted(self.spec, picture.density, self._framing.orientation)
        place = place_of(picture.size, picture.orientation, picture.blocks.exif, self._placement, self.spec)
        going, told = written(picture.blocks, self.spec, place, density)
        images, durations = tuple(self._images), tuple(self._durations)
        gain = None
        if self.spec.hdr is Hdr.KEEP and picture.source.has_gain_map:
            try:
                gain = drawn(picture, self._framing, self._placement, self.spec, self._icc)
            except Unkept as why:
                told = (*told, f"gain map dropped: {why}")
        return EncodeInput(images, durations, picture.plays, self._icc, going, density, gain), told

    def _kept(self, made: Delivered, encode_input: EncodeInput, picture: Picture) -> Delivered:
        """A copy of the source if `keep_smaller` asks for it, it qualifies and is no larger; else `made`."""
        placement, source = self._placement, picture.source
        if not self.spec.keep_smaller or placement is None or len(source.view) > made.size:
            return made
        if not can_pass_through(source, picture, placement, encode_input, self.spec):
            return made
        descriptor, size = copy_source(source)
        os.close(made.descriptor)
        return Delivered(descriptor, size, Status.KEPT)
