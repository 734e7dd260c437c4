from __future__ import annotations

import pytest

from pipeline.manifest import schema
from pipeline.manifest.claims import ClaimRow
from pipeline.manifest.rows import RenditionRow, SourceRow


@pytest.mark.parametrize(
    ("table", "before", "row"),
    [("source", ["id"], SourceRow), ("rendition", ["source"], RenditionRow), ("claim", [], ClaimRow)],
)
def test_a_row_has_the_columns_of_its_table_in_their_order(
    table: str, before: list[str], row: type[SourceRow | RenditionRow | ClaimRow]
) -> None:
    assert [column.name for column in schema.tables()[table]] == [*before, *row._fields]
