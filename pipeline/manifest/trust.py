"""Checks that no other user could have written a manifest.

Its records decide which files of a target are replaced and deleted. A run trusts them where only its own user, or root,
could have written them, or where its config says `shared: true`.
"""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ManifestTrouble, printable
from pipeline.mounts import mount_of


def check(manifest: Path, *, shared: bool) -> None:
    """Raise `ManifestTrouble` where other users could have written the manifest, which need not be there yet."""
    if distrust := reason(manifest, shared=shared):
        raise ManifestTrouble(": ".join(distrust))


def reason(manifest: Path, *, shared: bool) -> tuple[str, str] | None:
    """Why the manifest is not trusted, and what to do about it; None where it is trusted."""
    if shared:
        return None
    for place in (manifest.parent, manifest):
        with suppress(OSError):  # it is not there, or has no stat, which opening it will say
            link, result = place.lstat(), place.stat()
            whose, open_to = _other_owner(link, result), _open_to(result)
            if (whose is not None or open_to) and not _keeps_owners(place):
                return None
            if whose is not None:
                return (
                    f"{printable(str(place))} belongs to another user ({whose}), and a run believes what is in it",
                    f"run as {whose}, or say `shared: true` in the config",
                )
            if open_to:
                return (
                    f"{printable(str(place))} can be written by {open_to}, and a run believes what is in it",
                    f"chmod {'o-w' if open_to == 'everybody' else 'g-w'}, or say `shared: true` in the config",
                )
    return None


def _other_owner(*results: os.stat_result) -> str | None:
    """The name of the first owner that is neither this process's user nor root; None where there is none."""
    for result in results:
        if result.st_uid not in (0, os.geteuid()):
            try:
                return printable(pwd.getpwuid(result.st_uid).pw_name)
            except KeyError:
                return str(result.st_uid)
    return None


def _open_to(result: os.stat_result) -> str:
    """Which other users may write, in words; "" for none.

    A group with the same number as the user, as useradd makes it, has no other member.
    """
    if result.st_mode & stat.S_IWOTH:
        return "everybody"
    return "its group" if result.st_mode & stat.S_IWGRP and result.st_gid != result.st_uid else ""


def _keeps_owners(place: Path) -> bool:
    mount = mount_of(place)
    return mount is None or mount.keeps_owners
