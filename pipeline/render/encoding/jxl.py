"""Encodes JPEG XL, through the extra `jxl` (libjxl): Pillow itself does not write it.

libjxl works in the calling thread, without the GIL; threads of its own would change no byte. The plugin takes 8 bits of
colours and hands libjxl no profile, so files are sRGB.
"""

from __future__ import annotations

from PIL import Image

from pipeline import extras
from pipeline.errors import ErrorKind, PictureError
from pipeline.model.spec import Spec
from pipeline.render.formats import jxl
from pipeline.render.metadata.policy import Written

_WITHOUT_LOSS = 100  # as a quality: its distance is 0, which libjxl takes together with `lossless` only
_OFFSET = bytes(4)  # of the TIFF header in a box of EXIF, which ISO/IEC 18181-2 has before it and the plugin leaves out


def jpeg_xl(image: Image.Image, written: Written, spec: Spec, quality: int | None) -> bytes:
    """`image` (grey or RGB, with or without alpha) with the metadata `written`; a bare codestream where there are none.

    Raises PictureError where the extra is not installed, and whatever the plugin raises.
    """
    if not jxl.is_installed():
        raise PictureError(ErrorKind.NOT_ENCODABLE, f"JPEG XL {extras.missing('jxl')}")
    lossless = spec.lossless or quality == _WITHOUT_LOSS
    encoder = jxl.library().Encoder(
        mode=image.mode,
        lossless=lossless,
        quality=_WITHOUT_LOSS if lossless else quality,
        decoding_speed=0,
        effort=spec.effective_effort,
        use_container=False,
        use_original_profile=False,
        num_threads=0,
    )
    exif = _OFFSET + written.exif.removeprefix(b"Exif\0\0") if written.exif else None
    made: bytes = encoder(
        image.tobytes(), *image.size, jpeg_encode=False, exif=exif, jumb=None, xmp=written.xmp or None, compress=False
    )
    return made
