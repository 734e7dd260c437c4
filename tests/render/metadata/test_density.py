from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from pipeline.model.record import Status
from pipeline.model.spec import AS_SOURCE, Format, Metadata, Spec
from pipeline.render.metadata import exif
from pipeline.render.metadata.density import stated
from tests.pictures import encoded, noise, quarters
from tests.render.drawing import answer_to
from tests.render.metadata.test_policy import block, made, small

SAYING = [Format.JPEG, Format.PNG, Format.WEBP, Format.AVIF, Format.TIFF]


def said(content: bytes) -> tuple[int, int] | None:
    """The density in a file, in its own way or in EXIF."""
    with Image.open(io.BytesIO(content)) as image:
        dpi = image.info.get("dpi") if image.format != "WEBP" else None
    density = dpi or stated(None, block(content))
    return None if density is None else (round(density[0]), round(density[1]))


def in_exif(across: int, down: int, unit: int = 2, orientation: int = 1) -> bytes:
    main = {exif.ORIENTATION: small(orientation), 0x0128: small(unit)}
    for tag, dots in ((0x011A, across), (0x011B, down)):
        main[tag] = exif.Entry(5, struct.pack(">LL", dots, 1))
    return exif.write(exif.Exif(main))


@pytest.mark.parametrize("target", SAYING)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_dots_per_inch_go_along_where_metadata_does(kind: str, target: Format) -> None:
    content = encoded(quarters((40, 30)), kind, dpi=(300, 200))
    for spec in (
        Spec("a", 20, format=target, metadata=Metadata.KEEP),
        Spec("a", 20, format=target, density=AS_SOURCE),
    ):
        assert said(made(content, spec)) == (300, 200)
    assert said(made(content, Spec("a", 20, format=target))) in (None, (1, 1))


@pytest.mark.parametrize("target", SAYING)
def test_others_can_be_asked_for(target: Format) -> None:
    content = encoded(quarters((40, 30)), "JPEG", dpi=(300, 300))
    for policy in Metadata:
        assert said(made(content, Spec("a", format=target, metadata=policy, density=96))) == (96, 96)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_those_in_exif_count_where_there_are_no_others(kind: str) -> None:
    for unit, wanted in ((2, (100, 50)), (3, (254, 127))):
        content = encoded(quarters((40, 30)), kind, exif=in_exif(100, 50, unit))
        assert said(made(content, Spec("a", density=AS_SOURCE))) == wanted


def test_they_turn_with_the_picture() -> None:
    content = encoded(quarters((40, 30)), "JPEG", dpi=(300, 200), exif=in_exif(300, 200, orientation=6))
    assert said(made(content, Spec("a", density=AS_SOURCE))) == (200, 300)
    assert said(made(content, Spec("a", density=AS_SOURCE, rotate=90))) == (300, 200)


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 1), (1e9, 1e9), (1,), "many", (float("inf"), 72)])
def test_what_makes_no_sense_is_unsaid(dpi: object) -> None:
    assert stated(dpi, exif.Exif()) is None


def test_a_file_of_another_density_is_not_kept_as_it_is() -> None:
    content = encoded(noise((160, 120), 70).convert("RGB"), "JPEG", quality=5, dpi=(300, 300))
    for density, wanted in ((300, Status.KEPT), (AS_SOURCE, Status.KEPT), (96, Status.DONE)):
        answer, _ = answer_to(content, Spec("a", keep_smaller=True, density=density))
        assert getattr(answer.renditions[0], "status", None) is wanted
