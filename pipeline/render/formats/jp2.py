"""JPEG 2000: Pillow's decoder (OpenJPEG), with the profile and the metadata that Pillow does not look for."""

from __future__ import annotations

from typing import IO

from PIL import Jpeg2KImagePlugin

from pipeline.render.container.bmff import boxes
from pipeline.render.container.view import View

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # kinds of `uuid` boxes
_EXIF = b"JpgTiffExif->JP2"
_EACH_ITS_OWN = 255  # instead of the bits of all channels
_RESTRICTED_ICC = 2  # a method of `colr`
_UUID = 16  # bytes
_SIZ_BITS = 40  # where a bare codestream says the bits of its first channel


class Jp2(Jpeg2KImagePlugin.Jpeg2KImageFile):
    """Pillow's plugin, named as the format is here."""

    format = "JP2"
    bits = 8  # of a channel

    def __init__(self, file: IO[bytes], view: View) -> None:
        super().__init__(file)
        if view[:4] == b"\xff\x4f\xff\x51":
            self.bits = (view[_SIZ_BITS + 2] & 0x7F) + 1 if len(view) > _SIZ_BITS + 2 else 8
            return
        for kind, start, end in boxes(view, 0, len(view)):
            if kind == b"jp2h":
                self._read_header(view, start, end)
            elif kind == b"uuid" and view[start : start + _UUID] == _XMP:
                self.info.setdefault("xmp", view[start + _UUID : end])
            elif kind == b"uuid" and view[start : start + _UUID] == _EXIF:
                self.info.setdefault("exif", view[start + _UUID : end])

    def _read_header(self, view: View, start: int, end: int) -> None:
        for kind, at, after in boxes(view, start, end):
            if kind == b"ihdr" and after - at >= 11 and view[at + 10] != _EACH_ITS_OWN:
                self.bits = (view[at + 10] & 0x7F) + 1
            elif kind == b"colr" and view[at : at + 1] == bytes((_RESTRICTED_ICC,)):
                self.info.setdefault("icc_profile", view[at + 3 : after])
