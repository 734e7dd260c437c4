"""Who could have written a manifest. Its records say which files of a target are replaced and deleted: a run believes
them where nobody but its user, or root, could have put them there, or where its config says `shared: true`.
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
    """Raise `ManifestTrouble` where others could have written the manifest, which need not be there yet."""
    if distrust := reason(manifest, shared=shared):
        raise ManifestTrouble(": ".join(distrust))


def reason(manifest: Path, *, shared: bool) -> tuple[str, str] | None:
    """Why the manifest is not to be trusted, and what to do about it; None where it is."""
    if shared:
        return None
    for place in (manifest.parent, manifest):
        with suppress(OSError):  # not there, or not to be looked at, which its opening will say
            link, found = place.lstat(), place.stat()
            whose, open_to = _stranger(link, found), _open_to(found)
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


def _stranger(*found: os.stat_result) -> str | None:
    """The name of an owner that is neither this process's user nor root."""
    for one in found:
        if one.st_uid not in (0, os.geteuid()):
            try:
                return printable(pwd.getpwuid(one.st_uid).pw_name)
            except KeyError:
                return str(one.st_uid)
    return None


def _open_to(found: os.stat_result) -> str:
    """A group of one's own (of the same number as the user, as useradd makes them) has nobody else in it."""
    if found.st_mode & stat.S_IWOTH:
        return "everybody"
    return "its group" if found.st_mode & stat.S_IWGRP and found.st_gid != found.st_uid else ""


def _keeps_owners(place: Path) -> bool:
    mount = mount_of(place)
    return mount is None or mount.keeps_owners
