"""The `Source` of a config: one folder, or several whose pictures have a prefix each."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config.settings import SourceSettings
from pipeline.sources.local import LocalSource
from pipeline.sources.several import SeveralSources
from pipeline.sources.source import Source


def source_of(sources: Sequence[SourceSettings]) -> Source:
    """The source that `sources` describe. Nothing is opened yet."""
    if len(sources) == 1 and not sources[0].prefix:
        return _single(sources[0])
    return SeveralSources({source.prefix: _single(source) for source in sources})


def _single(settings: SourceSettings) -> Source:
    if settings.store is not None:
        from pipeline.sources.objects.source import ObjectSource  # noqa: PLC0415 - what it needs is an extra

        return ObjectSource(settings, settings.store)
    if settings.urls is None:
        return LocalSource(settings)
    from pipeline.sources.urls.source import UrlSource  # noqa: PLC0415 - HTTP and TLS: a quarter of a run's imports

    return UrlSource(settings, settings.urls)
