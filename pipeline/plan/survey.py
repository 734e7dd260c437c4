"""The first pass: all names, before any file is opened or its stat is taken.

Where the patterns of a config leave nothing of a source, a warning says so: a run that does nothing would otherwise
look like a success.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.config.settings import RuleSettings, SourceSettings, StoreSettings
from pipeline.errors import PictureError, printable
from pipeline.model.only import Only
from pipeline.plan.counts import Counts
from pipeline.plan.memory import Memory
from pipeline.plan.naming import Makers, NameIndex, Naming, collisions, makers
from pipeline.plan.without_work import filtered, still_unsupported
from pipeline.sources.magic import RARE_EXTENSIONS, extension, has_picture_name, not_decoded
from pipeline.sources.source import Folder, Source

_CHUNK = 1000  # names whose targets are computed at once


def is_below(folder: str, prefix: str) -> bool:
    """Whether the folder is of the source with this prefix; "" is that of the only source."""
    return not prefix or folder == prefix or folder.startswith(f"{prefix}/")


def holds_nothing(folders: Iterable[Folder]) -> bool:
    """Whether all of these could be listed and hold no file."""
    return not any(folder.error or folder.count > len(folder.skipped) for folder in folders)


class Survey:
    """Every folder of the source with its names, and the sources whose targets collide.

    Takes the memory of the names and 8 bytes for each target: less than 60 bytes for a usual name and one rendition.
    """

    def __init__(
        self,
        source: Source,
        apart: Sequence[Path | StoreSettings],
        memory: Memory,
        naming: Naming,
        counts: Counts,
        on_tick: Callable[[], None] = lambda: None,
        only: Callable[[str], Only | None] = lambda source: None,
    ) -> None:
        """List everything outside of `apart`, counting in `counts`. Raises as `Source.folders` and `on_tick` do."""
        self._source = source
        self._memory = memory
        self._naming = naming
        self._only = only  # which pictures the source of this one takes
        self.folders: dict[str, Folder] = {}
        self.index = NameIndex()
        self.rules: set[int] = set()  # the numbers of those that some file comes under
        for folder in source.folders(apart):
            on_tick()
            self.folders[folder.path] = folder
            counts.entries += folder.entries
            counts.sources += folder.count
            for names in _files(folder):
                for wanted, of_set in naming.rules.split(folder.path, names):
                    self.rules.add(wanted.rule)
                    for targets in naming.columns(folder.path, of_set, wanted.specs):
                        self.index.add(targets)

    def of(self, prefix: str) -> list[Folder]:
        """The folders of the source with this prefix; all, if there is only one source."""
        return [folder for path, folder in self.folders.items() if is_below(path, prefix)]

    def unlistable(self) -> tuple[str, ...]:
        """The folders that could not be listed, each with a slash at its end."""
        return tuple(f"{path}/" for path, folder in self.folders.items() if folder.error)

    def left_out(self) -> dict[str, str]:
        """The folders of which nothing is an input: the reason by path."""
        reasons = {path: folder.left_out for path, folder in self.folders.items() if folder.left_out}
        return dict(sorted(reasons.items()))

    def collisions(self) -> dict[str, PictureError]:
        """The error of every source that shares a target. Where none does, as nearly always, no source is read."""
        repeated = self.index.repeated()
        return collisions(self.makers(repeated), self._naming) if repeated else {}

    def makers(self, hashes: Collection[int]) -> Makers:
        """The pictures whose targets have these hashes. Goes through all names once more."""
        return makers(self._all_sources(), self._naming, hashes, self._may_be_rendered)

    def _all_sources(self) -> Iterator[str]:
        for path in sorted(self.folders, key=os.fsencode):
            for names in _files(self.folders[path]):
                yield from self.folders[path].sources(names)

    def _may_be_rendered(self, source: str) -> bool:
        """Whether it is a picture in a format that this installation decodes: others make no target."""
        if not self.is_picture(source):
            return False
        return extension(source) not in RARE_EXTENSIONS or self._source.sniff(source) not in not_decoded()

    def is_picture(self, source: str) -> bool:
        """Told by its name, by its record, or else by its first bytes. A picture that its sidecar excludes is none, and
        neither is one that `only` leaves out.
        """
        folder, _, name = source.rpartition("/")
        sidecars = self.folders[folder].sidecars
        if name in sidecars and self._source.skips(source):
            return False
        only = self._only(source)
        if has_picture_name(source) and only is None:
            return True
        known = self._memory.known_sources(folder, name[:-1] or None, name).get(source)
        if known is not None:
            stat = self._source.stats(folder, (name,), sidecars)[0]
            if stat is not None and (still_unsupported(known, stat, only) or filtered(known, stat, only)):
                return False
        if has_picture_name(source):
            return True
        return self._source.sniff(source) is not None


def _files(folder: Folder) -> Iterator[list[str]]:
    """The names of a folder's regular files, in chunks."""
    for names in folder.chunks(_CHUNK):
        yield [name for name in names if name not in folder.skipped] if folder.skipped else names


def nothing_chosen(settings: SourceSettings, folders: Iterable[Folder]) -> str:
    """One line where files were seen and the config's patterns left none of them; "" otherwise."""
    seen = list(folders)
    passed = [folder for folder in seen if folder.unmatched]
    if not passed or any(folder.count for folder in seen):
        return ""
    keys = [key for key in ("include", "exclude") if getattr(settings, key)]
    of = f" of the source {printable(settings.prefix)}" if settings.prefix else ""
    by = " and ".join(f"{key}{of}" if of else f"source.{key}" for key in keys) or "what .pipelineignore says"
    count = sum(folder.unmatched for folder in passed)
    return _none(settings.place, f"passes {by}", count, passed[0].source(passed[0].example))


def nothing_asked(paths: str, only: Sequence[str], folders: Iterable[Folder]) -> str:
    """One line for a command line whose patterns `only` match nothing of what is there."""
    filled = [folder for folder in folders if folder.count]
    if not filled:
        return ""
    by = " ".join(f"'{printable(pattern)}'" for pattern in only)
    count = sum(folder.count for folder in filled)
    return _none(paths, f"matches --only {by}", count, filled[0].source(filled[0].names()[0]))


def idle_rules(rules: Sequence[RuleSettings], used: Collection[int]) -> list[str]:
    """One line for each of `rules` whose number is not in `used`."""
    return [
        f"rule {number} ({printable(', '.join(rule.match))}) changes nothing: no file matches, or an earlier "
        "rule has them all"
        for number, rule in enumerate(rules, start=1)
        if number not in used
    ]


def _none(paths: str, does: str, count: int, example: str) -> str:
    there = f"there are {count:,}, such as" if count > 1 else "there is"
    return f"none of the files in {printable(paths)} {does}; {there} '{printable(example)}'"
