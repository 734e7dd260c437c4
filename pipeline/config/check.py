"""A tree of nodes -> the frozen `Config`, or everything that is wrong with it.

This module imports pydantic, and so takes a tenth of a second to import; `load` does that when it needs it.
"""

from __future__ import annotations

import importlib.util
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from pipeline import extras
from pipeline.config.families import Member, expanded, in_the_file
from pipeline.config.messages import complaint
from pipeline.config.node import KeyPath, Node, Problem, key_path
from pipeline.config.notify import Notify
from pipeline.config.places import folder_problems, manifest_problems, written_problems
from pipeline.config.rendition import Rendition
from pipeline.config.running import Failures
from pipeline.config.schema import Document, Source, Target
from pipeline.config.section import Section
from pipeline.config.settings import (
    CommandSettings,
    Config,
    FailureSettings,
    NotifySettings,
    SourceSettings,
    TargetSettings,
    WorkerSettings,
    manifest_in,
)
from pipeline.config.spans import time_of_day
from pipeline.config.template import Template
from pipeline.model.shape import Resampler
from pipeline.model.spec import Limits, Spec

OPTIMIZER = "mozjpeg_lossless_optimization"

_SectionT = TypeVar("_SectionT", bound=Section)


@dataclass(slots=True)
class _Parts:
    """What could be read, even where other parts of the file are wrong: so that every error is found at once."""

    source: Source | None = None
    target: Target | None = None
    specs: dict[str, Spec] = field(default_factory=dict)


def check(root: Node, file: Path) -> tuple[Config | None, list[Problem]]:
    """The config that `root` describes, with paths relative to the folder of `file`; None if there is any problem."""
    folder = os.path.dirname(os.path.abspath(file))
    root, members, problems = expanded(root)
    plain = root.plain()
    document: Document | None = None
    try:
        document = Document.model_validate(plain, context={"folder": folder})
    except ValidationError as error:
        problems += [complaint(dict(detail), root, Document) for detail in error.errors(include_url=False)]
    parts = _parts(plain, members, folder)
    problems += _name_problems(root, parts)
    if parts.source is not None and parts.target is not None:
        problems += folder_problems(root, parts.source.path, parts.target.path, folder)
    problems += _extra_problems(root, parts)
    if document is None or problems:
        return None, [in_the_file(problem, members) for problem in problems]
    config = _config(document, tuple(parts.specs.values()), file, folder)
    problems = manifest_problems(root, config) + written_problems(root, config)
    return (None, problems) if problems else (config, [])


def _parts(plain: object, members: Mapping[str, Member], folder: str) -> _Parts:
    if not isinstance(plain, Mapping):
        return _Parts()
    named = plain.get("renditions")
    read = {name: _read(Rendition, raw, folder) for name, raw in named.items()} if isinstance(named, Mapping) else {}
    family = {name: member.family for name, member in members.items()}
    common = {"resampler": Resampler(plain["resampler"])} if plain.get("resampler") in tuple(Resampler) else {}
    specs = {
        name: Spec(**{"name": name, "family": family.get(name)} | one.values(common))
        for name, one in read.items()
        if one is not None
    }
    return _Parts(_read(Source, plain.get("source"), folder), _read(Target, plain.get("target"), folder), specs)


def _read(model: type[_SectionT], raw: object, folder: str) -> _SectionT | None:
    try:
        return model.model_validate(raw, context={"folder": folder})
    except ValidationError:
        return None


def _name_problems(root: Node, parts: _Parts) -> list[Problem]:
    """Renditions whose targets cannot be named, or would be named like another's whatever the source."""
    if parts.target is None:
        return []
    template = Template.parse(parts.target.name)
    problems = []
    first: dict[str, str] = {}
    for name, spec in parts.specs.items():
        lacking = template.lacks(spec)
        if lacking:
            text = f"has no {lacking}, but target.name uses {{{lacking}}}; set it, or leave it out of target.name"
            problems.append(_at_key(root, ("renditions", name), text))
            continue
        made = unicodedata.normalize("NFC", template.target("folder/picture.source", spec)).casefold()
        twin = first.setdefault(made, name)
        if twin != name:
            field = "ext" if spec.label == parts.specs[twin].label else "rendition"
            text = f'would make the same files as "{twin}"; put {{{field}}} into target.name'
            if twin.casefold() == name.casefold():
                text = f'would make the same files as "{twin}" where capitals do not count; choose another name'
            problems.append(_at_key(root, ("renditions", name), text))
    return problems


def _extra_problems(root: Node, parts: _Parts) -> list[Problem]:
    """What asks for a library that is not installed."""
    if importlib.util.find_spec(OPTIMIZER) is not None:
        return []
    text = extras.missing("optimize")
    asking = [("renditions", name, "optimize") for name, spec in parts.specs.items() if spec.optimize]
    return [Problem(root.deepest(path)[0].position, key_path(path), text) for path in asking]


def _at_key(root: Node, path: KeyPath, text: str) -> Problem:
    parent, above = root.deepest(path[:-1])
    node, _ = root.deepest(path)
    position = parent.keys.get(str(path[-1]), node.position) if above == path[:-1] else node.position
    return Problem(position, key_path(path), text)


def _config(document: Document, specs: tuple[Spec, ...], file: Path, folder: str) -> Config:
    source, target = document.source, document.target
    target_path = _absolute(folder, target.path)
    return Config(
        path=Path(os.path.abspath(file)),
        source=SourceSettings(
            path=_absolute(folder, source.path),
            include=tuple(source.include),
            exclude=tuple(source.exclude),
            follow_symlinks=source.follow_symlinks,
            settle=source.settle,
        ),
        target=TargetSettings(
            path=target_path,
            name=target.name,
            on_collision=target.on_collision,
            durability=target.durability,
        ),
        specs=specs,
        workers=WorkerSettings(**document.workers.model_dump()),
        limits=Limits(**document.limits.model_dump()),
        order=document.order,
        placeholder=document.placeholder or any(spec.family for spec in specs),
        manifest=_absolute(folder, document.manifest or manifest_in(str(target_path))),
        lock=_absolute(folder, document.lock) if document.lock else None,
        shared=document.shared,
        notify=_notify(document.notify, folder),
        failures=_failures(document.failures),
        max_runtime=document.max_runtime,
        until=time_of_day(document.until) if document.until else None,
        report=_absolute(folder, document.report) if document.report else None,
    )


def _failures(failures: Failures) -> FailureSettings:
    most = failures.stop_after
    return FailureSettings(most_share=most) if isinstance(most, float) else FailureSettings(most)


def _notify(notify: Notify, folder: str) -> NotifySettings:
    command = notify.command
    return NotifySettings(
        ping=notify.ping.url_env if notify.ping else None,
        command=CommandSettings(tuple(command.run), command.on, command.timeout) if command else None,
        metrics=_absolute(folder, notify.metrics) if notify.metrics else None,
        status_file=_absolute(folder, notify.status_file) if notify.status_file else None,
    )


def _absolute(folder: str, path: str) -> Path:
    """`path` from `folder`, without `..` where dropping them means the same (it does not behind a link)."""
    whole = os.path.join(folder, path)
    short = os.path.normpath(whole)
    return Path(short if os.path.realpath(short) == os.path.realpath(whole) else whole)
