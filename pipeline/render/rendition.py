"""One rendition in the making: frames are drawn into it as they are decoded, then it is encoded.

Whatever goes wrong here is this rendition's failure, never its source's: the source could be decoded.
"""

from __future__ import annotations

import time

from PIL import Image

from pipeline.errors import ErrorKind, PictureError
from pipeline.model import NotRendered, Rendered, Spec
from pipeline.render.canvas import finished
from pipeline.render.colour import to_srgb
from pipeline.render.decode import Frame, Picture
from pipeline.render.encode import ANIMATED_TARGETS, Film, encode
from pipeline.render.geometry import place
from pipeline.render.resize import resample


class Rendition:
    """Used by one thread. `frames`: how many it wants of a source that has `available` (1 where it is no animation)."""

    def __init__(self, spec: Spec, available: int) -> None:
        self.spec = spec
        self.frames = available if spec.format in ANIMATED_TARGETS else 1
        self.warnings: tuple[str, ...] = ()
        if self.frames < available:
            self.warnings = (f"first of {available} frames only: {spec.format} holds no animation",)
        self.source_warnings: tuple[str, ...] = ()  # what its pixels told about the source
        self._images: list[Image.Image] = []
        self._durations: list[int] = []
        self._seconds_resize = 0.0
        self._failure: PictureError | None = None

    @property
    def first(self) -> Image.Image | None:
        """Its first frame as it was drawn, before it is encoded; None where that failed."""
        return self._images[0] if self._images else None

    def draw(self, frame: Frame, picture: Picture) -> None:
        """Takes the next frame, unless there are enough or an earlier one could not be drawn. Never raises."""
        if self._failure is not None or len(self._images) == self.frames:
            return
        started = time.perf_counter()
        try:
            placement = place(picture.size, self.spec)
            image = resample(frame, placement, picture.size, picture.orientation)
            image, self.source_warnings = to_srgb(image, picture.icc)
            self._images.append(finished(image, placement, self.spec))
            self._durations.append(frame.duration)
        except Exception as error:  # noqa: BLE001 -- Pillow raises nearly anything; all of it is this rendition's failure
            self._failure = _failure(error)
        self._seconds_resize += time.perf_counter() - started

    def encoded(self, picture: Picture, descriptors: list[int]) -> Rendered | NotRendered:
        """What came of it. A success adds its descriptor to `descriptors`. Never raises."""
        started = time.perf_counter()
        if self._failure is None:
            try:
                film = Film(tuple(self._images), tuple(self._durations), picture.plays)
                descriptor, size = encode(film, self.spec, picture.kept)
                descriptors.append(descriptor)
            except Exception as error:  # noqa: BLE001 -- as above
                self._failure = _failure(error)
        if self._failure is not None:
            return NotRendered(self.spec.name, self._failure)
        return Rendered(
            name=self.spec.name,
            index=len(descriptors) - 1,
            size=size,
            format=self.spec.format,
            width=self._images[0].width,
            height=self._images[0].height,
            seconds_resize=self._seconds_resize,
            seconds_encode=time.perf_counter() - started,
            warnings=self.warnings,
        )


def _failure(error: Exception) -> PictureError:
    if isinstance(error, PictureError):
        return error
    kind = ErrorKind.MEMORY_LIMIT if isinstance(error, MemoryError) else ErrorKind.NOT_ENCODABLE
    return PictureError(kind, f"{type(error).__name__}: {error}")
