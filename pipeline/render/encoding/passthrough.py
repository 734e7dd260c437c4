"""Pass-through: whether a source already is what a rendition asks for, so that its bytes can be delivered unchanged.

Checked if `keep_smaller` is set and the encoded file is no smaller than the source. In doubt the source is not taken.
"""

from __future__ import annotations

import os

from pipeline.model.spec import AS_SOURCE, Animation, Metadata, Private, Profile, Spec
from pipeline.render import memory
from pipeline.render.encoding.encode_input import EncodeInput
from pipeline.render.geometry.fit import Placement
from pipeline.render.metadata import exif, iptc, policy, xmp
from pipeline.render.metadata.blocks import Blocks
from pipeline.render.metadata.coordinates import Place, place_of
from pipeline.render.metadata.density import wanted
from pipeline.render.metadata.private import PRIVATE_TAGS, private_in
from pipeline.render.opening.decode import Picture
from pipeline.render.opening.metadata import holds_more
from pipeline.render.opening.source import Source
from pipeline.workers import sealed

# Tags that describe the pixels; they stay true because the pixels are not touched.
_TRUE_MAIN = frozenset((exif.ORIENTATION, 0x0100, 0x0101, 0x011A, 0x011B, 0x0128, 0x0213))
_TRUE_PHOTO = frozenset((0x9101, 0x9102, 0xA000, 0xA001, 0xA002, 0xA003, 0xA005))


def can_pass_through(
    source: Source, picture: Picture, placement: Placement, encode_input: EncodeInput, spec: Spec
) -> bool:
    """Whether `source` already is what `spec` asks for; `placement` and `encode_input` are those of its rendition."""
    return (
        source.format.lower() == spec.format
        and not source.damage
        and not source.of_raw
        and spec.page is None
        and spec.colors is None
        and (source.bits <= spec.depth or spec.depth == AS_SOURCE)
        and not spec.steps
        and place_of(picture.size, picture.orientation, picture.blocks.exif, placement, spec) is Place.SAME
        and (spec.density is None or wanted(spec, picture.density, 1) == picture.density)
        and (not source.animated or spec.animation is Animation.KEEP)
        and (spec.max_bytes is None or len(source.view) <= spec.max_bytes)
        and _has_its_colours(source, picture, encode_input, spec)
        and not holds_more(source)
        and _says_no_more(picture.blocks, spec)
    )


def copy_source(source: Source) -> tuple[int, int]:
    """A new sealed descriptor with the bytes of the source, which the caller closes, and their number."""
    descriptor = memory.create()
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(source.view)
        return descriptor, sealed.seal(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def _has_its_colours(source: Source, picture: Picture, encode_input: EncodeInput, spec: Spec) -> bool:
    if spec.profile is not Profile.SRGB:
        return encode_input.icc == picture.icc
    tagged = "icc_profile" in source.image.info
    return not tagged and picture.icc is None and encode_input.images[0].mode != "CMYK" and source.image.mode != "CMYK"


def _says_no_more(blocks: Blocks, spec: Spec) -> bool:
    asked = frozenset(tag for kind in spec.private for tag in PRIVATE_TAGS[kind])
    keeps = spec.metadata is Metadata.KEEP
    main = (policy.MAIN if keeps else policy.NAMED) | _TRUE_MAIN | asked
    photo = (policy.PHOTO if keeps else frozenset()) | _TRUE_PHOTO | asked
    if blocks.exif.damaged or set(blocks.exif.main) - main or set(blocks.exif.photo) - photo:
        return False
    if set(private_in(blocks)) - set(spec.private) or (blocks.comments and Private.COMMENTS not in spec.private):
        return False
    if not keeps and set(iptc.read(blocks.iptc)) - {iptc.BYLINE, iptc.CREDIT, iptc.COPYRIGHT}:
        return False
    try:
        return all(policy.passes(property_, spec) for property_ in xmp.read(blocks.xmp)) if blocks.xmp else True
    except ValueError:
        return False
