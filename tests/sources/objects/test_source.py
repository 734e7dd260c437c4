from __future__ import annotations

from pipeline.config.settings import SourceSettings, StoreSettings
from pipeline.model.source import Stat
from pipeline.sources.objects.source import ObjectSource
from pipeline.stores.store import version_of


def test_a_file_whose_time_alone_tells_of_changes_is_settled_after_two_seconds() -> None:
    source = ObjectSource(SourceSettings(None), StoreSettings("sftp://host/photos"))
    by_time, by_etag = (Stat(1, version_of(etag, 100.7), 0) for etag in (None, '"1"'))
    assert not source.settled("a.jpg", by_time, 101.5)
    assert source.settled("a.jpg", by_time, 102.0)
    assert source.settled("a.jpg", by_etag, 101.5)
