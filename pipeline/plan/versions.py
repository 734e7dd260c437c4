"""What a failure depends on beside its picture and its recipe, told without importing what decodes and encodes."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from pipeline import __version__
from pipeline.model.spec import Limits
from pipeline.render.version import VERSION

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
