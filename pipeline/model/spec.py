"""What the config asks for: the spec of a rendition, with the enums of its words, and the limits of a picture."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pipeline.model.shape import Extract, Gravity, Length, Resampler
from pipeline.model.steps import Asset, Step


class Fit(enum.StrEnum):
    """How a picture is fitted into its box, in the words of CSS object-fit and sharp."""

    INSIDE = "inside"
    COVER = "cover"
    CONTAIN = "contain"
    FILL = "fill"
    OUTSIDE = "outside"


class Format(enum.StrEnum):
    """The formats of renditions."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    GIF = "gif"
    TIFF = "tiff"
    JXL = "jxl"  # needs the extra of that name

    @property
    def extension(self) -> str:
        """The usual file name extension, without the dot."""
        return {"jpeg": "jpg", "tiff": "tif"}.get(self.value, self.value)


ANIMATED = (Format.PNG, Format.WEBP, Format.AVIF, Format.GIF)  # formats that can hold an animation, of sources too

DEFAULT_QUALITY = {Format.JPEG: 82, Format.WEBP: 84, Format.AVIF: 63, Format.JXL: 80}  # other formats have no quality

LONGEST_SIDE = {
    Format.JPEG: 65_500,  # JPEG_MAX_DIMENSION of libjpeg
    Format.WEBP: 16_383,  # 14 bits in its frame header
    Format.AVIF: 32_768,  # that decoders accept
    Format.GIF: 65_535,  # 16 bits in its header
}  # pixels; PNG, TIFF and JPEG XL have 30 bits and more

EFFORT = {  # least, most, default
    Format.PNG: (0, 9, 6),
    Format.WEBP: (0, 6, 4),
    Format.AVIF: (0, 10, 4),
    Format.JXL: (1, 9, 7),  # as libjxl has it; its 10 takes minutes a megapixel
}


class Profile(enum.StrEnum):
    """The colour space of a rendition."""

    SRGB = "srgb"  # colours are converted, and the profile is dropped
    KEEP = "keep"  # that of the source, with its profile
    DISPLAY_P3 = "display-p3"  # colours are converted, and its profile is written
    ADOBE_RGB = "adobe-rgb"


NAMED = (Profile.DISPLAY_P3, Profile.ADOBE_RGB)  # whose profiles are made here


class Hdr(enum.StrEnum):
    """What becomes of brightness beyond that of other screens."""

    SDR = "sdr"  # PQ and HLG are tone-mapped, gain maps dropped
    KEEP = "keep"  # PQ and HLG stay in AVIF, gain maps in JPEG


class Metadata(enum.StrEnum):
    """Which metadata of the source a rendition keeps. `Private` metadata is dropped by all of these."""

    STRIP = "strip"  # copyright, artist and credit
    RIGHTS = "rights"  # those, and terms of use, licence and contact
    KEEP = "keep"


class Private(enum.StrEnum):
    """Metadata that is dropped unless it is asked for by name."""

    GPS = "gps"  # the place
    SERIALS = "serials"  # of camera and lens; the camera's owner, the picture's unique ids, too
    MAKER_NOTES = "maker_notes"
    THUMBNAILS = "thumbnails"  # embedded previews, which may show parts that were cropped away
    COMMENTS = "comments"


class Animation(enum.StrEnum):
    """The frames of a rendition in a format that can hold an animation."""

    KEEP = "keep"
    FIRST = "first"  # only the first frame; the others are not decoded


class Subsampling(enum.StrEnum):
    """Chroma subsampling, in the usual notation."""

    FULL = "4:4:4"
    HALF = "4:2:2"
    QUARTER = "4:2:0"


class Verify(enum.StrEnum):
    """How an encoded rendition is checked before it is delivered."""

    HEADER = "header"  # opened from its bytes: format, size, mode, frames and metadata are as intended
    DECODE = "decode"  # and all pixels are decoded


@dataclass(frozen=True, slots=True)
class Similarity:
    """In the place of a quality: the lowest is sought whose file is so similar to the pixels that it is made of."""

    ssimulacra2: float  # of 100, which is equal


AS_SOURCE = 0  # as a `Spec.density` or a `Spec.depth`: that of the source

