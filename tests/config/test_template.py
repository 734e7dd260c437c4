from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.template import FIELDS, Template
from pipeline.model.spec import Format, Spec

THUMB = Spec("thumb", width=320, format=Format.WEBP)
DEFAULT = "{dir}/{stem}-{rendition}.{ext}"

TARGETS = [
    (DEFAULT, "a/b/photo.jpg", "a/b/photo-thumb.webp"),
    (DEFAULT, "photo.jpg", "photo-thumb.webp"),
    (DEFAULT, "photo", "photo-thumb.webp"),
    (DEFAULT, "a.b/photo", "a.b/photo-thumb.webp"),
    (DEFAULT, ".hidden", ".hidden-thumb.webp"),
    (DEFAULT, "photo.", "photo-thumb.webp"),
    (DEFAULT, "a/photo.tar.gz", "a/photo.tar-thumb.webp"),
    (DEFAULT, "{rendition}/{0}%s.jpg", "{rendition}/{0}%s-thumb.webp"),
    (DEFAULT, "a\n/b\udcff.jpg", "a\n/b\udcff-thumb.webp"),
    ("{rendition}/{dir}/{name}", "photo.jpg", "thumb/photo.jpg"),
    ("{rendition}/{dir}/{name}", "a/photo.jpg", "thumb/a/photo.jpg"),
    ("{dir}/{rendition}.{ext}", "photo.jpg", "thumb.webp"),
    ("{dir}/{rendition}/{dir}/{stem}.{ext}", "photo.jpg", "thumb/photo.webp"),
    ("{stem}_{width}x{height}.{source_ext}", "a/photo.JPG", "photo_320x.JPG"),
    ("{{{stem}}}100%.{ext}", "photo.jpg", "{photo}100%.webp"),
    ("{dir}/x{source_ext}/{stem}", "photo", "x/photo"),
    ("{dir}/{source_ext}/{stem}", "a/photo", "a/photo"),
    ("{stem}/{rendition}.{ext}", "...jpg", "...jpg/thumb.webp"),
    ("{dir}/{stem}/x", "a/...jpg", "a/...jpg/x"),
    ("{dir}.{source_ext}/{name}", "photo", "_./photo"),
    ("{dir}.{source_ext}/{name}", "x..", "_./x.."),
    (DEFAULT, ".pipeline/manifest.jpg", "_.pipeline/manifest-thumb.webp"),
    (DEFAULT, ".PipeLine/x.jpg", "_.PipeLine/x-thumb.webp"),
    (DEFAULT, "a/.pipeline-1-2.jpg", "a/_.pipeline-1-2-thumb.webp"),
    (".{stem}/x", "pipeline.jpg", "_.pipeline/x"),
    (".{stem}/x", "..jpg", "...jpg/x"),
    (".{source_ext}/{name}", "x..", "_./x.."),
]


@pytest.mark.parametrize(("template", "source", "target"), TARGETS)
def test_targets_are_named_by_the_template(template: str, source: str, target: str) -> None:
    assert Template.parse(template).target(source, THUMB) == target


@pytest.mark.parametrize("keep", [True, False])
def test_many_at_once_are_named_as_one_by_one(keep: bool) -> None:
    """Also where one of them has to be tamed."""
    names = ["photo.jpg", "photo", ".hidden", ".pipeline-1-2.jpg", "...jpg", "a\nb.png", "%s.jpg"]
    specs = (THUMB, Spec("large", height=9))
    for text, folder in (DEFAULT, "a"), (DEFAULT, ""), ("{stem}/{rendition}.{ext}", "a"), (".{source_ext}/{name}", ""):
        template = Template.parse(text)
        assert template.targets(folder, names, specs, keep_extension=keep) == [
            tuple(template.target(f"{folder}/{name}" if folder else name, spec, keep_extension=keep) for spec in specs)
            for name in names
        ]
    assert Template.parse(DEFAULT).targets("a", [], specs) == []


def test_keep_extension_makes_names_distinct() -> None:
    template = Template.parse(DEFAULT)
    made = [template.target(source, THUMB, keep_extension=True) for source in ("a/photo.jpg", "a/photo.png", "a/photo")]
    assert made == ["a/photo.jpg-thumb.webp", "a/photo.png-thumb.webp", "a/photo-thumb.webp"]
    assert template.target("a/photo.jpg", THUMB) == "a/photo-thumb.webp"


