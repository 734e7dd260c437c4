"""Renders the sample by one recipe: a run like any other, with its children, limits and confinement, into a scratch
folder with a manifest of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.config.settings import (
    Config,
    Durability,
    FailureSettings,
    NotifySettings,
    OnCollision,
    Order,
    SourceSettings,
    TargetSettings,
    manifest_in,
)
from pipeline.errors import SIGNALS, ExitStatus, SourceTrouble
from pipeline.manifest.reader import Reader
from pipeline.manifest.shown import renditions, timed
from pipeline.manifest.store import Manifest
from pipeline.run.options import Progress, RunOptions
from pipeline.run.run import run
from pipeline.run.stop import Stop


@dataclass(frozen=True, slots=True)
class Made:
    """One rendition of one picture by one recipe. Without a file it failed, for the reason `error`."""

    format: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    seconds_decode: float = 0.0  # once for all renditions of the picture
    seconds: float = 0.0  # resizing and encoding
    file: Path | None = None
    score: float | None = None  # SSIMULACRA 2 against the reference; None: there is none
    error: str = ""


Results = dict[tuple[str, str], Made]
"""By source and rendition."""


def in_scratch(config: Config, folder: Path) -> Config:
    """`config` with nothing left of its target, manifest, locks and notices: a run of it touches `folder` only."""
    return replace(
        config,
        sources=tuple(
            replace(
                source,
                exclude=(
                    *source.exclude,
                    *_targets_in(source, config.target.folders),
                ),
            )
            for source in config.sources
        ),
        target=TargetSettings(folder, "{dir}/{name}-{rendition}.{ext}", OnCollision.KEEP_EXTENSION, Durability.NONE),
        manifest=Path(manifest_in(str(folder))),
        lock=None,
        shared=False,
        notify=NotifySettings(),
        order=Order.PATH,
        placeholder=False,
        failures=FailureSettings(),
        max_runtime=None,
        until=None,
        report=None,
    )


def _targets_in(source: SourceSettings, targets: Sequence[Path]) -> Iterator[str]:
    """The patterns that leave the config's own target out, where that is in its source."""
    for target in targets:
        with suppress(ValueError):
            yield literal(f"{target.resolve().relative_to(source.local.resolve())}") + "/"


def literal(path: str) -> str:
    """The glob that matches this very path. Backslashes, also before letters: extensions match in any case else."""
    return "/" + "".join(char if char == "/" else f"\\{char}" for char in path)


def rendered(
    config: Config, sources: Sequence[str], stop: Stop, watch: Callable[[int], None]
) -> tuple[Results, tuple[str, ...]]:
    """Render `sources` by `config`, which `in_scratch` has made. Also gives the warnings of the run.

    `watch` is called with the number of pictures done. Raises `Stopped` and what a run raises.
    """
    only = replace(config, sources=tuple(_only(config, sources)))

    def watching(progress: Progress) -> None:
        watch(progress.pictures_done)

    options = RunOptions(signals=False, cancelled=lambda: stop.status is not None)
    summary = run(only, options, watching)
    if summary.status in SIGNALS:
        stop.check()
    if summary.status == ExitStatus.UNFINISHED:
        raise SourceTrouble(summary.stopped or "the pictures of the sample could not be rendered")
    with Manifest.reader(only) as reader:
        return _results(reader, config.target.folder), summary.warnings


def _only(config: Config, sources: Sequence[str]) -> Iterator[SourceSettings]:
    """The sources of `config` with those pictures only; one that has none of them is left out."""
    for source in config.sources:
        inside = [
            literal(name.removeprefix(f"{source.prefix}/")) for name in sources if config.source_of(name) is source
        ]
        if inside:
            yield replace(source, include=tuple(inside), settle=0.0)


def _results(reader: Reader, folder: Path) -> Results:
    seconds = {
        (rendition.source, rendition.rendition): (rendition.decode, rendition.own) for rendition in timed(reader)
    }
    results: Results = {}
    for row in renditions(reader):
        if row.rendition is None:
            continue
        key = row.source, row.rendition
        error, detail = row.error or row.source_error, row.detail if row.error else row.source_detail
        if error or not row.target or row.bytes is None:
            results[key] = Made(error=f"{error}: {detail}" if detail else error or row.status or row.source_status)
            continue
        results[key] = Made(
            row.format or "",
            row.width or 0,
            row.height or 0,
            row.bytes,
            *seconds.get(key, (0.0, 0.0)),
            file=folder / row.target,
        )
    return results
