"""What is said of patterns that leave nothing of a source: a run that does nothing would else look like a success."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.config.settings import SourceSettings
from pipeline.errors import printable
from pipeline.sources.source import Folder


def nothing_chosen(settings: SourceSettings, folders: Iterable[Folder]) -> str:
    """One line where files were seen and the config's patterns left none of them; "" otherwise."""
    seen = list(folders)
    passed = [folder for folder in seen if folder.unmatched]
    if not passed or any(folder.count for folder in seen):
        return ""
    keys = [key for key in ("include", "exclude") if getattr(settings, key)]
    by = " and ".join(f"source.{key}" for key in keys) or "what .pipelineignore says"
    count = sum(folder.unmatched for folder in passed)
    return _none(settings, f"passes {by}", count, passed[0].source(passed[0].example))


def nothing_asked(settings: SourceSettings, only: Sequence[str], folders: Iterable[Folder]) -> str:
    """One line for a command line whose patterns `only` match nothing of what is there."""
    filled = [folder for folder in folders if folder.count]
    if not filled:
        return ""
    by = " ".join(f"'{printable(pattern)}'" for pattern in only)
    count = sum(folder.count for folder in filled)
    return _none(settings, f"matches --only {by}", count, filled[0].source(filled[0].names()[0]))


def _none(settings: SourceSettings, does: str, count: int, example: str) -> str:
    there = f"there are {count:,}, such as" if count > 1 else "there is"
    return f"none of the files in {printable(str(settings.path))} {does}; {there} '{printable(example)}'"
