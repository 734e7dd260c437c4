"""A local folder as a target."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Collection, Iterable, Sequence

from pipeline.config.settings import Durability, TargetSettings
from pipeline.errors import TargetTrouble
from pipeline.folder import FOLDER_MODE, Descriptor, is_gone
from pipeline.model import Stat
from pipeline.targets import placing
from pipeline.targets.files import Files
from pipeline.targets.marks import Mark, marks
from pipeline.targets.trouble import trouble

_TEMPORARY = re.compile(r"\.pipeline-(.+)-[0-9]+")


class LocalTarget(Files):
    """The files below one folder; a `Target`."""

    def __init__(self, settings: TargetSettings, run_id: str) -> None:
        """`run_id` names the temporary files: never the same twice for one target, without slashes."""
        super().__init__(settings.path, run_id, durable=settings.durability is Durability.SYNC)

    def prepare(self) -> None:
        """Make the folder where its parent is there, and try a file in it. Raises `TargetTrouble`."""
        path = self._root
        try:
            made = self._make_root()
            folders = self._opened()
            if made:
                parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                folders.changed("..", Descriptor(parent))
            placing.try_out(folders.root.number)
        except NotADirectoryError as error:
            raise TargetTrouble(f"the target {path} is not a folder") from error
        except OSError as error:
            raise trouble(path, error) from error

    def check(self) -> None:
        """Raise `TargetTrouble` where the folder is gone: files are written below it all the same, and lost."""
        if is_gone(self._root):
            raise trouble(self._root, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))

    def stat(self, path: str) -> Stat | None:
        """How the file at `path` is; None where there is nothing. A link is looked at itself."""
        return self.stats((path,))[0]

    def stats(self, paths: Sequence[str]) -> list[Stat | None]:
        """`stat` for many, quick where neighbours share a folder. Raises `TargetTrouble` for all but absence."""
        found: list[Stat | None] = []
        last: str | None = None
        opened: Descriptor | None = None
        for path in paths:
            folder, _, name = path.rpartition("/")
            try:
                if folder != last:
                    last, opened = folder, None
                    opened = self._opened().find(folder)
                found.append(None if opened is None else _stat(name, opened))
            except (FileNotFoundError, NotADirectoryError):
                found.append(None)
            except OSError as error:
                judgement = self._judged(folder, error)
                if isinstance(judgement, TargetTrouble):
                    raise judgement from error
                found.append(None)  # such a name cannot be there, and writing it will say why
        return found

    def marks(self, paths: Sequence[str]) -> list[Mark]:
        """The stats of many as plain numbers; see `Target`."""
        return marks(lambda folder: self._opened().find(folder), paths)

    def sweep(self, dead: Collection[str], folders: Iterable[str] | None = None) -> int:
        """Remove temporary files that the runs `dead` left in `folders` (None: anywhere). How many it removed.

        For the holder of the run's lock only, and when the last run did not end by itself. Files of runs that are not
        named, of other configs above all, are left alone. Never raises: what cannot be listed or removed stays.
        """
        removed = 0
        waiting = [""] if folders is None else sorted(set(folders), reverse=True)
        while waiting:
            folder = waiting.pop()
            with contextlib.suppress(OSError):
                opened = self._opened().find(folder)
                with os.scandir(opened.number) as listing:
                    entries = list(listing)
                for entry in entries:
                    mark = _TEMPORARY.fullmatch(entry.name)
                    if mark and mark[1] in dead and entry.is_file(follow_symlinks=False):
                        os.unlink(entry.name, dir_fd=opened.number)
                        removed += 1
                    elif folders is None and entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{folder}/{entry.name}" if folder else entry.name)
        return removed

    def _make_root(self) -> bool:
        """Whether the root had to be made."""
        try:
            os.mkdir(self._root, FOLDER_MODE)
        except FileExistsError:
            return False
        except FileNotFoundError as error:
            raise TargetTrouble(
                f"the folder {self._root.parent} that is to hold the target {self._root.name} does not exist"
                " (is its disk mounted? make it first)"
            ) from error
        return True


def _stat(name: str, opened: Descriptor) -> Stat:
    found = os.stat(name, dir_fd=opened.number, follow_symlinks=False)
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino)
