"""A rendition in the config: what may be asked of one derived image, and which of its keys go together.

The order of the fields matters: a validator sees only the fields before its own. Geometry comes first, in the order in
which it is carried out, then the box and the format, then colour and metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline.config.formats import (
    MAX_SIDE,
    ONLY_FOR,
    SHAPED,
    check_depth,
    check_hdr,
    check_installed,
    check_libvips,
    check_optimize,
    check_profile,
    check_sides,
)
from pipeline.config.geometry import Extract, GravityOf, Point, Ratio, Sides, Tolerance, Turn
from pipeline.config.kinds import BYTES, LIKE_BYTES, Amount, EightOrKeep, QualityOrSimilarity, SomeOf, WholeOr
from pipeline.config.section import Flag, Section, Side, field_of, rule, wrong
from pipeline.config.steps import MOST_STEPS, File, OneStep
from pipeline.config.texts import Colour
from pipeline.model.shape import Gravity, Length, Resampler
from pipeline.model.spec import (
    AS_SOURCE,
    DEFAULT_QUALITY,
    EFFORT,
    LARGEST,
    Animation,
    Fit,
    Format,
    Hdr,
    Metadata,
    Private,
    Profile,
    Similarity,
    Spec,
    Subsampling,
    Verify,
)
from pipeline.model.steps import Asset


class Rendition(Section):
    """What one derived image of each source is to look like."""

    extract: Extract | None = field_of(
        Spec, "extract", "Only this part of the upright picture: left, top, width, height in pixels or per cent."
    )
    rotate: Annotated[int, Turn()] = field_of(
        Spec,
        "rotate",
        "Degrees clockwise, beyond what the camera said. Other angles are not on offer: they would need a background.",
    )
    trim: Annotated[int | None, Tolerance()] = field_of(
        Spec,
        "trim",
        "Cuts off a border of one colour. true (10), or by how many levels it may differ from its top left pixel. "
        "The picture is decoded at full size for that.",
    )
    aspect: Annotated[tuple[int, int] | None, Ratio()] = field_of(
        Spec,
        "aspect",
        "Width to height, as 16:9: gives the side of the box that is left out. Without both, the largest such box "
        "inside the picture (cover, fill) or the smallest around it (contain).",
    )
    dpr: Annotated[float, Field(strict=True, ge=0.1, le=10)] = field_of(
        Spec, "dpr", "Device pixels for each pixel of width, height, pad, margins and radii."
    )
    gravity: Annotated[Gravity, GravityOf()] = field_of(
        Spec,
        "gravity",
        "What a crop keeps, and where a picture stands on a larger canvas. attention and entropy are measured: where "
        "edges, skin and strong colours are; where most detail is. So is faces: where most heads are whole, else as "
        "attention; needs the extra `faces`.",
    )
    focal_point: Annotated[tuple[float, float] | None, Point()] = field_of(
        Spec,
        "focal_point",
        "[x, y] of the upright picture, 0 to 1: what a crop has in its middle, in place of gravity. That of a "
        "picture's sidecar goes before.",
    )
    linear: Flag = field_of(
        Spec,
        "linear",
        "Whether pixels are averaged as light (16 bits or floats): right for fine bright patterns, and in sRGB only. "
        "Slower: pictures are decoded at full size for that.",
    )
    resampler: Resampler = field_of(
        Spec,
        "resampler",
        "Whose Lanczos makes pictures smaller: libvips' is five times as fast; auto takes it where it is installed.",
    )
    shrink_on_load: Flag = field_of(
        Spec,
        "shrink_on_load",
        "Whether a JPEG is decoded at 1/2, 1/4 or 1/8 while that leaves 1.2 times the pixels needed.",
    )
    steps: list[OneStep] = field_of(
        Spec, "steps", "What is done to the resized pixels, in this order: sharpen, blur, greyscale, watermark."
    )
    pad: Annotated[tuple[Length, Length, Length, Length] | None, Sides()] = field_of(
        Spec,
        "pad",
        "Background around everything, beyond the box: pixels, or per cent of its shorter side; one for all sides, or "
        "a list of two or four as in CSS.",
    )

    format: Format = field_of(Spec, "format", "The format that is written; jxl needs the extra `jxl`.")
    width: Side | None = field_of(Spec, "width", "Pixels of the box; left out: free.")
    height: Side | None = field_of(Spec, "height", "Pixels of the box; left out: free.")
    fit: Fit = field_of(
        Spec,
        "fit",
        "How a picture meets its box. inside: as large as fits; cover: fills it, cropped; contain: fits, with "
        "background around; fill: stretched; outside: as small as covers it. All but inside need width and height, or "
        "one of them and aspect.",
    )
    enlarge: Flag = field_of(
        Spec, "enlarge", "Whether pictures that are smaller than their box are enlarged; else they stay as they are."
    )
    quality: Annotated[int | Similarity | None, QualityOrSimilarity()] = field_of(
        Spec,
        "quality",
        f"Of lossy formats; left out: {', '.join(f'{name} {value}' for name, value in DEFAULT_QUALITY.items())}. With "
        "ssimulacra2 the lowest is sought, for each picture, at which its file is that similar to the pixels it is "
        "made of: 90 cannot be told from them, 70 is high, 50 medium; needs pyvips.",
    )
    lossless: Flag = field_of(Spec, "lossless", "WebP and JPEG XL without loss; quality is then of no account.")
    effort: Annotated[int, Field(strict=True, ge=0, le=10)] | None = field_of(
        Spec,
        "effort",
        "How hard the encoder tries to make the file smaller, on the format's own scale: "
        + ", ".join(f"{name} {least} to {most} ({default})" for name, (least, most, default) in EFFORT.items())
        + ".",
    )
    subsampling: Subsampling | None = field_of(
        Spec,
        "subsampling",
        "How finely colour is stored, of jpeg and avif; left out: 4:2:0 for jpeg below quality 90 unless it "
        "is CMYK, else 4:4:4.",
    )
    progressive: Flag | None = field_of(
        Spec, "progressive", "JPEG in several passes; left out: from 150,000 pixels on, where it pays."
    )
    colors: Annotated[int, Field(strict=True, ge=2, le=256)] | None = field_of(
        Spec, "colors", "A palette of that many at the most, of png (left out: none) and gif (256)."
    )
    dither: Annotated[float, Field(strict=True, ge=0, le=1)] = field_of(
        Spec, "dither", "How strongly a palette is dithered, of gif and of png with `colors`: 0 (not at all) to 1."
    )
    max_bytes: Annotated[int | None, Amount(BYTES, LIKE_BYTES, 100, 2**40)] = field_of(
        Spec,
        "max_bytes",
        f"Of {', '.join(DEFAULT_QUALITY)}: the file is made no larger, with the best quality that fits, up to "
        "`quality`, and before a similarity; the rendition fails where even quality 1 does not.",
    )
    optimize: Flag = field_of(
        Spec,
        "optimize",
        "JPEG by mozjpeg: a tenth fewer bytes at the same quality, for six times the encoder's time; needs pyvips.",
    )
    keep_smaller: Flag = field_of(
        Spec,
        "keep_smaller",
        "Of jpeg, png, webp: whether the source's own bytes are kept (status `kept`) where nothing smaller could be "
        "made and they are as asked in every way: format, size, orientation, profile, metadata, nothing else in them.",
    )
    background: Annotated[str, Colour(alpha=True)] = field_of(
        Spec,
        "background",
        'Under transparency where the format has none, around contain, as pad: "#rrggbb", a name such as white; where '
        'the format can, "#rrggbbaa" or transparent.',
    )

    profile: Profile = field_of(
        Spec,
        "profile",
        "srgb, display-p3, adobe-rgb: colours are converted to it, the last two with a profile and without steps. "
        "keep: they stay as they are, with the source's profile; not for gif.",
    )
    cmyk_profile: Annotated[Asset | None, File()] = field_of(
        Spec,
        "cmyk_profile",
        "The file of an ICC profile, relative to this file, for CMYK that has none. Left out: a common one, with a "
        "warning.",
    )
    metadata: Metadata = field_of(
        Spec,
        "metadata",
        "What goes along. strip: copyright, artist, credit; rights: also terms of use, licence, contact; "
        "keep: all that stays true (no face regions of what was cropped or turned) but what `private` names.",
    )
    private: Annotated[tuple[Private, ...], SomeOf(Private)] = Field(
        default=Spec("").private, description="What goes along beyond that and never does otherwise."
    )
    depth: Annotated[int, EightOrKeep()] = field_of(
        Spec,
        "depth",
        "Bits a channel: 8, or keep: a source of more is written with 16 (png, tiff) or 12 (avif); needs pyvips.",
    )
    hdr: Hdr = field_of(
        Spec,
        "hdr",
        "Of brightness beyond that of other screens. sdr: PQ and HLG are tone-mapped, gain maps dropped, both with a "
        "warning. keep: PQ and HLG stay in an avif of 10 bits, gain maps in a jpeg. Needs pyvips.",
    )
    density: Annotated[int | None, WholeOr(1, "keep", AS_SOURCE)] = field_of(
        Spec,
        "density",
        "Dots per inch that the file says, or keep: what the source says. Left out: that with metadata: keep, else "
        "none. Not for gif.",
    )
    animation: Animation = field_of(
        Spec,
        "animation",
        "first: only the first frame of an animation; the others count to no limit and are not warned of, and a file "
        "that is cut off behind it is a warning.",
    )
    page: Annotated[int | None, WholeOr(0, "largest", LARGEST)] = field_of(
        Spec,
        "page",
        "Of a TIFF, MPO or icon, or a frame of an animation: from 0, or `largest`; left out: the first, of an icon the "
        "largest.",
    )
    verify: Verify = field_of(
        Spec,
        "verify",
        "How what was encoded is looked at before it is written. header: format, size, mode, frames, metadata; "
        "decode: all of its pixels, too.",
    )
    widths: list[Side] | None = Field(
        default=None,
        min_length=1,
        exclude=True,
        description="Instead of width: a rendition of each, for srcset; see formats.",
    )
    formats: list[Format] | None = Field(
        default=None,
        min_length=1,
        exclude=True,
        description="Instead of format: a rendition in each, best first, as browsers try them; keys that only some of "
        "the formats know are taken for those. Or a mapping, of each to keys that are for it alone: "
        "{avif: {quality: 50}, jpeg: {}}.",
    )

    @field_validator("format", "resampler")
    @classmethod
    def _is_installed(cls, value: Format | Resampler) -> Format | Resampler:
        check_installed(value)
        return value

    @field_validator("steps", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if not isinstance(value, list) or len(value) > MOST_STEPS:
            raise wrong(f"must be a list of at most {MOST_STEPS} steps such as [sharpen, blur: 3]")
        return value

    @field_validator("focal_point")
    @classmethod
    def _is_no_gravity(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        if info.data.get("gravity", Gravity.CENTRE) is not Gravity.CENTRE:
            raise rule("stands in the place of gravity; leave one of them out")
        return value

    @field_validator(*ONLY_FOR)
    @classmethod
    def _is_known_to_the_format(cls, value: object, info: ValidationInfo) -> object:
        name, picture_format = info.field_name or "", info.data.get("format")  # None where the format itself is wrong
        says_nothing = value == cls.model_fields[name].default
        if picture_format is not None and picture_format not in ONLY_FOR[name] and not says_nothing:
            raise rule(f"is only for {', '.join(ONLY_FOR[name])}; the format is {picture_format}")
        return value

    @field_validator("width", "height")
    @classmethod
    def _fits_the_format(cls, value: int | None, info: ValidationInfo) -> int | None:
        picture_format = info.data.get("format")
        dpr = info.data.get("dpr", 1.0)
        if value is not None and picture_format in MAX_SIDE and value * dpr > MAX_SIDE[picture_format]:
            times = f" with dpr {dpr:g}" if dpr != 1 else ""
            raise wrong(f"must be at most {int(MAX_SIDE[picture_format] / dpr)} for {picture_format}{times}")
        return value

    @field_validator("height")
    @classmethod
    def _is_no_third(cls, value: int | None, info: ValidationInfo) -> int | None:
        if info.data.get("aspect") is not None and info.data.get("width") is not None:
            raise rule("follows from width and aspect; leave one of the three out")
        return value

    @field_validator("fit")
    @classmethod
    def _has_its_box(cls, value: Fit, info: ValidationInfo) -> Fit:
        missing = [side for side in ("width", "height") if side in info.data and info.data[side] is None]
        if info.data.get("aspect") is not None and (len(missing) == 1 or value in SHAPED):
            return value
        if value is not Fit.INSIDE and missing:
            verb = "is" if len(missing) == 1 else "are"
            raise rule(f"{value} needs both width and height; {' and '.join(missing)} {verb} missing")
        return value

    @field_validator("fit", "enlarge")
    @classmethod
    def _makes_sides_that_the_format_has(cls, value: object, info: ValidationInfo) -> object:
        return check_sides(value, info.field_name, info.data)

    @field_validator("quality")
    @classmethod
    def _can_be_measured(cls, value: int | Similarity | None) -> int | Similarity | None:
        if isinstance(value, Similarity):
            check_libvips()
        return value

    @field_validator("lossless")
    @classmethod
    def _can_be_lossless(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("quality") is not None:
            raise rule("does not go with quality, which a lossless picture has none of")
        return value

    @field_validator("effort")
    @classmethod
    def _on_the_formats_scale(cls, value: int, info: ValidationInfo) -> int | None:
        least, most, default = EFFORT.get(info.data.get("format", Format.PNG), (0, 10, 0))
        if not least <= value <= most:
            raise wrong(f"must be from {least} to {most} for {info.data['format']}")
        return None if value == default else value

    @field_validator("optimize")
    @classmethod
    def _can_be_optimized(cls, value: bool, info: ValidationInfo) -> bool:
        return check_optimize(value, info.data)

    @field_validator("max_bytes")
    @classmethod
    def _has_something_to_search(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("lossless"):
            raise rule("does not go with lossless: there is no quality to lower")
        return value

    @field_validator("profile")
    @classmethod
    def _holds_a_profile(cls, value: Profile, info: ValidationInfo) -> Profile:
        return check_profile(value, info.data)

    @field_validator("cmyk_profile")
    @classmethod
    def _is_for_inks(cls, value: Asset) -> Asset:
        if value.content[16:20] != b"CMYK" or value.content[36:40] != b"acsp":
            raise wrong("must be the file of an ICC profile for CMYK")
        return value

    @field_validator("dither")
    @classmethod
    def _has_a_palette(cls, value: float, info: ValidationInfo) -> float:
        if info.data.get("format") is Format.PNG and info.data.get("colors") is None:
            raise rule("is for a palette; a png has one with colors")
        return value

    @field_validator("depth")
    @classmethod
    def _can_be_kept(cls, value: int, info: ValidationInfo) -> int:
        return check_depth(value, info.data)

    @field_validator("hdr")
    @classmethod
    def _can_be_as_bright(cls, value: Hdr, info: ValidationInfo) -> Hdr:
        return check_hdr(value, info.data)

    @field_validator("background")
    @classmethod
    def _can_be_seen_through(cls, value: str, info: ValidationInfo) -> str:
        if len(value) > len("#rrggbb") and info.data.get("format") is Format.JPEG:
            raise rule("a jpeg is opaque; choose a colour without transparency")
        return value

    @model_validator(mode="after")
    def _aspect_has_a_box(self) -> Rendition:
        if self.aspect is not None and self.width is None and self.height is None and self.fit not in SHAPED:
            raise rule("aspect needs width or height, or fit: cover, contain or fill")
        return self

    def values(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of its `Spec`, with the values in `common` for keys that it does not set itself."""
        names = (name for name, field in type(self).model_fields.items() if not field.exclude)
        values = {name: getattr(self, name) for name in names}
        values |= {name: value for name, value in common.items() if name not in self.model_fields_set}
        values["extract"] = None if self.extract is None else self.extract.value
        values["steps"] = tuple(step.value for step in self.steps)
        return values
