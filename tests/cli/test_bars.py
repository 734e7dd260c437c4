from __future__ import annotations

import pytest

from pipeline.cli.bars import bar


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
