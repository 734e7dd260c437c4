"""Failures that are not tried again, and the key that a failure depends on beside its picture and its recipe.

All of it is computed from what is remembered, without importing what decodes and encodes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence

from pipeline import __version__
from pipeline.manifest.failures import KnownFailure
from pipeline.model.record import KnownSource, Reason, Record, Status
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.plan.reasons import reason
from pipeline.render.version import VERSION


def without_known_failures(
    why: Sequence[Reason],
    known: KnownSource,
    stat: Stat,
    wanted: Sequence[tuple[str, str, str]],
    files: Sequence[Stat | None],
    failures: Mapping[str, KnownFailure],
    key: str,
) -> list[Reason]:
    """`why`, with `retry` replaced by `known failure` where the same attempt would fail again.

    `wanted` and `files` are those of `reasons`. Where the stat has changed, or was taken too early to be trusted, the
    reason becomes `source changed` instead: the run compares the content.
    """
    trusted = known.settled and known.stat.same_content(stat)
    source = failures.get("")
    judged: list[Reason] = []
    for each, (name, target, recipe), file in zip(why, wanted, files, strict=True):
        failure = failures.get(name)
        if each is not Reason.RETRY:
            judged.append(each)
        elif failure is not None and failure.stands(recipe, key):
            judged.append(Reason.KNOWN_FAILURE if trusted else Reason.SOURCE_CHANGED)
        elif failure is None and source is not None and source.stands("", key):
            # The source failed when another rendition was due; this one may still be there from an earlier run.
            own = reason(known.renditions.get(name), target, recipe, file)
            judged.append(Reason.SOURCE_CHANGED if own is Reason.UNCHANGED and not trusted else own)
        else:
            judged.append(each)
    return judged


def known_failure(source: str, stat: Stat, failures: Mapping[str, KnownFailure]) -> Record:
    """The record of a source that failed in an earlier run and is not tried again."""
    first = min(failures.values(), key=lambda failure: failure.rendition)  # "", the source itself, sorts first
    return Record(source, stat, Status.KNOWN_FAILURE, error=first.error)


_PACKAGES = ("pillow", "pillow-heif", "pillow-jxl-plugin", "pyvips", "pyvips-binary")


def failure_key(limits: Limits) -> str:
    """32 hex digits of the limits and of the versions that are installed now.

    The versions that the last run recorded would not do: where nothing is tried again, a new one would go unnoticed.
    Looking up installed versions takes 50 ms the first time, so the plan calls this only when it meets a failure. A
    library that Pillow finds on the system instead of in its wheel can change unnoticed; `failures retry` covers that.
    """
    import importlib.metadata  # noqa: PLC0415 - 20 ms, and most runs fail at nothing

    versions = {"pipeline": __version__, "pixels": str(VERSION)}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    said = dataclasses.asdict(limits)
    if not limits.truncated:
        del said["truncated"]  # so the keys of older failures stay as they are
    text = json.dumps([said, versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
