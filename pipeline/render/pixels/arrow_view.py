"""A picture's own memory, to be read by another library without a copy of it.

Pillow exports it by the Arrow C data interface where it lies in one piece; a child is told to keep all pictures so
(`in_one_piece`), elsewhere pictures above 16 MB are in several.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from PIL import Image, _imaging

_BYTES = {"L": 1, "RGB": 4, "RGBA": 4, "RGBa": 4, "CMYK": 4}  # of one pixel in memory
_LARGEST_PIECE = 2**31 - 2**20  # bytes; more than any picture within the limits takes


class _ArrowArray(ctypes.Structure):
    """https://arrow.apache.org/docs/format/CDataInterface.html, as far as it is read here."""

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
class Lent:
    """Good as long as it is referred to and the picture is not changed."""

    address: int
    size: int  # bytes
    bands: int  # bytes of a pixel; the fourth of RGB says nothing
    owner: object


def in_one_piece() -> None:
    """Have all pictures of this process in one piece of memory from now on. A switch of Pillow's for the process."""
    _imaging.set_block_size(_LARGEST_PIECE)


def lent(image: Image.Image) -> Lent | None:
    """The memory of a loaded image; None where its mode or its place in memory does not allow it."""
    bands = _BYTES.get(image.mode)
    if bands is None or image.readonly:  # that is mapped from a file
        return None
    try:
        _schema, capsule = image.__arrow_c_array__()
    except (ValueError, MemoryError):  # in several pieces, or not without gaps
        return None
    array = ctypes.cast(_pointer(capsule, b"arrow_array"), ctypes.POINTER(_ArrowArray)).contents
    if array.n_children:  # pixels of four bytes are lists of one child each
        array = ctypes.cast(array.children[0], ctypes.POINTER(_ArrowArray)).contents
    size = image.width * image.height * bands
    address = array.buffers[1] if array.n_buffers > 1 else None
    if address is None or array.offset or array.length not in (size, size // bands):
        return None
    return Lent(address, size, bands, capsule)
