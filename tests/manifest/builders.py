"""Records and runs for the tests of this room."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.errors import ErrorKind, PictureError
from pipeline.manifest.runs import RunStart
from pipeline.manifest.store import Manifest
from pipeline.model.record import Reason, Record, RenditionRecord, Status, Written
from pipeline.model.source import Header, Stat

OWNER = "/configs/thumbs.yaml"


def opened(folder: Path, **options: bool) -> Manifest:
    return Manifest.open(folder / "manifest.sqlite", owner=OWNER, **options)


def start(run: str = "run-1") -> RunStart:
    return RunStart(run, OWNER, ("pipeline", "run", OWNER), 123, "host", 1_700_000_000.0, {"threads": 2}, "pillow=1")


def rendition(source: str, name: str = "thumb", *, made: bytes = b"made", recipe: str = "r1") -> RenditionRecord:
    target = f"{source}-{name}.jpg"
    written = Written(target, len(made), 17, hashlib.sha256(made).digest())
    return RenditionRecord(name, target, recipe, Status.DONE, Reason.NEW, None, written, "jpeg", 32, 24, 0.1, 0.2, 0.3)


def not_made(source: str, name: str = "thumb", *, kind: ErrorKind = ErrorKind.TRUNCATED) -> RenditionRecord:
    error = PictureError(kind, "3 bytes short")
    return RenditionRecord(name, f"{source}-{name}.jpg", "r1", Status.FAILED, Reason.NEW, error)


def record(source: str, *renditions: RenditionRecord, content: bytes = b"content", mtime: int = 5) -> Record:
    """A picture that was read; by default with one rendition that was made."""
    made = renditions or (rendition(source),)
    failed = any(rendition_record.error for rendition_record in made)
    return Record(
        source,
        Stat(len(content), mtime, mtime + 1, 7, 8),
        Status.FAILED if failed else Status.DONE,
        made,
        None,
        hashlib.sha256(content).digest(),
        header=Header("jpeg", 320, 240, 1, "RGB", 1000),
        libraries="pillow=1",
    )
