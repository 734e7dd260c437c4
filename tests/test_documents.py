"""What the documents for developers name is there: modules, and the records of decisions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *RECORDS]

_PATH = re.compile(r"`((?:[\w-]+/)+(?:[\w-]+\.\w+)?)`")
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[\w-]+)?\)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_folders_that_a_document_names_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = {path for path in _PATH.findall(text) if (ROOT / "pipeline" / path.split("/")[0]).exists()}
    assert [path for path in sorted(named) if not (ROOT / "pipeline" / path).exists()] == []
    assert [link for link in _LINK.findall(text) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_is_dated_complete_and_in_the_index(record: Path) -> None:
    title, _, about, *_ = (text := record.read_text(encoding="utf-8")).splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d · `", about)
    for part in ("Context", "Decision", "What would change our mind"):
        assert f"**{part}.** " in text
    date, _, where = about.partition(" · ")
    row = f"| [{title.removeprefix('# ')}]({record.name}) | {date} | {where} |"
    assert row in (DECISIONS / "README.md").read_text(encoding="utf-8").splitlines()
