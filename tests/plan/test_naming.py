from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config.settings import OnCollision, TargetSettings
from pipeline.errors import ErrorKind
from pipeline.manifest.claims import fold
from pipeline.model.spec import Spec
from pipeline.plan.naming import NameIndex, Naming, collisions, makers, name_hash
from pipeline.plan.rules import Rules

SPECS = (Spec("thumb"), Spec("large"))


def naming(on_collision: OnCollision = OnCollision.FAIL, name: str = "{dir}/{stem}-{rendition}.{ext}") -> Naming:
    return Naming(TargetSettings(Path("/t"), name, on_collision), Rules(SPECS))


def of(names: Naming, source: str) -> tuple[str, ...]:
    folder, _, name = source.rpartition("/")
    return names.targets(folder, [name])[0]


def colliding_names(sources: list[str], names: Naming) -> dict[str, str]:
    index = NameIndex()
    for source in sources:
        index.add(of(names, source))
    repeated = index.repeated()
    assert bool(repeated) == bool(makers(sources, names, repeated, lambda _: True))
    errors = collisions(makers(sources, names, repeated, lambda source: not source.endswith(".xmp")), names)
    assert all(error.kind is ErrorKind.COLLISION for error in errors.values())
    return {source: error.detail for source, error in errors.items()}


@pytest.mark.parametrize(
    ("sources", "colliding"),
    [
        (["a.jpg", "b.jpg"], []),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["a.jpg", "A.jpg"], ["a.jpg", "A.jpg"]),
        (["d/a.jpg", "D/a.jpg"], ["d/a.jpg", "D/a.jpg"]),
        (["é.jpg", "e\u0301.jpg"], ["é.jpg", "e\u0301.jpg"]),
        (["straße.jpg", "STRASSE.jpg"], ["straße.jpg", "STRASSE.jpg"]),
        (["a.jpg", "a.xmp"], []),
        (["a.jpg", "a.xmp", "a.png"], ["a.jpg", "a.png"]),
        (["d/a.jpg", "e/a.jpg"], []),
        (["\udcff.jpg", "\udcfe.jpg"], []),
    ],
)
def test_sources_that_would_make_one_target_are_found(sources: list[str], colliding: list[str]) -> None:
    for order in (sources, sources[::-1]):
        assert sorted(colliding_names(order, naming())) == sorted(colliding)


def test_both_names_and_the_target_are_told() -> None:
    errors = colliding_names(["a.jpg", "a.png", "a.webp"], naming())
    apart = "with target.on_collision: keep_extension all are named as in"
    assert errors == {
        "a.jpg": f"it and 'a.png' would make 'a-thumb.jpg'; {apart} 'a.jpg-thumb.jpg'",
        "a.png": f"it and 'a.jpg' would make 'a-thumb.jpg'; {apart} 'a.png-thumb.jpg'",
        "a.webp": f"it and 'a.jpg' would make 'a-thumb.jpg'; {apart} 'a.webp-thumb.jpg'",
    }


def test_the_way_out_of_a_collision_is_one_that_leads_out() -> None:
    errors = colliding_names(["A.png", "a.jpg"], naming())
    assert errors["a.jpg"] == (
        "it would make 'a-thumb.jpg', and 'A.png' 'A-thumb.jpg': one file where capitals or accents do not count;"
        " with target.on_collision: keep_extension all are named as in 'a.jpg-thumb.jpg'"
    )
    assert colliding_names(["A.JPG", "a.jpg"], naming())["a.jpg"].endswith("do not count; rename one of them")
    kept = naming(OnCollision.KEEP_EXTENSION)
    assert colliding_names(["A.JPG", "a.jpg"], kept)["a.jpg"].endswith("do not count; rename one of them")


def test_two_renditions_may_collide_across_sources() -> None:
    names = Naming(TargetSettings(Path("/t")), Rules((Spec("b-c"), Spec("c"))))
    assert sorted(colliding_names(["a.jpg", "a-b.jpg"], names)) == ["a-b.jpg", "a.jpg"]


def test_two_renditions_of_one_source_that_share_a_name_collide_too() -> None:
    assert colliding_names(["a.jpg"], naming(name="{stem}.{ext}")) == {
        "a.jpg": "two of its renditions would make 'a.jpg'; put more fields into target.name"
    }


def test_kept_extensions_make_names_distinct_and_they_never_flip() -> None:
    names = naming(OnCollision.KEEP_EXTENSION)
    assert colliding_names(["a.jpg", "a.png"], names) == {}
    assert of(names, "a.jpg") == ("a.jpg-thumb.jpg", "a.jpg-large.jpg")  # whether there is an a.png or not
    assert sorted(colliding_names(["a.jpg", "A.JPG"], names)) == ["A.JPG", "a.jpg"]


_NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(_NAMES.filter(lambda name: not name.startswith(".")), st.sampled_from(["upper", "NFD", "NFC", "casefold"]))
@example("\u017f", "upper")
@example("\u0130", "casefold")
def test_names_that_differ_by_case_or_form_alone_collide_where_they_fold_alike(name: str, change: str) -> None:
    changes: dict[str, Callable[[str], str]] = {
        "upper": str.upper,
        "casefold": str.casefold,
        "NFC": lambda text: unicodedata.normalize("NFC", text),
        "NFD": lambda text: unicodedata.normalize("NFD", text),
    }
    other = changes[change](name)
    sources = [f"{name}.jpg", f"{other}.jpg"]
    if sources[0] == sources[1]:
        return
    targets = [of(naming(), source)[0] for source in sources]
    equal = fold(targets[0]) == fold(targets[1])
    if change in ("NFD", "NFC"):
        assert equal
    assert bool(colliding_names(sources, naming())) == equal


@pytest.mark.parametrize("other", ["d/Ä.jpg", "d/x.jpg"])
def test_hashes_are_the_same_whatever_was_taken_together(other: str) -> None:
    index = NameIndex()
    index.add(["d/A.jpg", other])
    index.add(["d/a.JPG"])
    index.add([])
    assert index.repeated() == {name_hash("d/a.jpg")}


def test_an_index_knows_what_it_holds() -> None:
    index = NameIndex()
    for number in range(1000):
        index.add([f"d/{number}.jpg"])
    assert index.holds("D/7.JPG")
    assert not index.holds("d/1000.jpg")
    assert index.repeated() == set()
    index.add(["d/7.jpg"])
    assert index.repeated() == {name_hash("d/7.jpg")}
    index.add(["d/8.jpg"])
    assert index.repeated() == {name_hash("d/7.jpg"), name_hash("d/8.jpg")}
