"""Hosts in turns: the pictures of a list of URLs are not asked of one server after the other.

Names that are made from URLs begin with the host, so a plan by name has all pictures of a server together, of which
only `per_host` are asked for at a time: most threads would wait for it. Some pictures of each of several hosts in turn
keep all threads busy. What is decided about a picture does not depend on that, only when.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from pipeline.config.settings import SourceSettings
from pipeline.model.job import Job

_T = TypeVar("_T")

_AT_ONCE = 32  # hosts; each holds what is known of a thousand pictures
_JOBS = 8  # of a host before it is the next one's turn: as many are asked of it at once


def by_host(
    parts: Iterable[_T], folder_of: Callable[[_T], str], sources: Sequence[SourceSettings]
) -> Iterable[Iterable[_T]]:
    """`parts`, which are sorted by their folders, in groups of one host; those of no list of URLs are one group.

    The host is the first part of a folder, after the prefix of its source.
    """
    lists = {settings.prefix for settings in sources if settings.urls is not None}

    if not lists:
        return [parts]

    def host(part: _T) -> str:
        first, _, rest = folder_of(part).partition("/")
        if "" in lists:
            return first
        return f"{first}/{rest.partition('/')[0]}" if first in lists else ""

    return [list(of_one) for _, of_one in groupby(parts, key=host)]


def in_turns(groups: Iterable[Iterator[_T]]) -> Iterator[_T]:
    """What is in all groups, each in its order, with `_JOBS` jobs of each in turn."""
    coming = iter(groups)
    active: deque[Iterator[_T]] = deque()
    while True:
        while len(active) < _AT_ONCE and (group := next(coming, None)) is not None:
            active.append(group)
        if not active:
            return
        group = active.popleft()
        left = _JOBS
        for decision in group:
            yield decision
            left -= isinstance(decision, Job)
            if not left:
                active.append(group)
                break
