"""What sites ask of programs, as RFC 9309 has it."""

from __future__ import annotations

import time

import pytest

from pipeline.sources.urls.names import place
from pipeline.sources.urls.robots import parse, refuses

RULES = """
User-agent: otherbot
Disallow: /

User-agent: *
Disallow: /private/
Allow: /private/open
Disallow: /*.gif$
Disallow: /a*b*c
"""


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("/x.jpg", True),
        ("/private/x.jpg", False),
        ("/private/open.jpg", True),
        ("/x.gif", False),
        ("/x.gif?size=1", True),
        ("/a/b/c/d", False),
        ("/acb", True),
    ],
)
def test_the_longest_pattern_decides(target: str, allowed: bool) -> None:
    assert parse(RULES).allow(target) is allowed


def test_a_file_that_begins_with_a_byte_order_mark_is_read() -> None:
    assert not parse("\ufeffUser-agent: *\nDisallow: /").allow("/x.jpg")


def test_a_pattern_that_is_not_quoted_is_for_the_url_that_is_asked_for() -> None:
    assert not parse("User-agent: *\nDisallow: /ü ö/*.jpg$").allow(place("http://a/ü ö/x.jpg").target)


def test_a_group_of_its_own_stands_in_place_of_that_for_everybody() -> None:
    rules = parse(f"User-agent: Image-Pipeline\nDisallow: /mine\n{RULES}")
    assert not rules.allow("/mine")
    assert rules.allow("/private/x.jpg")


def test_no_rules_allow_everything() -> None:
    assert parse("").allow("/x")
    assert parse("User-agent: *\nDisallow:\n").allow("/x")
    assert parse("<html>Disallow: /</html>").allow("/x")


def test_a_pattern_that_is_made_to_take_long_does_not() -> None:
    rules = parse("User-agent: *\nDisallow: /" + "*a" * 2000 + "$")
    began = time.process_time()
    assert rules.allow("/" + "a" * 1900)
    assert time.process_time() - began < 60  # with backtracking it would take longer than the world is old


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        (["noindex"], "noindex"),
        (["max-snippet: 5, NoAI"], "noai"),
        (["otherbot: noindex"], ""),
        (["image-pipeline: noimageai"], "noimageai"),
        (["all", "none"], "none"),
        (["max-image-preview:large"], ""),
        ([], ""),
    ],
)
def test_an_answer_may_ask_to_leave_the_picture(tags: list[str], word: str) -> None:
    assert refuses(tags) == word
