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
        ("*.jpg", ["a.jpg", "a/b.jpg", ".jpg", "a/b.jpg/c", "a.JPG", "a.jPg"], ["a.jpgx", "ajpg"]),
        ("*.JPG", ["a.jpg", "A.JPG"], ["a.jpeg"]),
        ("a/b.jp*", ["a/b.jpg", "a/b.JPEG"], ["A/b.jpg", "a/B.jpg"]),  # endings only
        ("a.d/", ["a.d/b"], ["a.D/b"]),
        ("*.[j]pg", ["a.jpg"], ["a.JPG", "a.jPG"]),
        ("*.{jpg,png}", ["a.jpg", "b.PNG"], ["a.gif", "a.{jpg,png}"]),
        ("{a,b/{c,d}}/x", ["a/x", "b/c/x", "b/d/x"], ["b/x", "c/x"]),
        ("{a}-{", ["{a}-{"], ["a-{"]),
        ("\\{a,b}", ["{a,b}"], ["a", "b"]),
        ("/*.jpg", ["a.jpg"], ["a/b.jpg"]),
        ("a/*.jpg", ["a/b.jpg"], ["b.jpg", "a/b/c.jpg", "x/a/b.jpg"]),
        ("**/a", ["a", "b/a", "b/c/a", "a/x"], ["ba", "b/ca"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "a/", "b/a/c"]),
        ("a/*", ["a/b", "a/b/", "a/b/c"], ["a", "a/", "b/a/c"]),
        ("a/**/", ["a/b/", "a/b/c"], ["a", "a/", "a/b"]),
        ("**/", ["a/", "a/b"], ["a"]),
        ("**/a/**/b/**/c", ["a/b/c", "x/a/b/b/x/c/y"], ["b/a/c", "a/c/b", "a/b/xc", "ax/b/c"]),
        ("**/a*/b/**/c", ["a/b/c", "a/a/b/c", "ax/x/a/b/x/c"], ["a/x/b/c"]),
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
_NAMES = st.lists(st.sampled_from(["**", "a", "b", "*a", "?b", "*"]), min_size=1, max_size=6)


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


def _naive_path(pattern: list[str], path: list[str]) -> bool:
    """A second opinion: names against patterns, by trying everything. What lies below a match matches, too."""
    if not pattern:
        return True
    if pattern == ["**"]:
        return bool(path)
    if pattern[0] == "**":
        return any(_naive_path(pattern[1:], path[at:]) for at in range(len(path) + 1))
    return bool(path) and _naive(pattern[0], path[0]) and _naive_path(pattern[1:], path[1:])


@given(pattern=_TOKENS, name=st.text("abc", min_size=1, max_size=7))
def test_names_match_as_a_naive_matcher_says(pattern: str, name: str) -> None:
    matched = re.fullmatch(translate("/" + pattern), name, re.DOTALL) is not None
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    assert matched == _naive(pattern, name)


@given(pattern=_NAMES, path=st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=7))
def test_paths_match_as_a_naive_matcher_says(pattern: list[str], path: list[str]) -> None:
    assert Globs(["/" + "/".join(pattern)]).covers("/".join(path)) == _naive_path(pattern, path)


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_pattern_breaks_the_matcher(pattern: str, path: str) -> None:
    Globs([pattern]).covers(path)


@pytest.mark.timeout(20)  # where a matcher tries every place for every star this would take longer than anybody waits
@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a*a*a*a*a*a*a*a*b", "a" * 255),
        ("**/a/**/a/**/a/**/a/**/b", "a/" * 1_900 + "c"),
        ("**/*a*/**/*a*a*/**/?a/**/*a*b*/**/[b]", "/".join(["a" * 250] * 15)),
        ("**/" + "a/" * 200 + "b", "a/" * 1_900 + "c"),
    ],
)
def test_a_hostile_path_cannot_make_a_pattern_slow(pattern: str, path: str) -> None:
    assert not Globs([pattern]).covers(path)
