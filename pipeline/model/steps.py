"""The steps that a rendition's pixels go through after resizing: a dataclass for each.

Each has its model in `config/steps.py` and its module in `render/steps/`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from pipeline.model.shape import Gravity, Length

_MARGIN = Length(3, percent=True)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that a step needs, read with the config. Children get it as bytes, because they have no file system.

    Assets with the same content are equal, whatever their names. In a recipe the hash stands for the content.
    """

    name: str = field(compare=False)  # as written in the config, for messages
    content: bytes = field(compare=False, repr=False)
    sha256: bytes

    @classmethod
    def of(cls, name: str, content: bytes) -> Asset:
        """The asset with this content."""
        return cls(name, content, hashlib.sha256(content).digest())


@dataclass(frozen=True, slots=True)
class Sharpen:
    """Unsharp masking. `radius` in pixels, `amount` in per cent, `threshold` in levels (of 255) that are left alone."""

    radius: float = 1.0
    amount: int = 60
    threshold: int = 2


@dataclass(frozen=True, slots=True)
class Blur:
    """Gaussian; `radius` is its standard deviation in pixels."""

    radius: float = 3.0


@dataclass(frozen=True, slots=True)
class Greyscale:
    """Luma of Rec. 601."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """A picture or a text over the picture. Exactly one of `picture` and `text` is set."""

    picture: Asset | None = None
    text: str | None = None
    font: Asset | None = None  # of `text`; None: the font that comes with Pillow
    color: str = "#ffffff"  # of `text`
    gravity: Gravity = Gravity.SOUTH_EAST
    opacity: float = 1.0  # 0..1
    scale: float = 0.25  # of the rendition's width and height; the mark is as large as fits into both
    margin: Length = _MARGIN  # from the nearest edges; per cent are of the shorter side


Step = Sharpen | Blur | Greyscale | Watermark
