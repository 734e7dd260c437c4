from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.load import load
from pipeline.model.spec import DEFAULT_QUALITY, Fit, Format, Spec
from pipeline.plan import recipe
from pipeline.plan.recipe import recipe_id, recipe_text
from pipeline.render.version import VERSION

specs = st.builds(
    Spec,
    name=st.sampled_from(["a", "b"]),
    width=st.none() | st.integers(1, 3),
    height=st.none() | st.integers(1, 3),
    fit=st.sampled_from(Fit),
    enlarge=st.booleans(),
    format=st.sampled_from(Format),
    quality=st.none() | st.integers(79, 83),
    background=st.sampled_from(["#ffffff", "#000000"]),
)


def test_the_form_is_canonical_and_the_id_is_its_hash() -> None:
    spec = Spec("thumb", width=320, format=Format.WEBP, quality=75)
    text = f'{{"format":"webp","quality":75,"version":{VERSION},"width":320}}'
    assert recipe_text(spec) == text
    assert recipe_id(spec) == hashlib.sha256(text.encode()).hexdigest()[:32]


def test_ids_that_manifests_hold_never_change() -> None:
    assert VERSION == 5, "our pixels changed on purpose: every id below changes with it"
    assert recipe_id(Spec("any")) == "7340e8bcc54419e2a1e91c5b427e2241"
    assert recipe_id(Spec("any", 320, 320)) == "262f55b9c2280dfac91eea38fe1c791e"


def test_a_new_field_with_a_default_changes_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Later(Spec):
        sharpen: float = 0.0
        stages: tuple[str, ...] = dataclasses.field(default_factory=tuple)

    before = recipe_id(Spec("a", width=3))
    monkeypatch.setattr(recipe, "Spec", Later)
    assert recipe_id(Later("a", width=3)) == before
    assert recipe_id(Later("a", width=3, sharpen=1.0)) != before


@pytest.mark.parametrize("picture_format", DEFAULT_QUALITY)
def test_a_default_said_explicitly_is_the_default(picture_format: Format) -> None:
    silent = Spec("a", format=picture_format)
    said = dataclasses.replace(silent, quality=DEFAULT_QUALITY[picture_format], background="#ffffff", fit=Fit.INSIDE)
    assert recipe_id(said) == recipe_id(silent)


def test_the_version_of_our_pixels_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_id(Spec("a"))
    monkeypatch.setattr(recipe, "VERSION", VERSION + 1)
    assert recipe_id(Spec("a")) != before


@given(spec=specs, other=specs)
def test_ids_are_equal_exactly_when_all_that_can_change_bytes_is_equal(spec: Spec, other: Spec) -> None:
    def bytes_of(spec: Spec) -> Spec:
        return dataclasses.replace(spec, name="", quality=spec.effective_quality)

    assert (recipe_id(spec) == recipe_id(other)) == (bytes_of(spec) == bytes_of(other))


@given(spec=specs)
def test_the_text_is_json_for_people(spec: Spec) -> None:
    told = json.loads(recipe_text(spec))
    assert told.pop("version") == VERSION
    assert dataclasses.replace(Spec(spec.name, **told), quality=None) == dataclasses.replace(spec, quality=None)


def test_what_cannot_change_bytes_changes_no_id(tmp_path: Path) -> None:
    first = "source: photos\ntarget: made\nrenditions: {a: {width: 320, quality: 82}, b: {format: png}}\n"
    two = (
        "# moved\nlimits: {seconds: 3}\nworkers: {threads: 1, queue: 2}\ntarget: {path: elsewhere}\nsource: photos\n"
        "renditions:\n  b:\n    format: png  # as before\n  a: {format: jpeg, width: 320}\n"
    )
    ids = []
    for text in (first, two):
        (tmp_path / "it.yaml").write_text(text)
        ids.append({spec.name: recipe_id(spec) for spec in load(tmp_path / "it.yaml").specs})
    assert ids[0] == ids[1]


SMALL, LARGE = Spec("small", 100, 100), Spec("large", 400, 400)


def test_a_larger_rendition_beside_it_is_part_of_a_recipe_and_a_smaller_one_is_not() -> None:
    assert recipe_id(LARGE, (LARGE, SMALL)) == recipe_id(LARGE)
    assert json.loads(recipe_text(SMALL, (SMALL, LARGE)))["beside"] == [{"height": 400, "width": 400}]
    assert recipe_id(SMALL, (SMALL, LARGE)) == recipe_id(SMALL, (LARGE, LARGE, SMALL))


@pytest.mark.parametrize(
    "changes", [{"fit": Fit.COVER}, {"aspect": (1, 1)}, {"height": None}, {"linear": True}, {"page": 1}], ids=str
)
def test_what_may_need_more_of_a_picture_than_it_seems_is_part_of_a_recipe(changes: dict[str, object]) -> None:
    assert recipe_id(LARGE, (dataclasses.replace(SMALL, **changes),)) != recipe_id(LARGE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"format": Format.WEBP}, {"quality": 3}, {"background": "#000000"}, {"name": "b"}], ids=str
)
def test_how_the_others_are_encoded_is_no_part_of_a_recipe(changes: dict[str, object]) -> None:
    other = dataclasses.replace(LARGE, **changes)  # type: ignore[arg-type]
    assert recipe_id(SMALL, (other,)) == recipe_id(SMALL, (LARGE,))
