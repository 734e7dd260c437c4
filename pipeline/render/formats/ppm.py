"""PPM and its relatives: Pillow's plugin, and how many bits a sample is stored in."""

from __future__ import annotations

from PIL import PpmImagePlugin


class Ppm(PpmImagePlugin.PpmImageFile):
    """Pillow's plugin, which reads colour of 16 bits at 8."""

    bits = 8  # of a channel, as stored

    def _open(self) -> None:
        super()._open()
        coding = self.tile[0].args
        most = coding[-1] if isinstance(coding, tuple) else 0  # the largest value, where it is not that of the mode
        if self.mode in ("I", "F") or (isinstance(most, int) and most > 255):
            self.bits = 16
