r"""Globs as in `.gitignore`, compiled into one regular expression.

A pattern without a slash (but for a last one) matches a name at any depth; one with a slash is anchored at the root.
`*` and `?` stay within a name, `**` between slashes crosses folders, `[a-z]` and `[!a-z]` are classes, `\` takes the
next character literally, and a last slash means folders only. What lies inside a matched folder is covered too.
Beyond that, `{a,b}` stands for two patterns, and the letters after a last dot match in either case: `*.jpg` is also
`X.JPG`, while `*.[j]pg` is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.config.braces import alternatives


class Globs:
    """A set of patterns. No patterns cover nothing."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises ValueError as `alternatives` does."""
        globs = [glob for pattern in patterns for glob in alternatives(pattern)]
        translated = [translate(_in_any_case(glob)) for glob in globs]
        self._regex = re.compile("|".join(translated), re.DOTALL) if translated else None

    def __bool__(self) -> bool:
        return self._regex is not None

    def covers(self, path: str) -> bool:
        """Whether a file's relative path, or a folder above it, matches. The path of a folder ends with a slash."""
        return self._regex is not None and self._regex.fullmatch(path) is not None


def _in_any_case(pattern: str) -> str:
    """`pattern` with each ASCII letter of its last part's extension as a class of both cases."""
    head, dot, ending = pattern.rpartition(".")
    if not dot or any(char in ending for char in "/[]\\"):
        return pattern
    return head + dot + re.sub("[a-zA-Z]", lambda letter: f"[{letter[0].lower()}{letter[0].upper()}]", ending)


def translate(pattern: str) -> str:
    """One pattern as a regular expression (for `fullmatch` with DOTALL), which also matches all below its matches.

    The time to match is at most proportional to path times pattern: names between two `**`, and letters between two
    `*`, are matched leftmost in an atomic group. The leftmost match is always right, because what follows a star may
    begin anywhere behind it.
    """
    tail = "/.*" if pattern.endswith("/") else "(?:/.*)?"
    segments = [segment for segment in pattern.split("/") if segment]
    if not segments:
        return "(?!)"
    if len(segments) == 1 and not pattern.startswith("/"):
        segments.insert(0, "**")
    if segments[-1] == "**":
        segments[-1] = "*"  # what lies below is covered anyway
    runs: list[list[str]] = [[]]  # names that follow each other, without `**` between them
    for segment in segments:
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    anchored, *floating = ["/".join(run) for run in runs]
    regex = [anchored] * bool(anchored)
    regex += [f"(?>(?:[^/]++/)*?{run}(?![^/]))" for run in floating if run]
    return f"(?:{'/'.join(regex)}){tail}"


def _segment(text: str) -> str:
    """The regular expression of a pattern for one name. A name is never empty."""
    stretches = _stretches(text)
    if len(stretches) == 1:
        return stretches[0]
    if not any(stretches):
        return "[^/]++"
    middle = "".join(f"(?>[^/]*?{stretch})" for stretch in stretches[1:-1] if stretch)
    return f"{stretches[0]}{middle}[^/]*{stretches[-1]}"


def _stretches(text: str) -> list[str]:
    """The regular expressions of the parts between the stars of a name's pattern; each matches a fixed length."""
    stretches = [""]
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            stretches.append("")
        elif char == "?":
            stretches[-1] += "[^/]"
        elif char == "[" and (end := _class_end(text, at)):
            stretches[-1] += _class(text[at : end - 1])
            at = end
        else:
            if char == "\\" and at < len(text):
                char = text[at]
                at += 1
            stretches[-1] += re.escape(char)
    return stretches


def _class_end(text: str, at: int) -> int:
    """The position after the bracket that closes the class opened before `at`; 0 where none does."""
    first = at + (text[at : at + 1] in ("!", "^"))
    return text.find("]", first + 1) + 1  # a bracket in the first place is literal


def _class(body: str) -> str:
    """A character class as a regular expression; it never matches a slash. A backward range matches nothing."""
    negated = body[:1] in ("!", "^")
    body = body[negated:]
    ranges = []
    at = 0
    while at < len(body):
        low = high = body[at]
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            high = body[at + 2]
            at += 2
        at += 1
        if low <= high:
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:
        return "[^/]" if negated else "(?!)"
    return f"(?!/)[{'^' if negated else ''}{''.join(ranges)}]"
