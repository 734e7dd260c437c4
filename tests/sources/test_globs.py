from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.globs import Globs, translate


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.jpg", ["a.jpg", "a/b.jpg", ".jpg", "a/b.jpg/c"], ["a.JPG", "a.jpgx", "ajpg"]),
        ("/*.jpg", ["a.jpg"], ["a/b.jpg"]),
        ("a/*.jpg", ["a/b.jpg"], ["b.jpg", "a/b/c.jpg", "x/a/b.jpg"]),
        ("**/a", ["a", "b/a", "b/c/a", "a/x"], ["ba", "b/ca"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["az", "a/bz"]),
        ("**", ["a", "a/b"], []),
        ("a/", ["a/", "a/b", "x/a/b"], ["a", "x/a"]),
        ("a", ["a", "a/", "a/b", "x/a", "x/a/b"], ["ab", "ba"]),
        ("a?c", ["abc", "a\nc", "a\udcffc"], ["ac", "a/c"]),
        ("[ab]", ["a", "b"], ["c", "ab"]),
        ("[a-c]x", ["bx"], ["dx", "-x"]),
        ("[!a-c]x", ["dx"], ["ax", "/x"]),
        ("[^a]", ["b"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[z-a]", [], ["z", "a", "m"]),
        ("[+-9]x", ["5x"], ["/x"]),
        ("[ab", ["[ab"], ["a"]),
        ("a\\*", ["a*"], ["ab"]),
        ("a*b*c", ["abc", "aXbYbZc", "abcbc"], ["acb", "ab/c"]),
        ("*a*", ["a", "bab"], ["b"]),
        ("x**y", ["xy", "xay"], ["x/y"]),
        ("**/**/a", ["a", "b/a"], ["ba"]),
        ("", [], ["", "a", "a/"]),
        ("/", [], ["", "a", "a/"]),
        ("a//b", ["a/b"], ["ab"]),
        ("[[a&&b]", ["[", "&", "a"], ["c"]),
    ],
)
def test_a_pattern_covers_what_gitignore_would(pattern: str, yes: list[str], no: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        globs = Globs([pattern])
    assert [path for path in yes if not globs.covers(path)] == []
    assert [path for path in no if globs.covers(path)] == []


def test_several_patterns_cover_what_any_of_them_does() -> None:
    globs = Globs(["*.jpg", "b/"])
    assert globs.covers("x.jpg")
    assert globs.covers("b/x")
    assert not globs.covers("x")


def test_no_patterns_cover_nothing() -> None:
    assert not Globs([])
    assert not Globs([]).covers("a")


_TOKENS = st.lists(st.sampled_from(["*", "?", "a", "b", "[ab]", "[!a]"]), min_size=1, max_size=7).map("".join)


def _naive(pattern: str, name: str) -> bool:
    """A second opinion: one name against one pattern, by trying everything."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(_naive(pattern[1:], name[at:]) for at in range(len(name) + 1))
    token, accepts = next(
        (token, accepts)
        for token, accepts in (("?", "abc"), ("[ab]", "ab"), ("[!a]", "bc"), ("a", "a"), ("b", "b"))
        if pattern.startswith(token)
    )
    return name[:1] != "" and name[0] in accepts and _naive(pattern[len(token) :], name[1:])


@given(pattern=_TOKENS, name=st.text("abc", max_size=7))
def test_names_match_as_a_naive_matcher_says(pattern: str, name: str) -> None:
    matched = re.fullmatch(translate("/" + pattern), name, re.DOTALL) is not None
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    if pattern == "*" and not name:
        return  # an empty name is none
    assert matched == _naive(pattern, name)


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_pattern_breaks_the_matcher(pattern: str, path: str) -> None:
    Globs([pattern]).covers(path)


@pytest.mark.timeout(20)  # with plain stars this would take longer than anybody waits
def test_a_hostile_name_cannot_make_a_pattern_slow() -> None:
    assert not Globs(["*a*a*a*a*a*a*a*a*b"]).covers("a" * 255)
