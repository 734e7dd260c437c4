"""Windows icons, decoded lazily: Pillow's own plugin decodes on opening, before the limits can be checked."""

from __future__ import annotations

import struct
from typing import Any

from PIL import IcoImagePlugin, Image, ImageFile

from pipeline.render.colour.srgb import eight_bits
from pipeline.render.formats import png

_PNG_MARK = b"\x89PNG\r\n\x1a\n"


class Icon(ImageFile.ImageFile):
    """An icon's largest picture (of equal ones the deepest), as RGBA. `load` decodes it."""

    format = "ICO"
    format_description = "Windows icon"

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101 -- always so in _open; Pillow's type allows None for closed files
        directory = IcoImagePlugin.IcoFile(self.fp)
        if not directory.entry:
            raise SyntaxError("icon without pictures")
        self.n_frames = len(directory.entry)
        self._turn(directory, 0)

    def _turn(self, directory: IcoImagePlugin.IcoFile, page: int) -> None:
        """Chooses picture number `page` of `directory`, ordered from the largest and deepest down."""
        assert self.fp is not None  # noqa: S101 -- as above
        order = sorted(
            range(len(directory.entry)), key=lambda i: (-directory.entry[i].square, -directory.entry[i].color_depth, i)
        )
        self._page, self._index = page, order[page]
        self.fp.seek(directory.entry[self._index].offset)
        start = self.fp.read(24)
        if start.startswith(_PNG_MARK):
            self._size = struct.unpack_from(">LL", start, 16)
        else:  # a bitmap without a file header; its height covers colours and mask
            width, height = struct.unpack_from("<ll", start, 4)
            self._size = (width, abs(height) // 2)
        self._mode = "RGBA"
        self.tile = [ImageFile._Tile("icon", (0, 0, *self._size))]

    def tell(self) -> int:
        """The number of the chosen picture, 0 for the largest."""
        return self._page

    def seek(self, frame: int) -> None:
        """Chooses another picture. Raises EOFError where there is none."""
        if not 0 <= frame < self.n_frames:
            raise EOFError("no such picture in the icon")
        assert self.fp is not None  # noqa: S101 -- see _open
        self.fp.seek(0)
        self._turn(IcoImagePlugin.IcoFile(self.fp), frame)

    def _decoded(self, directory: IcoImagePlugin.IcoFile) -> Image.Image:
        assert self.fp is not None  # noqa: S101 -- see _open
        entry = directory.entry[self._index]
        self.fp.seek(entry.offset)
        content = self.fp.read(entry.size)
        if not content.startswith(_PNG_MARK):
            return directory.frame(self._index)
        picture = png.read(content).opened(content)
        picture.load()
        return eight_bits(picture)

    def load(self) -> Any:
        """Decodes. Raises whatever Pillow's plugins raise, and SyntaxError if the size is not the announced one."""
        if self.tile:
            assert self.fp is not None  # noqa: S101 -- see _open
            self.fp.seek(0)
            picture = self._decoded(IcoImagePlugin.IcoFile(self.fp)).convert("RGBA")
            if picture.size != self._size:
                raise SyntaxError("icon's picture is not of the size it claims")
            self.im = picture.im
            self.tile = []
        return Image.Image.load(self)
