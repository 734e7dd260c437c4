"""Animations composed as their formats say: frames are parts that are laid on a canvas, which is transparent at first.

Pillow's plugins take what no frame covers for the background colour, which no browser shows, and lay what is half
transparent over the frame before by a rule of their own. So they decode parts only, each as a picture of its own.
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
    """What becomes of a part when the next frame comes."""

    STAYS = "stays"
    CLEARED = "cleared"  # its box is transparent
    UNDONE = "undone"  # the canvas is as it was before


@dataclass(frozen=True, slots=True)
class Part:
    """What one frame puts on the canvas. `over`: by its alpha, else in place of what is there."""

    box: tuple[int, int, int, int]
    over: bool
    after: After
    duration: float  # milliseconds
    decode: Callable[[], Image.Image]  # in the canvas' mode, of the box's size; raises whatever a decoder does


class Moving(ImageFile.ImageFile):
    """An animation in mode LA or RGBA. `parts` begins anew at each call, and may raise PictureError."""

    is_animated = False
    remarks: tuple[str, ...] = ()

    def __init__(
        self, kind: str, mode: str, size: tuple[int, int], count: Callable[[], int], parts: Callable[[], Iterator[Part]]
    ) -> None:
        self._canvas: Image.Image | None  # what the next part comes on; None before the first
        self.format, self._start = kind, (mode, size)
        self._count, self._parts = count, parts
        super().__init__(io.BytesIO())

    def _open(self) -> None:
        self._mode, self._size = self._start
        self._rewind()
        self._wanted = 0

    @property
    def n_frames(self) -> int:
        """How many frames it says it has. May read through the file."""
        return self._count()

    def _rewind(self) -> None:
        self._shown, self._coming, self._canvas = -1, self._parts(), None

    def tell(self) -> int:
        """The frame that `load` composes."""
        return self._wanted

    def seek(self, frame: int) -> None:
        """Turns to another frame; whether there is one is found by `load`."""
        self._wanted = frame

    def load(self) -> Any:
        """Composes the frame. Raises PictureError where the file ends before it, and whatever decoders raise."""
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
    """The failure of a picture of which only so many frames are whole."""
    where = f"after frame {frames}" if frames else "within its picture"
    return PictureError(ErrorKind.TRUNCATED, f"{kind}: cut off {where}")
