"""What of a picture's metadata goes along, by policy; looked for in the bytes that come out, by Pillow and by hand."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pipeline.model.rendering import Rendered
from pipeline.model.spec import Format, Metadata, Private, Spec
from pipeline.render.container.bmff import boxes
from pipeline.render.encoding.inspect import inspect
from pipeline.render.metadata import exif, iptc, xmp
from tests.pictures import RED as RED_
from tests.pictures import WRITTEN, as_stored, corners, encoded, near, quarters
from tests.render.drawing import answer_to

WITH_EXIF = [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, *([Format.JXL] if Format.JXL in WRITTEN else [])]
WITH_XMP = [*WITH_EXIF, Format.TIFF]

PACKET = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"
 photoshop:Credit="Agency &amp; Co" exif:GPSLatitude="52,30N" aux:SerialNumber="SERIAL77" tiff:Orientation="6"
 xmp:CreatorTool="A tool">
<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Grace</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="de">frei</rdf:li>
<rdf:li xml:lang="x-default">all rights</rdf:li></rdf:Alt></dc:rights>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a caption</rdf:li></rdf:Alt></dc:description>
<xmpRights:UsageTerms><rdf:Alt><rdf:li xml:lang="x-default">ask first</rdf:li></rdf:Alt></xmpRights:UsageTerms>
<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType="Resource"><xmpGImg:image>AAAATHUMB</xmpGImg:image></rdf:li></rdf:Alt>
</xmp:Thumbnails><exif:UserComment>SECRET</exif:UserComment>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def text(said: str) -> exif.Entry:
    return exif.text(said.encode())


def small(value: int) -> exif.Entry:
    return exif.Entry(3, struct.pack(">H", value))


THUMBNAIL = encoded(Image.new("RGB", (8, 8), (9, 9, 9)), "JPEG")
BLOCK = exif.write(
    exif.Exif(
        main={exif.ORIENTATION: small(6), 0x010F: text("Maker Ltd"), 0x8298: text("(c) Ada"), 0x9C9C: text("XPSECRET")},
        photo={
            0x829A: exif.Entry(5, struct.pack(">LL", 1, 250)),
            0x927C: exif.Entry(7, b"NOTES of the maker"),
            0xA431: text("SERIAL77"),
            0x9286: exif.Entry(7, b"ASCII\0\0\0SECRET"),
            0xA002: small(320),
        },
        gps={1: text("N"), 2: exif.Entry(5, struct.pack(">6L", 52, 1, 30, 1, 0, 1))},
        thumbnail=THUMBNAIL,
    )
)


def iim(**values: bytes) -> bytes:
    numbers = {"byline": 80, "credit": 110, "caption": 120, "city": 90, "rights": 116}
    return b"".join(b"\x1c\2" + bytes((numbers[k],)) + struct.pack(">H", len(v)) + v for k, v in values.items())


def photo(kind: str = "JPEG", **changes: object) -> bytes:
    """A picture that says everything a picture can."""
    options: dict[str, object] = {"exif": BLOCK, "xmp": PACKET}
    if kind == "JPEG":
        options["comment"] = b"SECRET"
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", PACKET.decode())
        texts.add_text("Comment", "SECRET")
        options = {"exif": BLOCK, "pnginfo": texts}
    return encoded(as_stored(quarters(), 6), kind, **options | changes)


def made(content: bytes, spec: Spec) -> bytes:
    answer, files = answer_to(content, spec)
    assert isinstance(answer.renditions[0], Rendered), answer.renditions[0]
    return files[spec.name]


def properties(content: bytes) -> dict[str, str]:
    with Image.open(io.BytesIO(content)) as image:
        packet = image.info.get("xmp") or getattr(image, "tag_v2", {}).get(700, b"")
    if content[4:8] == b"JXL ":  # of which the plugin reads none
        (packet,) = (content[start:end] for kind, start, end in boxes(content, 0, len(content)) if kind == b"xml ")
    return {element.name.rpartition("}")[2]: element.text for element in xmp.read(packet)} if packet else {}


def block(content: bytes) -> exif.Exif:
    with Image.open(io.BytesIO(content)) as image:
        return exif.read(image.info.get("exif", b""))


def hides(content: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(content)) as image:
        said = repr(image.info).encode() + content
    return [word for word in (b"SECRET", b"SERIAL77", b"NOTES", b"THUMB", b"GPS", b"52,30N") if word in said]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("target", WRITTEN)
@pytest.mark.parametrize("policy", list(Metadata))
def test_nothing_private_survives_any_policy(kind: str, target: Format, policy: Metadata) -> None:
    content = made(photo(kind), Spec("a", 96, format=target, metadata=policy))
    assert hides(content) == []
    assert inspect(content).private == ()


def test_the_source_of_that_does_say_it_all() -> None:
    assert inspect(photo()).private == tuple(Private)
    assert len(hides(photo())) == 6


@pytest.mark.parametrize("target", WITH_XMP)
def test_strip_keeps_who_made_it_whose_it_is_and_whom_to_credit(target: Format) -> None:
    content = made(photo(), Spec("a", 96, format=target))
    with Image.open(io.BytesIO(content)) as image:
        tags = image.getexif()
        assert {tag: str(tags[tag]).strip("\0") for tag in (0x013B, 0x8298)} == {
            0x013B: "Ada, Grace",
            0x8298: "(c) Ada",
        }
        assert not {0x010F, 0x0112, 0x9C9C} & set(tags)
    assert properties(content) == {"Credit": "Agency & Co", "creator": "Ada, Grace", "rights": "all rights"}


@pytest.mark.parametrize("target", WITH_XMP)
def test_rights_keeps_the_terms_of_use_too(target: Format) -> None:
    content = made(photo(), Spec("a", 96, format=target, metadata=Metadata.RIGHTS))
    assert set(properties(content)) == {"Credit", "creator", "rights", "UsageTerms"}
    assert properties(content)["UsageTerms"] == "ask first"


@pytest.mark.parametrize("target", WITH_EXIF)
def test_keep_keeps_the_rest_but_nothing_that_is_not_true_any_more(target: Format) -> None:
    content = made(photo(), Spec("a", 96, format=target, metadata=Metadata.KEEP))
    kept = block(content)
    assert set(kept.main) == {0x010F, 0x013B, 0x8298}  # no orientation: the pixels stand upright
    assert set(kept.photo) == {0x829A}  # no width in pixels
    assert kept.photo[0x829A].value == struct.pack(">LL", 1, 250)
    assert set(properties(content)) == {"Credit", "creator", "rights", "UsageTerms", "description", "CreatorTool"}
    with Image.open(io.BytesIO(content)) as image:
        assert near(corners(image)[0], RED_, 12)


@pytest.mark.parametrize("private", list(Private))
@pytest.mark.parametrize("policy", [Metadata.STRIP, Metadata.KEEP])
def test_each_private_thing_survives_alone_where_it_is_asked_for(private: Private, policy: Metadata) -> None:
    content = made(photo(), Spec("a", 96, metadata=policy, private=(private,)))
    assert inspect(content).private == (private,)
    words = {
        Private.GPS: {b"GPS", b"52,30N"},
        Private.SERIALS: {b"SERIAL77"},
        Private.MAKER_NOTES: {b"NOTES"},
        Private.THUMBNAILS: {b"THUMB"},
        Private.COMMENTS: {b"SECRET"},
    }[private]
    assert set(hides(content)) <= words
    if policy is Metadata.KEEP or private is not Private.THUMBNAILS:
        assert hides(content) or private is Private.GPS
    if private is Private.GPS:
        assert block(content).gps[2].value == struct.pack(">6L", 52, 1, 30, 1, 0, 1)
    if private is Private.THUMBNAILS:
        assert block(content).thumbnail == THUMBNAIL


def test_the_older_form_is_read_and_written_as_the_newer() -> None:
    older = iim(
        byline=b"Grace", credit="Agentur Süd".encode("latin-1"), caption=b"a caption", city=b"Ulm", rights=b"mine"
    )
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">L", len(older)) + older + b"\0" * (len(older) % 2)
    segment = b"Photoshop 3.0\0" + resource
    plain = encoded(quarters(), "JPEG")
    content = plain[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    stripped = made(content, Spec("a", 96))
    assert properties(stripped) == {"Credit": "Agentur Süd"}
    assert (block(stripped).main[0x013B].value, block(stripped).main[0x8298].value) == (b"Grace\0", b"mine\0")
    assert properties(made(content, Spec("a", 96, metadata=Metadata.KEEP))) == {
        "description": "a caption", "City": "Ulm", "Credit": "Agentur Süd",
    }  # fmt: skip


@pytest.mark.parametrize(
    "packet",
    [
        b"<x", b"\xff\xfe<\0x\0", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        b"<?xml version='1.0' encoding='cp037'?>" + "<!DOCTYPE a>".encode("cp037"),
        b"<a xmlns='b'>" * 4000, b"a" * (1 << 20) + b"b",
    ],
)  # fmt: skip
def test_a_damaged_packet_costs_a_warning(packet: bytes) -> None:
    content = encoded(quarters(), "PNG")
    _, files = answer_to(content, Spec("a"))
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace"))
    answer, files = answer_to(encoded(quarters(), "PNG", pnginfo=texts), Spec("a", 96, metadata=Metadata.KEEP))
    (rendition,) = answer.renditions
    assert isinstance(rendition, Rendered)
    assert "damaged XMP ignored" in rendition.warnings[0]
    assert inspect(files["a"]).private == ()


def test_deep_properties_are_left_out() -> None:
    deep = "<d:x xmlns:d='d'>" * 40 + "</d:x>" * 40
    packet = PACKET.replace(b"<dc:creator>", deep.encode() + b"<dc:creator>")
    assert "x" not in {element.name.rpartition("}")[2] for element in xmp.read(packet)}
    assert len(xmp.read(packet)) == len(xmp.read(PACKET))


@given(st.binary(max_size=300))
def test_no_bytes_make_the_readers_fail(content: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        exif.write(exif.read(start + content))
    iptc.read(content)
    iptc.read(b"\x1c\2" + content)
    for packet in (content, b"<a>" + content + b"</a>"):
        try:
            xmp.write(xmp.read(packet))
        except ValueError:
            continue


@given(st.data())
def test_damage_anywhere_in_a_block_never_fails(data: st.DataObject) -> None:
    damaged = bytearray(BLOCK)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    exif.write(exif.read(bytes(damaged)[: data.draw(st.integers(0, len(damaged)))]))


def test_a_block_is_read_back_as_it_was_written_in_either_byte_order() -> None:
    exif_block = exif.read(BLOCK)
    assert exif.write(exif_block) == BLOCK
    for order in ("<", ">"):
        mark = b"II*\0" if order == "<" else b"MM\0*"
        block_ = mark + struct.pack(order + "LHHHLLL", 8, 1, 0x829A, 5, 1, 26, 0) + struct.pack(order + "LL", 1, 250)
        assert exif.read(block_).main[0x829A].value == struct.pack(">LL", 1, 250)


def test_a_tiff_says_its_tags_and_gets_them() -> None:
    content = encoded(quarters(), "TIFF", tiffinfo={0x8298: "(c) Ada", 0x010F: "Maker Ltd", 0x013B: "Ada"})
    stripped = made(content, Spec("a", 96, format=Format.TIFF))
    with Image.open(io.BytesIO(stripped)) as image:
        assert image.getexif().get(0x8298) == "(c) Ada"
        assert 0x010F not in image.getexif()
    kept = made(content, Spec("a", 96, format=Format.TIFF, metadata=Metadata.KEEP))
    with Image.open(io.BytesIO(kept)) as image:
        assert image.getexif().get(0x010F) == "Maker Ltd"
