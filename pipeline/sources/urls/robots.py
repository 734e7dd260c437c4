"""What a site's robots.txt allows (RFC 9309), and what an answer's X-Robots-Tag says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.sources.urls.names import sent

AGENT = "image-pipeline"  # the name that groups of rules are looked up by
MOST = 512 * 1024  # bytes of a robots.txt that are read
_REFUSING = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})

_WITH_VALUES = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for this program: pairs of a pattern and whether it allows."""

    rules: tuple[tuple[str, bool], ...] = ()

    def allow(self, target: str) -> bool:
        """Whether the path and query `target` may be asked for: the longest pattern decides; on a tie, allow wins."""
        matching = [(len(pattern), allows) for pattern, allows in self.rules if _matches(pattern, target)]
        return max(matching)[1] if matching else True


def parse(text: str) -> Rules:
    """The rules of all groups that name this program, or else of those for everybody."""
    groups: dict[str, list[tuple[str, bool]]] = {}
    named: list[str] = []
    in_rules = False
    for line in text.removeprefix("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent" and colon:
            named = [value.lower()] if in_rules else [*named, value.lower()]
            in_rules = False
            groups.setdefault(value.lower(), [])
        elif key in ("allow", "disallow") and named:
            in_rules = True
            if value:
                for name in named:
                    groups[name].append((sent(value), key == "allow"))
    ours = groups.get(AGENT, groups.get("*", []))
    return Rules(tuple(ours))


def refuses(tags: Iterable[str]) -> str:
    """The first word of the X-Robots-Tag headers that asks programs such as this one to leave the picture; "" if none.

    A tag may be for one robot only: `otherbot: noindex`.
    """
    for tag in tags:
        agent, colon, rest = tag.partition(":")
        is_for_one = colon and "," not in agent and agent.strip().lower() not in _WITH_VALUES
        words = tag if not is_for_one else rest if agent.strip().lower() == AGENT else ""
        for word in words.split(","):
            if word.strip().lower() in _REFUSING:
                return word.strip().lower()
    return ""


def _matches(pattern: str, target: str) -> bool:
    """A pattern matches from the beginning; `*` is any characters, a last `$` the end. Takes no longer than its length
    times that of `target`, whatever a site writes.
    """
    first, *rest = pattern.removesuffix("$").split("*")
    if not target.startswith(first):
        return False
    at = len(first)
    last = rest.pop() if rest and pattern.endswith("$") else None
    for piece in rest:
        at = target.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    if last is not None:
        return target.endswith(last) and len(target) - len(last) >= at
    return not pattern.endswith("$") or at == len(target)
