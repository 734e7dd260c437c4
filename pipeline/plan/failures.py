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
    found: Sequence[Stat | None],
    failures: Mapping[str, KnownFailure],
    key: str,
) -> list[Reason]:
    """`why`, where `retry` became `known failure` for what has failed and would again. `wanted` and `found` as for
    `reasons`.

    With a stat that has changed, or was taken too early to be trusted, it becomes `source changed`: the content tells.
    """
    trusted = known.settled and known.stat.same_content(stat)
    source = failures.get("")
    judged: list[Reason] = []
    for one, (name, target, recipe), there in zip(why, wanted, found, strict=True):
        failure = failures.get(name)
        if one is not Reason.RETRY:
            judged.append(one)
        elif failure is not None and failure.stands(recipe, key):
            judged.append(Reason.KNOWN_FAILURE if trusted else Reason.SOURCE_CHANGED)
        elif failure is None and source is not None and source.stands("", key):
            # The source failed when another rendition was due; of this one, what was made of it before is still there.
            own = reason(known.renditions.get(name), target, recipe, there)
            judged.append(Reason.SOURCE_CHANGED if own is Reason.UNCHANGED and not trusted else own)
        else:
            judged.append(one)
    return judged


def known_failure(source: str, stat: Stat, failures: Mapping[str, KnownFailure]) -> Record:
    """What is said of such a source."""
    first = min(failures.values(), key=lambda failure: failure.rendition)  # that of the source itself, if it has one
    return Record(source, stat, Status.KNOWN_FAILURE, error=first.error)


_PACKAGES = ("pillow", "pillow-heif", "pyvips", "pyvips-binary")


def failure_key(limits: Limits) -> str:
    """32 hex digits of the limits and of the versions that are installed now.

    What the last run recorded would not do: where nothing is tried again, a new version would never be seen. Asking for
    installed versions takes 50 ms the first time, so only those ask who have a failure at hand. Libraries that Pillow
    finds on the system instead of in its wheel may change unseen; `failures retry` is for them.
    """
    import importlib.metadata  # noqa: PLC0415 - 20 ms, and most runs fail at nothing

    versions = {"pipeline": __version__, "pixels": str(VERSION)}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    text = json.dumps([dataclasses.asdict(limits), versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
