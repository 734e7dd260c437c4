"""Composes animations by the rules of their formats: each frame is a part, laid on a canvas that starts transparent.

Pillow's own composition fills uncovered areas with the background colour, which no browser shows, and blends
half-transparent parts by a rule of its own. So Pillow only decodes each part, as a picture by itself.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile

from pipeline.errors import ErrorKind, PictureError

CUT_OFF = "cut off: what is whole is shown"


class After(enum.Enum):
    """What happens to a part before the next frame is drawn: the disposal method of GIF and APNG."""

    STAYS = "stays"
    CLEARED = "cleared"  # its box is transparent
    UNDONE = "undone"  # the canvas is as it was before


@dataclass(frozen=True, slots=True)
class Part:
    """What one frame puts on the canvas. `over`: blended by its alpha; otherwise it replaces the pixels below."""

    box: tuple[int, int, int, int]
    over: bool
    after: After
    duration: float  # milliseconds
    decode: Callable[[], Image.Image]  # in the canvas' mode, of the box's size; raises whatever a decoder does


class Moving(ImageFile.ImageFile):
    """An animation in mode LA or RGBA, as a Pillow image. Each call of `parts` starts at the first frame."""

    is_animated = False
    remarks: tuple[str, ...] = ()
    bits = 8  # of a channel, as stored

    def __init__(
        self, kind: str, mode: str, size: tuple[int, int], count: Callable[[], int], parts: Callable[[], Iterator[Part]]
    ) -> None:
        self._canvas: Image.Image | None  # what the next part is laid on; None before the first
        self.format, self._start = kind, (mode, size)
        self._count, self._parts = count, parts
        super().__init__(io.BytesIO())

    def _open(self) -> None:
        self._mode, self._size = self._start
        self._rewind()
        self._wanted = 0

    @property
    def n_frames(self) -> int:
        """The number of frames that the file announces. May read through the whole file."""
        return self._count()

    def _rewind(self) -> None:
        self._shown, self._coming, self._canvas = -1, self._parts(), None

    def tell(self) -> int:
        """The number of the frame that `load` composes."""
        return self._wanted

    def seek(self, frame: int) -> None:
        """Chooses the frame; only `load` finds out whether it exists."""
        self._wanted = frame

    def load(self) -> Any:
        """Composes the chosen frame. Raises PictureError if the file ends before it, and whatever a decoder raises."""
        if self._wanted < self._shown:
            self._rewind()
        while self._shown < self._wanted:
            part = next(self._coming, None)
            if part is None:
                raise cut_off(str(self.format), self._shown + 1)
            self._compose(part)
        return Image.Image.load(self)

    def _compose(self, part: Part) -> None:
        before = self._canvas or Image.new(*self._start)
        shown = before.copy()
        left, top, right, bottom = part.box
        if left < right and top < bottom:
            if part.over:
                shown.alpha_composite(part.decode(), (left, top))
            else:
                shown.paste(part.decode(), (left, top))
        self.im = shown.im
        self.info["duration"] = part.duration
        self._shown += 1
        if part.after is After.UNDONE:
            self._canvas = before
        elif part.after is After.CLEARED:
            self._canvas = shown.copy()
            self._canvas.paste(0, part.box)
        else:
            self._canvas = shown


def cut_off(kind: str, frames: int) -> PictureError:
    """The error for a file that ends after `frames` whole frames."""
    where = f"after frame {frames}" if frames else "within its picture"
    return PictureError(ErrorKind.TRUNCATED, f"{kind}: cut off {where}")
