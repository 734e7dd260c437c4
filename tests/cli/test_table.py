from __future__ import annotations

import pytest

from pipeline.cli.table import bar, fitted, table
from pipeline.manifest.query import Answer


def test_the_widest_columns_are_made_narrower_until_a_row_fits() -> None:
    assert fitted([40, 6, 50], 80) == [35, 6, 35]
    assert sum(fitted([64, 64, 9, 4], 80)) + 6 == 80


def test_no_column_is_made_unreadable_and_none_but_the_longest_without_a_terminal() -> None:
    assert fitted([30] * 20, 80) == [6] * 20
    assert fitted([100, 30], None) == [60, 30]


def test_only_what_is_wanted_and_not_empty_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a" * 70, None, 1), ("b", None, 2)]
    table(Answer(("source", "error", "run"), iter(rows)), {"source", "error"}, cut=True)
    assert capsys.readouterr().out == f"source\n{'a' * 14}...{'a' * 43}\nb\n(2 rows)\n"
    table(Answer(("source", "error", "run"), iter(rows)), (), cut=False)
    assert f"{'a' * 70}  1\n" in capsys.readouterr().out


def test_of_a_long_path_the_end_is_shown_and_of_other_texts_the_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    table(Answer(("target", "detail"), iter([(f"{'a/' * 40}b-thumb.jpg", "why" + "!" * 70)])), (), cut=True)
    line = capsys.readouterr().out.splitlines()[1]
    assert line == f"{'a/' * 7}...{'a/' * 16}b-thumb.jpg  why{'!' * 54}..."


@pytest.mark.parametrize(
    ("share", "encoding", "drawn"),
    [
        (0.0, "utf-8", ""),
        (1.0, "utf-8", "████"),
        (0.5, "utf-8", "██"),
        (0.53, "utf-8", "██▏"),
        (0.5, "ascii", "##"),
        (0.5, "latin-1", "##"),
        (0.5, "no such encoding", "##"),
        (7.0, "ascii", "####"),
        (-1.0, "ascii", ""),
    ],
)
def test_a_bar_is_as_long_as_its_share_in_characters_that_the_terminal_has(
    share: float, encoding: str, drawn: str
) -> None:
    assert bar(share, 4, encoding) == drawn
