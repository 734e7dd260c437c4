r"""`*.{jpg,png}` in a glob: each alternative makes a pattern of its own, as in a shell.

Braces may stand in braces. Those without a comma, without a partner, in a class or after a `\` are characters.
"""

from __future__ import annotations

import re

_MOST = 1000  # patterns that one may stand for
_DEEPEST = 20  # braces in braces
_SIGNS = re.compile(r"\\.|\[[!^]?\]?[^]]*\]|.", re.DOTALL)  # a character, an escaped one, or a class


def alternatives(pattern: str) -> list[str]:
    """The patterns without braces that `pattern` stands for. Raises ValueError where they are more than a thousand, or
    braces are nested more than twenty deep.
    """
    if "{" not in pattern:
        return [pattern]
    signs = _SIGNS.findall(pattern)
    commas = _commas(signs)
    return list(dict.fromkeys(_between(signs, 0, len(signs), commas)))


def _commas(signs: list[str]) -> dict[int, list[int]]:
    """For each brace that opens alternatives, by position: where those end, the closing brace last."""
    found: dict[int, list[int]] = {}
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
                found[start] = [*commas, at]
    return found


def _between(signs: list[str], at: int, end: int, commas: dict[int, list[int]]) -> list[str]:
    """What the signs from `at` up to `end` stand for; braces that are characters get a backslash."""
    found = [""]
    while at < end:
        ends = commas.get(at)
        if ends is None:
            parts = ["\\" + signs[at] if signs[at] in "{}" else signs[at]]
            at += 1
        else:
            starts = [at + 1, *(one + 1 for one in ends)]
            parts = [
                part for start, stop in zip(starts, ends, strict=False) for part in _between(signs, start, stop, commas)
            ]
            at = ends[-1] + 1
        if len(found) * len(parts) > _MOST:
            raise ValueError(f"stands for more than {_MOST:,} patterns")
        found = [one + part for one in found for part in parts]
    return found
