"""PyYAML's errors in words that say what to do about them."""

from __future__ import annotations

import re

import yaml

from pipeline.errors import printable

_ESCAPE = "in \"double quotes\" a \\ starts an escape; use 'single quotes' or write \\\\"
_TAG = "a tag (a word that starts with !) is not allowed in a config; write the plain value"

# What PyYAML says, what we say. {} is the pattern's group.
_WHERE_IT_IS = (
    (r"found character '\\t'", "a tab cannot indent YAML; use spaces"),
    (r"found character '([%@`])'", "a value cannot start with {}; put it in quotes"),
    ("mapping values are not allowed", 'a ":" too many, or a line indented too far; text with ": " goes in quotes'),
    ("found unknown escape character", _ESCAPE),
    ("expected (?:escape sequence|.*hexadecimal)", _ESCAPE),
    ("expected alphabetic or numeric character", "a * or & has a meaning of its own in YAML; put the value in quotes"),
    ("expected <block end>", "this line does not fit the ones above it; check its indentation"),
    ("found undefined tag handle|while scanning a tag", _TAG),
    ("incompatible YAML document|directive", "a line that starts with % is a YAML directive; remove it"),
    ("expected chomping or indentation", "after | or > comes a line break, then the text; or put the value in quotes"),
)
_WHERE_IT_BEGINS = (
    ("unexpected end of stream", "this quote is never closed"),
    ("could not find expected ':'", 'this is no "key: value"; the ":" or the space after it is missing'),
    (r"expected ',' or '([\]}])'", "the list or mapping that starts here is not closed; a , or {} is missing"),
)


def in_words(error: yaml.MarkedYAMLError, text: str) -> tuple[int, int, str]:
    """Line and column (from 1) and the words for an error met in `text`."""
    raw = f"{error.context or ''}; {error.problem or ''}".strip("; ")
    mark, words = error.problem_mark or error.context_mark, _said(raw, _WHERE_IT_IS)
    if words is None:
        words = _said(raw, _WHERE_IT_BEGINS)
        if words is None:
            words = f"this is no YAML ({printable(raw)})"
        elif error.context_mark is not None:
            mark = error.context_mark
    if mark is None:
        return text.count("\n") + 1, 1, words
    return mark.line + 1, mark.column + 1, words


def _said(raw: str, table: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, words in table:
        found = re.search(pattern, raw)
        if found:
            return words.replace("{}", found[1]) if found.re.groups else words
    return None
