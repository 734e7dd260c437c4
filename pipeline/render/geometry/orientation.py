"""The eight EXIF orientations. Boxes are computed upright; pixels are turned only after resampling.

Turning the small result instead of the large source costs almost nothing, and the pixels are the same within rounding,
because Lanczos is symmetrical.
"""

from __future__ import annotations

from PIL import Image

from pipeline.render.geometry.fit import Box, Size

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Where a step to the right and a step down lead in the upright picture: (x, x'), (y, y') by rows.
_UPRIGHT = (1, 0, 0, 1)
_MATRICES = {
    1: _UPRIGHT,
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, -1, 1, 0),
    7: (0, -1, -1, 0),
    8: (0, 1, -1, 0),
}


def upright_size(size: Size, orientation: int) -> Size:
    """The upright size of a picture stored with `size`; also the inverse."""
    return (size[1], size[0]) if orientation >= 5 else size


def stored_box(box: Box, upright: Size, orientation: int) -> Box:
    """`box` of the upright picture, of size `upright`, in coordinates of the stored picture."""
    left, top, right, bottom = box
    width, height = upright
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    if orientation in (3, 4, 7, 8):
        top, bottom = height - bottom, height - top
    return (top, left, bottom, right) if orientation >= 5 else (left, top, right, bottom)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Turns a stored `image` upright. An orientation outside 2..8 means that it is upright."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def inverse(orientation: int) -> int:
    """The orientation that turns an upright picture to how it is stored under `orientation`."""
    return {6: 8, 8: 6}.get(orientation, orientation)


def rotated(orientation: int, turn: int) -> int:
    """The orientation that has the effect of `orientation` followed by `turn`."""
    a, b, c, d = _MATRICES.get(turn, _UPRIGHT)
    e, f, g, h = _MATRICES.get(orientation, _UPRIGHT)
    product = (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
    return next(number for number, matrix in _MATRICES.items() if matrix == product)