def test_specs_of_one_name_are_not_mixed_up() -> None:
    template = Template.parse(DEFAULT)
    for picture_format in Format:  # each spec is gone, and its id free, when the next is made
        assert template.target("x.y", Spec("a", format=picture_format)) == f"x-a.{picture_format.extension}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must hold {stem}"),
        ("{stem", "without its partner"),
        ("stem}", "without its partner"),
        ("{}{stem}", "may hold only"),
        ("{0}{stem}", "may hold only"),
        ("{stem!r}", "may hold only"),
        ("{stem[0]}", "may hold only"),
        ("{stem.x}", "may hold only"),
        ("{ stem }", "may hold only"),
        ("{stem}\n", "control characters"),
        ("{stem}\0", "control characters"),
        ("/{stem}", "relative"),
        ("{stem}/", "empty parts"),
        ("{dir}//{stem}", "empty parts"),
        ("./{stem}", "empty parts"),
        ("{stem}/..", "empty parts"),
        (".Pipeline/{stem}", "the program's own"),
        ("{stem}/.pipeline-x", "the program's own"),
        ("{rendition}.{ext}", "must hold {stem}"),
        ("{stem}/{dir}", "can be empty"),
        ("{stem}/{dir}{source_ext}", "can be empty"),
    ],
)
def test_what_is_no_template_is_told_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Template.parse(text)


def test_a_field_that_a_rendition_has_no_value_for_is_named() -> None:
    assert Template.parse("{stem}-{width}x{height}").lacks(THUMB) == "height"
    assert Template.parse("{stem}-{width}").lacks(THUMB) is None


hostile_characters = st.one_of(
    st.sampled_from([*".{}%/\\ \n\x1b~:-", "dir", "{stem}", "pipeline", ".pipeline", ".."]),
    st.characters(exclude_characters="/\0"),
    st.sampled_from([chr(0xDC80 + n) for n in (0, 0x7F)]),
)
names = st.lists(hostile_characters, min_size=1, max_size=6).map(lambda parts: "".join(parts).replace("/", ""))
sources = st.lists(names.filter(bool), min_size=1, max_size=4).map("/".join)
templates = st.lists(
    st.one_of(
        st.sampled_from([f"{{{name}}}" for name in FIELDS]), st.sampled_from(["/", ".", "..", "-", "{{", "}}", "x"])
    ),
    min_size=1,
    max_size=7,
).map("".join)


@given(source=sources, text=templates, keep=st.booleans())
def test_no_source_makes_a_target_outside_of_its_folder(source: str, text: str, keep: bool) -> None:
    try:
        template = Template.parse(text)
    except ValueError:
        return
    target = template.target(source, THUMB, keep_extension=keep)
    parts = target.split("/")
    assert not set(parts) & {"", ".", ".."}
    assert not any(part.casefold().startswith(".pipeline") for part in parts)
    assert os.path.normpath(os.path.join("/target", target)).startswith("/target/")


@given(source=sources)
def test_values_of_fields_are_never_expanded_again(source: str) -> None:
    target = Template.parse("x{dir}|{name}|{stem}|{source_ext}").target(source, THUMB)
    folder, _, name = source.rpartition("/")
    stem, extension = os.path.splitext(name)
    expected = f"x{folder}|{name}|{stem}|{extension[1:]}"
    if not any(part in ("", ".", "..") or part.startswith(".") for part in expected.split("/")):
        assert target == expected


@given(source=sources)
def test_a_target_is_the_same_every_time(source: str) -> None:
    assert Template.parse(DEFAULT).target(source, THUMB) == Template.parse(DEFAULT).target(source, THUMB)


def test_a_name_that_is_too_long_keeps_its_beginning_and_its_end_around_a_hash_of_all_of_it() -> None:
    stem = "a" * 251
    whole = f"{stem}-thumb.webp"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    made = Template.parse(DEFAULT).target(f"b/{stem}.jpg", THUMB)
    assert made == f"b/{'a' * 170}~{digest}~{'a' * 53}-thumb.webp"
    assert Template.parse(DEFAULT).target(f"b/{'a' * 244}.jpg", THUMB) == f"b/{'a' * 244}-thumb.webp"  # 255 bytes


def test_names_that_are_too_long_differ_where_their_sources_do_and_hold_whole_characters() -> None:
    stems = ["\N{CAT}" * 62 + end for end in ("ab", "ac", "\udcff", "\N{DOG}")]
    stems += [stem[::-1] for stem in stems] + [
        "x" * 100 + "\N{CAT}" * 35 + "y" * 10 + str(number) for number in range(4)
    ]
    targets = [Template.parse("{dir}/{stem}-{stem}.{ext}").target(f"{stem}.jpg", THUMB) for stem in stems]
    assert len(set(targets)) == len(stems)
    assert all(len(os.fsencode(target)) <= 255 for target in targets)
    for stem, target in zip(stems, targets, strict=True):
        assert "\udcff" in stem or target.isprintable()


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=90), min_size=1, max_size=3))
def test_no_part_of_a_target_is_longer_than_file_systems_take(parts: list[str]) -> None:
    source = "/".join(os.fsdecode(part.encode("utf-8", "replace")[:255]) for part in parts)
    template = Template.parse("{rendition}-{name}/{dir}/{stem}-{stem}.{ext}")
    for part in template.target(source, THUMB).split("/"):
        assert len(os.fsencode(part)) <= 255
