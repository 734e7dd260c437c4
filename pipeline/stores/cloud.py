"""Amazon's, Google's and Microsoft's object storage and what speaks like them, through obstore.

obstore's calls wait in Rust, without Python's lock. It connects, retries and signs; the time-outs are set here, because
its own limits a whole request, however large the object is. Measured against a server on loopback: see docs/cloud.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from pipeline.config.settings import StoreSettings
from pipeline.folder import CHUNK
from pipeline.stores.aws_files import from_files
from pipeline.stores.failures import failure_of
from pipeline.stores.store import Body, Entry, Fault, StoreFailure, counted, version_of

_AT_ONCE = 1000  # entries of a listing, as the services send them
_WHOLE = timedelta(hours=6)  # for one request: `silence` ends one in which nothing happens
_BACKOFF = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=10), "base": 2}
_LARGE = 2**20  # bytes of a put that may take long
_PUT = 600.0  # seconds for one, or for a part of one: reqwest counts as silence what is spent on sending
_PART = 2**23  # bytes
_PARTS = 4  # at the same time
_MOST_TRIES = 1000  # the time ends them


class CloudStore:
    """A bucket, or a prefix in one; a `Store`."""

    def __init__(self, settings: StoreSettings) -> None:
        """Nothing is asked yet. Raises `StoreFailure` where the environment's options are no such."""
        self._scheme = settings.scheme
        self._settings = settings
        self._patient: S3Store | GCSStore | AzureStore | None = None  # made for the first large put: 7 ms of CPU
        try:
            with self._failures():
                self._store = _opened(settings)
        except StoreFailure as failure:
            if failure.fault is Fault.UNREACHABLE:  # nothing was asked
                raise StoreFailure(Fault.NO_STORE, "cannot be used as the config and the environment say") from None
            raise

    def entries(self) -> Iterator[Sequence[Entry]]:
        """See `Store`."""
        with self._failures():
            for metas in obstore.list(self._store, chunk_size=_AT_ONCE):
                yield [_entry(meta) for meta in metas]

    def entries_in(self, folder: str) -> tuple[list[Entry], list[str]]:
        """See `Store`."""
        with self._failures():
            listed = obstore.list_with_delimiter(self._store, folder or None)
        entries = [_entry(meta) for meta in listed["objects"]]
        return [entry for entry in entries if entry.name != folder], list(listed["common_prefixes"])

    def look(self, name: str) -> Entry | None:
        """See `Store`."""
        try:
            with self._failures():
                return _entry(obstore.head(self._store, name))
        except StoreFailure as failure:
            if failure.fault is Fault.MISSING:
                return None
            raise

    def get(self, name: str) -> Body:
        """See `Store`. Always a stream: what is asked for in one piece comes as large as the server likes."""
        with self._failures():
            result = obstore.get(self._store, name)
        return counted(_entry(result.meta), self._pieces(result))

    def put(
        self,
        name: str,
        content: memoryview,
        headers: Mapping[str, str],
        *,
        replace: bool = True,
        over: Entry | None = None,
        before_rename: Callable[[], None] = lambda: None,
    ) -> Entry:
        """See `Store`. What is large and has no condition goes in parts."""
        del before_rename  # there is none
        mode: Any = "overwrite" if replace else "create"
        if over is not None:
            mode = _named(e_tag=over.etag, version=over.generation)
        with self._failures():
            result = obstore.put(
                self._store if len(content) < _LARGE else self._for_large(),
                name,
                content,
                attributes=dict(headers),
                mode=mode,
                chunk_size=_PART,
                max_concurrency=_PARTS,
            )
        etag = result["e_tag"]
        in_parts = mode == "overwrite" and len(content) > _PART  # some servers give the whole another ETag later
        if (etag is None or in_parts) and (there := self.look(name)) is not None:
            return there
        return Entry(name, len(content), version_of(etag, 0.0), 0.0, etag, result["version"])

    def remove(self, name: str) -> None:
        """See `Store`."""
        try:
            with self._failures():
                obstore.delete(self._store, name)
        except StoreFailure as failure:
            if failure.fault is not Fault.MISSING:
                raise

    def _for_large(self) -> S3Store | GCSStore | AzureStore:
        if self._patient is None:  # two threads may make one each
            self._patient = _opened(replace(self._settings, silence=max(self._settings.silence, _PUT)))
        return self._patient

    def _pieces(self, result: obstore.GetResult) -> Iterator[bytes | memoryview]:
        with self._failures():
            yield from result.stream(min_chunk_size=CHUNK)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, ValueError, FileNotFoundError) as error:
            raise failure_of(error, self._scheme) from None  # its text may hold what is secret


def _entry(meta: obstore.ObjectMeta) -> Entry:
    modified: datetime = meta["last_modified"]
    seconds = modified.timestamp()
    return Entry(
        meta["path"], meta["size"], version_of(meta["e_tag"], seconds), seconds, meta["e_tag"], meta["version"]
    )


def _opened(settings: StoreSettings) -> S3Store | GCSStore | AzureStore:
    bucket, _, prefix = settings.url.partition("://")[2].partition("/")
    endpoint = settings.endpoint or _endpoint_of_environment(settings.scheme)
    client: Any = {
        "connect_timeout": timedelta(seconds=settings.connect),
        "read_timeout": timedelta(seconds=settings.silence),
        "timeout": _WHOLE,
        "allow_http": endpoint.startswith("http://"),
    }
    common: Any = {
        "prefix": prefix or None,
        "client_options": client,
        "retry_config": {
            "backoff": _BACKOFF,
            "max_retries": _MOST_TRIES,
            "retry_timeout": timedelta(seconds=settings.retry),
        },
    }
    chosen: Any = {}
    if settings.anonymous:
        chosen["skip_signature"] = True
    match settings.scheme:
        case "s3":
            chosen |= {} if settings.anonymous else from_files()
            chosen["disable_bulk_delete"] = True  # which not every server knows
            chosen |= _named(endpoint=settings.endpoint, region=settings.region)
            return S3Store(bucket, **common, config=chosen)
        case "gs":
            chosen |= _named(base_url=settings.endpoint)
            return GCSStore(bucket, **common, config=chosen)
        case _:
            chosen |= _named(endpoint=settings.endpoint, account_name=settings.account)
            return AzureStore(bucket, **common, config=chosen)


def _named(**options: str | None) -> dict[str, str]:
    return {name: text for name, text in options.items() if text is not None}


def _endpoint_of_environment(scheme: str) -> str:
    names = {"s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"), "az": ("AZURE_STORAGE_ENDPOINT",)}
    return next((os.environ[name] for name in names.get(scheme, ()) if os.environ.get(name)), "")
