from __future__ import annotations

import math

import pytest
import yaml

from pipeline.config.node import Node, Position
from pipeline.config.yaml12 import Malformed, parse, scalar

SCALARS: dict[str, object] = {
    "": None,
    "~": None,
    "null": None,
    "nULL": "nULL",
    "true": True,
    "FALSE": False,
    "no": "no",
    "on": "on",
    "yes": "yes",
    "y": "y",
    "010": 10,
    "-7": -7,
    "+7": 7,
    "0o17": 15,
    "0x1F": 31,
    "-0x1F": "-0x1F",
    "0b11": "0b11",
    "1_000": "1_000",
    "1:30": "1:30",
    "2026-07-01": "2026-07-01",
    "1.50": 1.5,
    ".5": 0.5,
    "5.": 5.0,
    "1e3": 1000.0,
    "-.inf": -math.inf,
    "+.INF": math.inf,
    ".": ".",
    "-": "-",
    "٣": "٣",  # a digit, but none of YAML's
    "=": "=",
    "<<": "<<",
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_read_as_yaml_1_2_reads_them(text: str) -> None:
    value = scalar(text)
    assert value == SCALARS[text]
    assert type(value) is type(SCALARS[text])


def test_not_a_number_is_read() -> None:
    assert math.isnan(float(str(scalar(".nan"))))


def tree(text: str) -> Node:
    root, problems = parse(text)
    assert not problems
    assert root is not None
    return root


def test_quoted_scalars_are_text() -> None:
    assert tree("[\"1\", 'true', '', 1]").plain() == ["1", "true", "", 1]
    assert tree("a: |\n  10\n").plain() == {"a": "10\n"}


def test_keys_are_text_as_editors_see_them() -> None:
    assert tree("320: 1\nno: 2\n~: 3\ntrue: 4\n").plain() == {"320": 1, "no": 2, "~": 3, "true": 4}


def test_every_key_and_value_knows_its_place() -> None:
    root = tree("é: {ü: 1, b: [x, 'y']}\n# then\nc:\n  d: 2\n")
    assert root.keys == {"é": Position(1, 1), "c": Position(3, 1)}
    assert root.deepest(("é", "ü"))[0].position == Position(1, 8)
    assert root.deepest(("é", "b", 1))[0].position == Position(1, 18)
    assert root.deepest(("c",))[0].keys == {"d": Position(4, 3)}
    assert root.deepest(("c", "d"))[0].position == Position(4, 6)
    assert root.deepest(("c", "e", "f")) == (root.child("c"), ("c",))


def test_an_alias_is_what_it_names_and_stands_where_it_is_used() -> None:
    root = tree("a: &one {w: 1}\nb: *one\n")
    assert root.plain() == {"a": {"w": 1}, "b": {"w": 1}}
    assert root.deepest(("b",))[0].position == Position(2, 4)


def test_aliases_cannot_nest_deeper_than_brackets() -> None:
    chain = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))
    with pytest.raises(Malformed, match="levels deep"):
        parse(chain)


def test_nothing_but_comments_has_no_root() -> None:
    assert parse("# a\n\n") == (None, [])


def test_the_first_of_two_equal_keys_is_kept_and_the_second_told() -> None:
    root, problems = parse("a: 1\nb: {c: 1, 'c': {d: 2}}\na: 3\n")
    assert root is not None
    assert root.plain() == {"a": 1, "b": {"c": 1}}
    assert [(problem.path, problem.position) for problem in problems] == [
        ("b.c", Position(2, 11)),
        ("a", Position(3, 1)),
    ]


def test_without_the_c_parser_all_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &one {w: 1}\n\"b\": [*one, 'x', 010]\nc: |\n  text\n"
    fast = tree(text)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert tree(text) == fast
    with pytest.raises(Malformed, match="never closed"):
        parse("a: 'x")
