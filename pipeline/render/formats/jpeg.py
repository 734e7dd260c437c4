"""JPEGs as Pillow opens them, less what nobody here asks for."""

from __future__ import annotations

from PIL import JpegImagePlugin


class Jpeg(JpegImagePlugin.JpegImageFile):
    """Pillow's plugin. It does not look for a resolution in EXIF, which takes 0.2 ms a photograph and parses what may
    be hostile; our own reader takes from EXIF what is wanted (see `exif`).
    """

    def _read_dpi_from_exif(self) -> None:
        """Called by Pillow once the header is read."""
