"""A view of a picture's memory for another library to read without a copy.

Pillow exports a picture by the Arrow C data interface if its memory is in one piece. In a child `in_one_piece` makes it
so for all pictures; elsewhere those above 16 MB are in several pieces.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from PIL import Image, _imaging

_BYTES = {"L": 1, "RGB": 4, "RGBA": 4, "RGBa": 4, "CMYK": 4}  # bytes of a pixel in memory
_LARGEST_PIECE = 2**31 - 2**20  # bytes; more than any picture within the limits takes


class _ArrowArray(ctypes.Structure):
    """The fields read here; see https://arrow.apache.org/docs/format/CDataInterface.html."""

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.POINTER(ctypes.c_void_p)),
    )


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


@dataclass(frozen=True, slots=True)
class ArrowView:
    """Valid while it is referenced and the picture is not changed."""

    address: int
    size: int  # bytes
    bands: int  # bytes of a pixel; the fourth of RGB is padding
    owner: object


def in_one_piece() -> None:
    """Makes Pillow allocate every picture of this process in one piece. Children only: it is a process-wide switch."""
    _imaging.set_block_size(_LARGEST_PIECE)


def arrow_view(image: Image.Image) -> ArrowView | None:
    """A view of a loaded image; None if its mode or its memory layout does not allow one."""
    bands = _BYTES.get(image.mode)
    if bands is None or image.readonly:  # mapped from a file
        return None
    try:
        _schema, capsule = image.__arrow_c_array__()
    except (ValueError, MemoryError):  # in several pieces, or with gaps
        return None
    array = ctypes.cast(_pointer(capsule, b"arrow_array"), ctypes.POINTER(_ArrowArray)).contents
    if array.n_children:  # pixels of four bytes are exported as lists
        array = ctypes.cast(array.children[0], ctypes.POINTER(_ArrowArray)).contents
    size = image.width * image.height * bands
    address = array.buffers[1] if array.n_buffers > 1 else None
    if address is None or array.offset or array.length not in (size, size // bands):
        return None
    return ArrowView(address, size, bands, capsule)
