"""What metadata says of places in a picture goes along only where it is still true."""

from __future__ import annotations

import struct

import pytest
from PIL import Image

from pipeline.model.spec import Fit, Format, Metadata, Spec
from pipeline.render.metadata import exif
from tests.pictures import encoded, quarters
from tests.render.metadata.test_policy import block, made, properties, small

PACKET = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:MP="http://ns.microsoft.com/photo/1.2/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" dc:format="image/jpeg" crs:CropLeft="0.1"
 exif:FocalPlaneXResolution="100/1">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Quay</rdf:li></rdf:Alt></dc:title>
<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource">
<mwg-rs:Name>Ada</mwg-rs:Name><mwg-rs:Area stArea:x="0.2" stArea:y="0.3" stArea:w="0.1" stArea:h="0.1"/></rdf:li>
</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>
<MP:RegionInfo rdf:parseType="Resource"><MP:x>1</MP:x></MP:RegionInfo>
<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li>y</rdf:li></rdf:Bag></Iptc4xmpExt:ImageRegion>
<exif:SubjectArea><rdf:Seq><rdf:li>20</rdf:li><rdf:li>30</rdf:li></rdf:Seq></exif:SubjectArea>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
TAGS = {0x9214: exif.Entry(3, struct.pack(">3H", 20, 30, 5)), 0xA20E: exif.Entry(5, struct.pack(">LL", 100, 1))}
PARTS, PIXELS = {"Regions", "RegionInfo", "ImageRegion", "CropLeft"}, {"SubjectArea", "FocalPlaneXResolution"}


def photo(orientation: int = 1, kind: str = "JPEG") -> bytes:
    said = exif.write(exif.Exif({exif.ORIENTATION: small(orientation)}, {**TAGS, 0x829A: exif.Entry(5, bytes(8))}))
    return encoded(quarters((80, 60)), kind, exif=said, xmp=PACKET)


def kept(content: bytes, spec: Spec) -> tuple[set[str], set[int]]:
    rendered = made(content, spec)
    return set(properties(rendered)) - {"title"}, set(block(rendered).photo) - {0x829A}


def keeping(**said: object) -> Spec:
    return Spec("a", metadata=Metadata.KEEP, **said)  # type: ignore[arg-type]


def test_of_a_picture_of_the_same_size_all_is_true() -> None:
    assert kept(photo(), keeping()) == (PARTS | PIXELS, set(TAGS))


def test_of_a_smaller_one_what_counts_pixels_is_not() -> None:
    assert kept(photo(), keeping(width=40)) == (PARTS, set())


@pytest.mark.parametrize(
    "spec",
    [
        keeping(width=40, height=40, fit=Fit.COVER),
        keeping(width=40, height=40, fit=Fit.CONTAIN),
        keeping(rotate=90),
        keeping(trim=10, width=40),
    ],
)
def test_of_one_that_is_cropped_padded_or_turned_no_place_is(spec: Spec) -> None:
    content = photo() if spec.trim is None else bordered()
    assert kept(content, spec) == (set(), set())


def bordered() -> bytes:
    image = Image.new("RGB", (100, 80), (9, 9, 9))
    image.paste(quarters((80, 60)), (10, 10))
    return encoded(image, "JPEG", exif=exif.write(exif.Exif({}, TAGS)), xmp=PACKET)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_regions_of_a_picture_that_is_stored_lying_do_not_go_along(kind: str) -> None:
    assert kept(photo(6, kind), keeping(format=Format.PNG)) == (set(), set())


def test_other_policies_keep_no_place_anyway() -> None:
    assert kept(photo(), Spec("a", metadata=Metadata.RIGHTS)) == (set(), set())