LARGEST = -1  # as a `Spec.page`: that with the most pixels


@dataclass(frozen=True, slots=True)
class Spec:
    """What one rendition is to look like. Name, family and verify cannot change its bytes and are not in the recipe."""

    name: str
    width: int | None = None  # pixels of the box; None: free
    height: int | None = None
    fit: Fit = Fit.INSIDE
    enlarge: bool = False
    format: Format = Format.JPEG
    quality: int | Similarity | None = None  # None: the format's default, see `effective_quality`
    background: str = "#ffffff"  # under alpha where the format has none, and around `contain`
    lossless: bool = False
    effort: int | None = None  # on the format's own scale, see `EFFORT`
    subsampling: Subsampling | None = None  # None: 4:2:0 for JPEG below quality 90 (not CMYK), else 4:4:4
    progressive: bool | None = None  # JPEG; None: where it is worth its time
    colors: int | None = None  # of a palette; None: PNG has none, GIF as many as it can
    dither: float = 1.0  # of a palette, 0 (none) to 1
    max_bytes: int | None = None  # the best quality that fits, at most `effective_quality`
    optimize: bool = False  # JPEG by mozjpeg, through libvips
    keep_smaller: bool = False  # the source's bytes instead, if they fulfil the spec and are no larger
    profile: Profile = Profile.SRGB
    cmyk_profile: Asset | None = None  # of CMYK that has none; None: as libvips takes it
    metadata: Metadata = Metadata.STRIP
    private: tuple[Private, ...] = ()  # in canonical order
    depth: int = 8  # bits of a channel, or AS_SOURCE: 16 (PNG, TIFF) or 12 (AVIF) of a source that has more than 8
    hdr: Hdr = Hdr.SDR
    density: int | None = None  # dots per inch, or AS_SOURCE, which None means where metadata is kept, too
    animation: Animation = Animation.KEEP
    page: int | None = None  # from 0, of sources that hold several pictures; None: the main one
    verify: Verify = Verify.HEADER  # cannot change bytes, only whether there are any: not part of the recipe
    family: str | None = None  # the family it is a member of; its name is that of family, width and format
    aspect: tuple[int, int] | None = None  # width : height; determines the free side of the box
    dpr: float = 1.0  # device pixels for each pixel of the box, of `pad` and of margins
    gravity: Gravity = Gravity.CENTRE
    focal_point: tuple[float, float] | None = None  # in place of gravity; 0..1 of the whole upright picture
    extract: Extract | None = None
    rotate: int = 0  # degrees clockwise, a multiple of 90
    trim: int | None = None  # levels (of 255) by which a border may differ from its corner and still be cut off
    pad: tuple[Length, Length, Length, Length] | None = None  # top, right, bottom, left, around the box
    steps: tuple[Step, ...] = ()
    linear: bool = False  # resampled in linear light
    resampler: Resampler = Resampler.AUTO
    shrink_on_load: bool = True  # whether the decoder may shrink, where it can

    @property
    def label(self) -> str:
        """The name in file names. A family's member has no format in it: that is the extension."""
        return self.name if self.family is None else self.name.removesuffix(f"-{self.format.value}")

    @property
    def effective_quality(self) -> int | None:
        """The quality for the encoder: `quality`, else the format's default; None where the format has none.

        With a `Similarity` it is for pictures that are too small to be measured.
        """
        return self.quality if isinstance(self.quality, int) else DEFAULT_QUALITY.get(self.format)

    @property
    def effective_effort(self) -> int:
        """The effort for the encoder, on the scale of its format, which has one."""
        return EFFORT[self.format][2] if self.effort is None else self.effort


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one picture. They never change the bytes of a rendition, only whether it is made."""

    pixels: int = 100_000_000  # of all frames together
    frames: int = 1_000
    scans: int = 500  # of a progressive JPEG
    read: float = 60.0  # seconds that reading the source may take
    seconds: float = 300.0  # CPU seconds; the wall backstop is ten times this
    memory: int = 2560 * 2**20  # bytes a child may allocate for it: what 100 Mpx need in the costliest format (WebP)
    file_size: int = 256 * 2**20  # bytes of the source
    truncated: bool = False  # whether what is there of a JPEG or PNG that is cut off is made
