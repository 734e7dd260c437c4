from __future__ import annotations

import pytest

from pipeline.config.braces import alternatives


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["*.jpg"]),
        ("*.{jpg,png}", ["*.jpg", "*.png"]),
        ("{a,b}/{c,d}", ["a/c", "a/d", "b/c", "b/d"]),
        ("{a,{b,c}}x", ["ax", "bx", "cx"]),
        ("a{,s}.jpg", ["a.jpg", "as.jpg"]),
        ("{a,a}", ["a"]),
        ("{a}", [r"\{a\}"]),
        ("{a,b", [r"\{a,b"]),
        ("a}{b,c}", [r"a\}b", r"a\}c"]),
        (r"\{a,b}", [r"\{a,b\}"]),
        ("[{,}].{x,y}", ["[{,}].x", "[{,}].y"]),
        ("{[a,b],c}", ["[a,b]", "c"]),
    ],
)
def test_each_alternative_makes_a_pattern(pattern: str, expected: list[str]) -> None:
    assert alternatives(pattern) == expected
    assert [path for pattern in expected for path in alternatives(pattern)] == expected


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("{a,b}" * 10, "more than 1,000 patterns"), ("{a," * 21 + "}" * 21, "nested more than 20 deep")],
)
def test_a_pattern_that_stands_for_too_much_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        alternatives(pattern)
