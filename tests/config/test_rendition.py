"""What a rendition may be told about geometry and steps: right values, and the words for wrong ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.errors import ConfigError
from pipeline.model.shape import Extract, Gravity, Length, Resampler
from pipeline.model.spec import Similarity, Spec
from pipeline.model.steps import Asset, Blur, Greyscale, Sharpen, Watermark
from pipeline.plan.recipe import recipe_id, recipe_text
from pipeline.render.version import VERSION

HEAD = "source: photos\ntarget: made\nrenditions:\n"
FULL = Length(100, percent=True)


def specs(folder: Path, rendition: str, top: str = "") -> tuple[Spec, ...]:
    file = folder / "config.yaml"
    file.write_text(f"{HEAD}  a: {rendition}\n{top}", encoding="utf-8")
    return load(file).specs


def px(*values: float) -> tuple[Length, ...]:
    return tuple(map(Length, values))


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("gravity: southwest", {"gravity": Gravity.SOUTH_WEST}),
        ("gravity: center", {"gravity": Gravity.CENTRE}),
        ("gravity: attention", {"gravity": Gravity.ATTENTION}),
        ("focal_point: [0.25, 1]", {"focal_point": (0.25, 1.0)}),
        ("focal_point: [25%, 0%]", {"focal_point": (0.25, 0.0)}),
        ("width: 160, aspect: 16:9", {"width": 160, "aspect": (16, 9)}),
        ('height: 160, aspect: "4 / 6"', {"height": 160, "aspect": (2, 3)}),
        ("pad: 5", {"pad": px(5, 5, 5, 5)}),
        ("pad: [1, 2]", {"pad": px(1, 2, 1, 2)}),
        ("pad: [1, 2, 3, 4]", {"pad": px(1, 2, 3, 4)}),
        ("pad: 2.5%", {"pad": (Length(2.5, percent=True),) * 4}),
        ("extract: {left: 3, width: 50%}", {"extract": Extract(Length(3), Length(0), Length(50, percent=True), FULL)}),
        ("rotate: 270", {"rotate": 270}),
        ("trim: true", {"trim": 10}),
        ("trim: false", {"trim": None}),
        ("trim: 0", {"trim": 0}),
        ("dpr: 1.5", {"dpr": 1.5}),
        ("linear: true", {"linear": True}),
        ("resampler: pillow", {"resampler": Resampler.PILLOW}),
        ("shrink_on_load: false", {"shrink_on_load": False}),
        ("background: transparent, format: png", {"background": "#00000000"}),
        ('background: "#12345678", format: png', {"background": "#12345678"}),
        ('background: "#123456FF"', {"background": "#123456"}),
        ("steps: []", {"steps": ()}),
        ("steps: [sharpen, grayscale]", {"steps": (Sharpen(), Greyscale())}),
        ("steps: [{blur: 2}, {sharpen: {amount: 99}}]", {"steps": (Blur(2.0), Sharpen(amount=99))}),
        (
            "steps: [{watermark: {text: x, color: red, opacity: 50%, scale: 1, margin: 0, gravity: east}}]",
            {"steps": (Watermark(None, "x", None, "#ff0000", Gravity.EAST, 0.5, 1.0, Length(0)),)},
        ),
    ],
)
def test_each_way_to_write_a_value_is_read(tmp_path: Path, written: str, wanted: dict[str, object]) -> None:
    (spec,) = specs(tmp_path, f"{{{written}}}")
    assert {name: getattr(spec, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{gravity: middle}", "4:16: renditions.a.gravity: must be one of centre, north, northeast, "),
        (
            "{width: 40000, height: 10, fit: contain, format: avif}",
            "fit: makes pictures of 40,000 pixels a side, and avif",
        ),
        (
            "{width: 9, height: 60000, fit: cover, enlarge: true, dpr: 2, format: gif}",
            "enlarge: makes pictures of 120,000 pixels a side, and gif has at most 65,535",
        ),
        ("{gravity: nord}", 'attention, entropy, faces (got "nord"; did you mean "north"?)'),
        ("{focal_point: [1, 2]}", "4:20: renditions.a.focal_point: must be two numbers from 0 to 1 such as [0.5, 0.3]"),
        ("{focal_point: [0, 1], gravity: east}", "renditions.a.focal_point: stands in the place of gravity"),
        ("{aspect: 16-9, width: 3}", 'renditions.a.aspect: must be width and height such as 16:9 (got "16-9")'),
        ("{aspect: 0:9, width: 3}", "renditions.a.aspect: must be width and height such as 16:9"),
        ("{aspect: 1:1}", "renditions.a: aspect needs width or height, or fit: cover, contain or fill"),
        ("{aspect: 1:1, fit: outside}", "renditions.a.fit: outside needs both width and height"),
        ("{aspect: 1:1, width: 3, height: 3}", "renditions.a.height: follows from width and aspect"),
        ("{pad: [1, 2, 3]}", "renditions.a.pad: must be a length for all sides, or a list of two or four"),
        ("{pad: -1}", "renditions.a.pad: must be a number of pixels from 0 to 65535, or per cent such as 5% (got -1)"),
        (
            "{pad: 5.5}",
            "renditions.a.pad: must be a number of pixels from 0 to 65535, or per cent such as 5% (got 5.5)",
        ),
        ("{pad: 101%}", 'per cent such as 5% (got "101%")'),
        ("{extract: 5}", "renditions.a.extract: must be a mapping with keys below it (got 5)"),
        ("{extract: {widht: 5}}", 'renditions.a.extract.widht: is no key that is known; did you mean "width"?'),
        ("{extract: {width: 0}}", "renditions.a.extract.width: must be a number of pixels from 1 to 65535"),
        ("{rotate: 45}", "renditions.a.rotate: must be 0, 90, 180 or 270 degrees, clockwise (got 45)"),
        ("{trim: 255}", "renditions.a.trim: must be true (10), false, or a whole number from 0 to 254 (got 255)"),
        ("{dpr: 0}", "renditions.a.dpr: must be a number from 0.1 to 10 (got 0)"),
        ("{dpr: true}", "renditions.a.dpr: must be a number from 0.1 to 10 (got true)"),
        ("{width: 17000, dpr: 4}", "renditions.a.width: must be at most 16375 for jpeg with dpr 4 (got 17000)"),
        ("{background: transparent}", "renditions.a.background: a jpeg is opaque"),
        ("{linear: 1}", "renditions.a.linear: must be true or false (got 1)"),
        ("{linear: true, profile: keep}", "renditions.a.profile: does not go with linear"),
        ("{resampler: vips}", "renditions.a.resampler: must be one of auto, pillow, libvips"),
        ("{steps: sharpen}", "renditions.a.steps: must be a list of at most 20 steps such as [sharpen, blur: 3]"),
        (
            "{steps: [sharpn]}",
            'renditions.a.steps #1: must be one of sharpen, blur, greyscale, watermark (got "sharpn"',
        ),
        ("{steps: [{blur: 1, sharpen: 2}]}", "renditions.a.steps #1: must be one step, sharpen, blur, "),
        (
            "{steps: [{sharpen: 3}]}",
            "renditions.a.steps #1.sharpen: must be left out or {radius: 1, amount: 60, threshold",
        ),
        ("{steps: [{watermark: a.png}]}", "renditions.a.steps #1.watermark: must be a mapping such as {picture: logo"),
        ("{steps: [{blur: true}]}", "renditions.a.steps #1.blur: must be a number of pixels or {radius: 3} (got true)"),
        (
            "{steps: [blur, {blur: x}]}",
            'renditions.a.steps #2.blur: must be a number of pixels or {radius: 3} (got "x")',
        ),
        ("{steps: [{blur: {radius: x}}]}", "renditions.a.steps #1.blur.radius: must be a number from 0.1 to 1000"),
        ("{steps: [{sharpen: {amout: 3}}]}", "renditions.a.steps #1.sharpen.amout: is no key that is known; did you"),
        ("{steps: [{watermark: {}}]}", "renditions.a.steps #1.watermark: must have either a picture or a text"),
        (
            "{steps: [{watermark: {picture: gone.png}}]}",
            "4:37: renditions.a.steps #1.watermark.picture: must be a file",
        ),
        ("{steps: [{watermark: {picture: .}}]}", "watermark.picture: must be a regular file"),
        ("{steps: [{watermark: {text: x, font: gone.ttf}}]}", "watermark.font: must be a file that can be read"),
        ("{steps: [{watermark: {text: x, gravity: entropy}}]}", "watermark.gravity: must be one of centre"),
        ("{steps: [{watermark: {text: x, opacity: 0}}]}", "watermark.opacity: must be a share such as 25% or 0.25"),
        ("{steps: [{watermark: {text: x, color: reed}}]}", 'did you mean "red"'),
        (
            "{widths: [1, 2], steps: [{watermark: {picture: gone.png}}]}",
            "renditions.a.steps #1.watermark.picture: must",
        ),
    ],
)
def test_each_wrong_value_is_told_at_its_place(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        specs(tmp_path, written)
    assert said in str(error.value)


def test_the_resampler_at_the_top_is_that_of_those_who_choose_none(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"{HEAD}  a: {{}}\n  b: {{resampler: auto}}\nresampler: pillow\n")
    assert [spec.resampler for spec in load(tmp_path / "c.yaml").specs] == [Resampler.PILLOW, Resampler.AUTO]


@pytest.mark.parametrize("where", ["rendition", "top"])
def test_what_is_not_installed_is_an_error_that_names_it(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"resampler: needs libvips, .* pip install pyvips"):
        specs(
            tmp_path,
            "{resampler: libvips}" if where == "rendition" else "{}",
            "resampler: libvips\n" * (where == "top"),
        )
    with pytest.raises(ConfigError, match=r":4:16: renditions.a.quality: needs libvips, .* pip install pyvips"):
        specs(tmp_path, "{quality: {ssimulacra2: 75}}")
    with pytest.raises(ConfigError, match=r":4:17: renditions.a.optimize: needs libvips, .* pip install pyvips"):
        specs(tmp_path, "{optimize: true}")
    with pytest.raises(ConfigError, match=r":4:15: renditions.a.format: jxl needs the extra jxl, .*jxl"):
        specs(tmp_path, "{format: jxl}")
    assert specs(tmp_path, "{resampler: auto}")[0].resampler is Resampler.AUTO


def test_a_marks_content_is_part_of_the_recipe_and_its_name_is_not(tmp_path: Path) -> None:
    def recipe(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        (spec,) = specs(tmp_path, f"{{steps: [{{watermark: {{picture: {name}}}}}]}}")
        (step,) = spec.steps
        assert step == Watermark(picture=Asset.of("other name", content))
        return recipe_id(spec)

    assert recipe("one.png", b"1") == recipe("two.png", b"1") != recipe("one.png", b"2")


def test_a_recipe_names_steps_and_leaves_out_what_is_as_ever(tmp_path: Path) -> None:
    (spec,) = specs(tmp_path, "{width: 9, pad: 1%, steps: [sharpen, blur: 2, watermark: {text: x}]}")
    assert recipe_text(spec) == (
        '{"pad":[' + ",".join(['{"length":{"percent":true,"value":1.0}}'] * 4) + "],"
        '"steps":[{"sharpen":{}},{"blur":{"radius":2.0}},{"watermark":{"text":"x"}}],'
        f'"version":{VERSION},"width":9}}'
    )


def test_two_ways_to_write_the_same_are_one_recipe(tmp_path: Path) -> None:
    for first, other in (
        ("{extract: {left: 5%}}", "{extract: {left: 5.0%, width: 100%, top: 0}}"),
        ("{dpr: 2}", "{dpr: 2.0}"),
        ("{aspect: 4:2, width: 3}", '{aspect: "2/1", width: 3}'),
        ("{focal_point: [50%, 0]}", "{focal_point: [0.5, 0.0]}"),
        ("{steps: [blur]}", "{steps: [{blur: {radius: 3}}]}"),
        ("{gravity: center}", "{}"),
    ):
        assert recipe_id(specs(tmp_path, first)[0]) == recipe_id(specs(tmp_path, other)[0])


def test_a_quality_may_be_a_similarity_for_all_formats_that_have_one(tmp_path: Path) -> None:
    family = specs(tmp_path, "{formats: [avif, jpeg, png], quality: {ssimulacra2: 75}}")
    assert [spec.quality for spec in family] == [Similarity(75.0), Similarity(75.0), None]
