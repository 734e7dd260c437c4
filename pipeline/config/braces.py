r"""`*.{jpg,png}` in a glob: each alternative becomes a pattern of its own, as in a shell.

Braces may be nested. A brace without a comma, without a partner, in a class or after a `\` is an ordinary character.
"""

from __future__ import annotations

import re

_MOST = 1000  # alternatives of a pattern
_DEEPEST = 20  # levels of nested braces
_SIGNS = re.compile(r"\\.|\[[!^]?\]?[^]]*\]|.", re.DOTALL)  # an escaped character, a class, or any other character


def alternatives(pattern: str) -> list[str]:
    """The patterns without braces that `pattern` stands for.

    Raises ValueError for more than a thousand of them, and for braces that are nested more than twenty deep.
    """
    if "{" not in pattern:
        return [pattern]
    signs = _SIGNS.findall(pattern)
    commas = _commas(signs)
    return list(dict.fromkeys(_between(signs, 0, len(signs), commas)))


def _commas(signs: list[str]) -> dict[int, list[int]]:
    """For each brace that opens alternatives, by its position: the positions where they end, the closing brace last."""
    ends: dict[int, list[int]] = {}
    opened: list[tuple[int, list[int]]] = []
    for at, sign in enumerate(signs):
        if sign == "{":
            opened.append((at, []))
            if len(opened) > _DEEPEST:
                raise ValueError(f"has braces nested more than {_DEEPEST} deep")
        elif sign == "," and opened:
            opened[-1][1].append(at)
        elif sign == "}" and opened:
            start, commas = opened.pop()
            if commas:
                ends[start] = [*commas, at]
    return ends


def _between(signs: list[str], at: int, end: int, commas: dict[int, list[int]]) -> list[str]:
    """The alternatives of the signs from `at` up to `end`. Braces that are ordinary characters get a backslash."""
    patterns = [""]
    while at < end:
        ends = commas.get(at)
        if ends is None:
            parts = ["\\" + signs[at] if signs[at] in "{}" else signs[at]]
            at += 1
        else:
            starts = [at + 1, *(stop + 1 for stop in ends)]
            parts = [
                part for start, stop in zip(starts, ends, strict=False) for part in _between(signs, start, stop, commas)
            ]
            at = ends[-1] + 1
        if len(patterns) * len(parts) > _MOST:
            raise ValueError(f"stands for more than {_MOST:,} patterns")
        patterns = [pattern + part for pattern in patterns for part in parts]
    return patterns
