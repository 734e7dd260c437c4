"""The control groups that bound this process: its own, and each one above it up to the root."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/sys/fs/cgroup")
SELF = Path("/proc/self/cgroup")
KERNEL = Path("/proc/vmstat")
_KILLS = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def files(controller: str, name_2: str, name_1: str, root: Path = ROOT, own: Path = SELF) -> Iterator[str]:
    """The text of a setting in every group that bounds this process, where it can be read.

    `name_2` is the file's name in version 2 of control groups, `name_1` in version 1, where each controller has a tree
    of its own. A limit anywhere up the tree counts, so the caller takes the least.
    """
    for line in _lines(own):
        _number, controllers, path = line.split(":", 2)
        if not controllers:
            tree, name = root, name_2
        elif controller in controllers.split(","):
            tree, name = root / controller, name_1
        else:
            continue
        group = PurePosixPath(path)
        for folder in (group, *group.parents):
            text = _text(tree / folder.relative_to("/") / name)
            if text is not None:
                yield text


def oom_kills(root: Path = ROOT, own: Path = SELF, kernel: Path = KERNEL) -> int:
    """A number that grows when the kernel kills a process, here or elsewhere on the machine, for want of memory."""
    texts = [*files("memory", "memory.events", "memory.oom_control", root, own), _text(kernel) or ""]
    return sum(int(count) for text in texts for count in _KILLS.findall(text))


def _lines(own: Path) -> list[str]:
    text = _text(own) or ""
    return [line for line in text.splitlines() if line.count(":") >= 2]


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return None
