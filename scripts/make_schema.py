#!/usr/bin/env python3
"""Writes what follows from the models of a config: `.venv/bin/python scripts/make_schema.py`.

These are `configs/pipeline.schema.json` for editors and `docs/config.md` for readers. Run it after every change of
`pipeline/config/schema.py` and of the defaults that it takes; a test tells when.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.config.editors import json_schema, schema_text  # noqa: E402 - found through the line above
from scripts.config_reference import reference  # noqa: E402 - as above


def texts() -> dict[Path, str]:
    """The files with what is to be in them."""
    return {
        ROOT / "configs" / "pipeline.schema.json": schema_text(),
        ROOT / "docs" / "config.md": reference(json_schema()),
    }


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
        print(path)
