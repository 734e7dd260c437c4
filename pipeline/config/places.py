"""Where the files and folders of a config may be: checked before anything is made, from paths and stats alone."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.config.node import Node, Problem, key_path
from pipeline.config.settings import Config, StoreSettings, manifest_in


def folder_problems(root: Node, source_paths: Iterable[str], target_path: str, folder: str) -> list[Problem]:
    """A target that would overwrite its source or be read as one. Links are resolved; neither folder need exist."""
    target = os.path.realpath(os.path.join(folder, target_path))
    node, path = root.deepest(("target", "path"))
    for source in (os.path.realpath(os.path.join(folder, written)) for written in source_paths):
        if source == target:
            text = "must be another folder than source: originals are never written over"
        elif os.path.commonpath([source, target]) == target:
            text = "must not hold the source folder; a folder inside or beside source is fine"
        else:
            continue
        return [Problem(node.position, key_path(path), text)]
    return []


def store_problems(root: Node, sources: Iterable[StoreSettings], target: StoreSettings) -> list[Problem]:
    """A target in a store that would overwrite a source or be read as one, or that has no place for its manifest."""
    node, path = root.deepest(("target", "url"))
    problems = []
    if root.child("manifest") is None:
        text = "needs a manifest on a disk of this machine, such as manifest: thumbs.sqlite"
        problems.append(Problem(node.position, key_path(path), text))
    if root.child("report") is not None:
        report, written = root.deepest(("report",))
        text = "needs a target that is a folder, because it shows files of it"
        problems.append(Problem(report.position, key_path(written), text))
    if any(target.name_of(source) is not None for source in sources):
        text = "must not be or hold the source; a prefix inside or beside it is fine"
        problems.append(Problem(node.position, key_path(path), text))
    return problems


def source_problems(root: Node, sources: Sequence[tuple[str | None, str] | None], folder: str) -> list[Problem]:
    """Prefixes that are there twice, and folders that overlap. `sources`: path (None for
    a store) and prefix of each that is valid.

    Prefixes differ only if they do where capitals and the form of accents do not count, as targets must.
    """
    problems = []
    prefixes: dict[str, int] = {}
    paths: dict[str, int] = {}
    for number, source in enumerate(sources):
        if source is None:
            continue
        written, prefix = source
        first = prefixes.setdefault(unicodedata.normalize("NFC", prefix).casefold(), number)
        if first != number:
            text = f"must be another than that of {key_path(('sources', first))}; capitals do not count"
            problems.append(_in_source(root, number, "prefix", text))
        if written is None:
            continue
        path = os.path.realpath(os.path.join(folder, written))
        for other, at in paths.items():
            if os.path.commonpath([path, other]) in (path, other):
                twin = key_path(("sources", at))
                text = f"must not overlap with that of {twin}, because pictures in both would come twice"
                problems.append(_in_source(root, number, "path", text))
                break
        paths[path] = number
    return problems


def _in_source(root: Node, number: int, key: str, text: str) -> Problem:
    node, path = root.deepest(("sources", number, key))
    return Problem(node.position, key_path(path), text)


def manifest_problems(root: Node, config: Config) -> list[Problem]:
    """Why `manifest` and `lock` cannot be where the config puts them."""
    problems = []
    for key, path in (("manifest", config.manifest), ("lock", config.lock)):
        node, written = root.deepest((key,))
        if path is not None and written and (text := _obstacle(path, config)):
            problems.append(Problem(node.position, key, text))
    if config.lock is not None and os.path.realpath(config.lock) == os.path.realpath(config.manifest):
        node, _ = root.deepest(("lock",))
        problems.append(Problem(node.position, "lock", "must be a file of its own, and this is the manifest"))
    return problems


def _obstacle(path: Path, config: Config) -> str:
    """Why no file of ours can be at `path`; "" where one can."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = None  # nothing there, or not readable now: the run reports what it meets
    if mode is not None and stat.S_ISDIR(mode):
        return "must be a file, and this is a folder; name a file in it, such as manifest.sqlite"
    if mode is not None and not stat.S_ISREG(mode):
        return "must be a regular file, and this is none"
    real = os.path.realpath(path)
    if real in set(map(os.path.realpath, (config.path, *_local(config)))):
        return "must be a file of its own"
    if real.startswith(("/dev/", "/proc/", "/sys/")):
        return "must be on a disk: what is there is gone after a restart"
    return _in_a_target(real, config)


def _local(config: Config) -> list[Path]:
    """Those of the sources that are on a disk."""
    return [source.path for source in config.sources if source.path is not None]


def _in_a_target(real: str, config: Config) -> str:
    """Why `real` may not be in the target of another config; "" where it is in none, or this config is in it, too."""
    homes = {*map(os.path.realpath, config.target.folders), *map(str, config.path.resolve().parents)}
    for folder in map(str, Path(real).parents):
        if folder in homes:
            return ""
        if os.path.lexists(manifest_in(folder)):
            return f"must not be inside {folder}, which is the target of another config"
    return ""


def written_problems(root: Node, config: Config) -> list[Problem]:
    """Files whose place would do harm, because a run writes them at its end."""
    files = {
        ("notify", "metrics"): config.notify.metrics,
        ("notify", "status_file"): config.notify.status_file,
        ("report",): config.report,
    }
    targets = list(map(os.path.realpath, config.target.folders))
    places = (config.path, config.manifest, config.lock or config.manifest, *_local(config))
    taken = {os.path.realpath(path) for path in places}
    problems = []
    for key, path in files.items():
        if path is None:
            continue
        real = os.path.realpath(path)
        node, _ = root.deepest(key)
        if real in taken:
            problems.append(Problem(node.position, key_path(key), "must be a file of its own"))
        elif any(os.path.commonpath([real, target]) == target for target in targets):
            text = "must not be in the target folder, which holds what is made of pictures only"
            problems.append(Problem(node.position, key_path(key), text))
        taken.add(real)
    return problems


_PUBLISHED = frozenset(
    {"static", "public", "public_html", "www", "wwwroot", "webroot", "htdocs", "httpdocs", "html", "_site", "dist"}
)
_FIRST_PAGES = ("index.html", "index.htm", "index.php")


def web_root(folder: Path) -> Path | None:
    """The nearest of `folder` and its parents that looks published as it is; None where none does.

    Either it has a name that site generators and web servers use for published files, or there is a first page in it.
    Where `folder` is reached by links, the path without them is looked at, too. It is absolute, and need not exist.
    """
    real = Path(os.path.realpath(folder))
    for place in (folder, *folder.parents, *((real, *real.parents) if real != folder else ())):
        if place.name.lower() in _PUBLISHED or any(os.path.isfile(place / page) for page in _FIRST_PAGES):
            return place
    return None


def inside(folder: Path, path: Path) -> bool:
    """Whether `path` is in `folder` or is `folder` itself, wherever links lead."""
    real = os.path.realpath(folder)
    return os.path.commonpath([os.path.realpath(path), real]) == real
