"""Small renditions from the pixels of larger ones."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image

from pipeline.model.shape import Extract, Gravity, Length, Resampler
from pipeline.model.spec import Animation, Fit, Format, Profile, Spec
from pipeline.model.steps import Greyscale
from pipeline.plan.recipe import recipe_id
from pipeline.render.geometry.cascade import Larger, larger
from pipeline.render.geometry.fit import Placement, Size
from pipeline.render.pixels import shared
from pipeline.render.pixels.frame import Frame, Pixels
from pipeline.render.pixels.resize import resample
from scripts.quality import ssim
from tests.pictures import as_stored, encoded, exif
from tests.render.drawing import answer_to
from tests.render.scenes import scene

WHOLE = (0.0, 0.0, 800.0, 600.0)
LARGE, HALF, SMALL = (Spec(str(width), width, format=Format.PNG) for width in (400, 200, 100))


def at(box: tuple[float, float, float, float], size: Size) -> Placement:
    return Placement(box, size, size, (0, 0))


@pytest.mark.parametrize(
    ("wanted", "others", "index"),
    [
        (at(WHOLE, (100, 75)), [at(WHOLE, (150, 113)), at(WHOLE, (200, 150)), at(WHOLE, (400, 300))], 1),
        (at(WHOLE, (100, 75)), [at(WHOLE, (100, 75)), at(WHOLE, (199, 150))], None),
        (at((0, 0, 400, 600), (100, 150)), [at(WHOLE, (400, 300))], 0),
        (at(WHOLE, (100, 75)), [at((0, 0, 400, 600), (400, 600))], None),
        (at((200, 0, 600, 600), (20, 30)), [at((300, 0, 700, 600), (400, 600))], None),
        (at((0, 0, 40, 30), (20, 15)), [at((0, 0, 40, 30), (80, 60))], None),
    ],
    ids=["smallest sufficient", "none sufficient", "a part", "not all of it", "beside it", "enlarged itself"],
)
def test_the_smallest_that_shows_enough_of_it_in_enough_pixels_is_taken(
    wanted: Placement, others: Sequence[Placement], index: int | None
) -> None:
    got = larger(wanted, others)
    assert (got and got.placement) == (None if index is None else others[index])


def test_a_part_is_found_again_in_the_larger_ones_pixels() -> None:
    inner = at((200, 150, 600, 450), (40, 30))
    assert larger(inner, [at(WHOLE, (400, 300))]) == Larger(at(WHOLE, (400, 300)), (100, 75, 300, 225))


@pytest.mark.parametrize("orientation", [1, 6])
def test_what_is_made_alone_is_made_as_with_all_others(orientation: int) -> None:
    content = encoded(as_stored(scene((1600, 1200)), orientation), "JPEG", quality=95, exif=exif({0x0112: orientation}))
    specs = (
        LARGE,
        HALF,
        SMALL,
        replace(SMALL, name="square", height=100, fit=Fit.COVER),
        replace(HALF, name="grey", steps=(Greyscale(),)),
        Spec("jpeg", 48),
    )
    _answer, together = answer_to(content, *specs)
    assert len(together) == len(specs)
    for spec in specs:
        others = tuple(other for other in specs if other is not spec)
        assert answer_to(content, spec, beside=others)[1][spec.name] == together[spec.name], spec.name
    assert answer_to(content, *reversed(specs))[1] == together


@pytest.mark.parametrize(
    "changes", [{"trim": 10}, {"gravity": Gravity.ENTROPY, "height": 100, "fit": Fit.COVER}], ids=str
)
def test_what_was_measured_and_comes_to_the_same_part_is_made_alike_alone(changes: dict[str, object]) -> None:
    """Of a square picture without a border: nothing to cut off."""
    content = encoded(scene((800, 800)), "PNG")
    other = replace(SMALL, name="measured", **changes)  # type: ignore[arg-type]
    for specs in ((LARGE, other, SMALL), (SMALL, other, LARGE)):
        _answer, together = answer_to(content, *specs)
        for spec in specs:
            others = tuple(each for each in specs if each is not spec)
            assert answer_to(content, spec, beside=others)[1][spec.name] == together[spec.name], spec.name


@pytest.mark.parametrize(("spec", "resampled"), [(SMALL, [(800, 600), (400, 300), (200, 150)]), (LARGE, [(800, 600)])])
def test_each_size_is_made_from_the_next_larger(
    spec: Spec, resampled: list[Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[Size] = []

    def counted(frame: Frame, *arguments: object) -> Pixels:
        sizes.append(frame.image.size)
        return resample(frame, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(shared, "resample", counted)
    answer_to(encoded(scene((800, 600)), "PNG"), spec, beside=tuple({LARGE, HALF, SMALL} - {spec}))
    assert sizes == resampled


def test_it_is_as_good_as_what_is_made_of_the_whole_picture() -> None:
    image = scene((1600, 1200))
    content = encoded(image, "PNG")
    made = [answer_to(content, SMALL, beside=beside)[1]["100"] for beside in ((), (LARGE, HALF))]
    best = image.resize((100, 75), Image.Resampling.LANCZOS)
    alone, from_others = (ssim(best, Image.open(io.BytesIO(file)).convert("RGB")) for file in made)
    assert made[0] != made[1]
    assert from_others > alone - 0.002


@pytest.mark.parametrize(
    "changes",
    [
        {"linear": True},
        {"profile": Profile.KEEP},
        {"trim": 10},
        {"gravity": Gravity.ENTROPY, "height": 100, "fit": Fit.COVER},
        {"rotate": 90},
        {"resampler": Resampler.PILLOW},
        {"extract": Extract(Length(100), Length(100), Length(500), Length(300))},
    ],
    ids=str,
)
def test_what_is_not_shown_alike_is_no_source_and_has_none(changes: dict[str, object]) -> None:
    """Those that are shown otherwise look the same whatever else is in the config, and so do the others beside them."""
    content = encoded(scene((800, 600)), "PNG")
    other = replace(SMALL, **changes)  # type: ignore[arg-type]
    large = replace(LARGE, **changes)  # type: ignore[arg-type]
    if "extract" not in changes:  # of which all is there in the whole picture
        assert answer_to(content, other, beside=(LARGE,))[1] == answer_to(content, other)[1]
    assert answer_to(content, SMALL, beside=(large,))[1] == answer_to(content, SMALL)[1]


def test_frames_of_an_animation_are_each_made_from_their_own_pixels() -> None:
    frames = [scene((400, 300)), scene((400, 300)).rotate(180)]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    small = Spec("small", 40, format=Format.WEBP, lossless=True)
    still = replace(LARGE, width=200, animation=Animation.FIRST)
    assert answer_to(content, small, beside=(still,))[1] == answer_to(content, small)[1]


POOL = (
    Spec("30", 30),
    Spec("60", 60),
    Spec("240", 240),
    Spec("box", 60, 60),
    Spec("high", height=100),
    Spec("square", 60, 60, Fit.COVER),
    Spec("lossy", 240, format=Format.WEBP, quality=30, steps=(Greyscale(),), background="#000000"),
    Spec("plain", 120, shrink_on_load=False),
    Spec("light", 120, linear=True),
)


@pytest.mark.parametrize("size", [(400, 300), (200, 500)], ids=str)
def test_renditions_of_one_recipe_are_equal_whatever_is_made_beside_them(size: Size) -> None:
    content = encoded(scene(size), "JPEG", quality=95)
    for spec in POOL:
        made: dict[str, set[bytes]] = {}
        others = [other for other in POOL if other is not spec]
        for beside in (
            (),
            *((other,) for other in others),
            *list(itertools.combinations(others, 2))[::5],
            tuple(others),
        ):
            file = answer_to(content, spec, beside=beside)[1][spec.name]
            made.setdefault(recipe_id(spec, beside), set()).add(file)
        assert [len(contents) for contents in made.values()] == [1] * len(made), spec.name
