from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from pipeline.model.spec import Fit, Format, Profile, Spec
from pipeline.model.steps import Blur, Greyscale
from pipeline.render.pixels import shared
from pipeline.render.pixels.frame import Pixels
from pipeline.render.pixels.resize import resample
from tests.pictures import DISPLAY_P3, encoded, matrix_profile, quarters
from tests.render.drawing import answer_to

ONE_PLACEMENT = (
    Spec("plain", 30, 20),
    Spec("blurred", 30, 20, steps=(Blur(2.0),)),
    Spec("grey", 30, 20, steps=(Greyscale(),), format=Format.PNG),
    Spec("webp", 30, 20, format=Format.WEBP),
    Spec("gif", 30, 20, format=Format.GIF),
    Spec("kept", 30, 20, profile=Profile.KEEP),
    Spec("light", 30, 20, linear=True, format=Format.PNG),
    Spec("padded", 30, 30, fit=Fit.CONTAIN, background="#102030"),
    Spec("last", 30, 20, format=Format.PNG),
)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_renditions_of_one_placement_share_its_pixels_and_none_sees_what_another_did_to_them(mode: str) -> None:
    profile = None if mode == "L" else matrix_profile(DISPLAY_P3)
    content = encoded(quarters((90, 60)).convert(mode), "PNG", icc_profile=profile)
    _answer, together = answer_to(content, *ONE_PLACEMENT)
    assert len(together) == len(ONE_PLACEMENT)
    for spec in ONE_PLACEMENT:
        assert answer_to(content, spec)[1][spec.name] == together[spec.name], spec.name


def test_one_size_in_several_formats_is_resampled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Spec] = []

    def counted(*arguments: Any) -> Pixels:
        calls.append(arguments[-1])
        return resample(*arguments)

    monkeypatch.setattr(shared, "resample", counted)
    specs = [Spec(f"{width}{form}", width, format=form) for width in (20, 40) for form in (Format.JPEG, Format.WEBP)]
    answer_to(encoded(Image.new("RGB", (90, 60), "teal"), "PNG"), *specs)
    assert len(calls) == 2
