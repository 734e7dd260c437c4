from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scripts import contact_sheet
from tests.pictures import quarters


def test_every_picture_of_a_folder_is_on_a_sheet_through_every_operation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    quarters((200, 150)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.jpg").write_bytes(b"no picture")
    assert contact_sheet.main([str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'contact-1.png'}\n"
    cell, label = contact_sheet.CELL, contact_sheet.LABEL
    with Image.open(tmp_path / "out" / "contact-1.png") as sheet:
        assert sheet.size == (cell * len(contact_sheet.COLUMNS), 2 * (cell + label) + label)
        middles = [sheet.getpixel((index * cell + 20, 2 * label + 20)) for index in range(len(contact_sheet.COLUMNS))]
    assert (40, 40, 40) not in middles  # there is something in every cell
