#!/usr/bin/env python3
"""Writes `configs/pipeline.schema.json` from the models: `.venv/bin/python scripts/make_schema.py`.

Run it after every change of `pipeline/config/schema.py` and of the defaults that it takes; a test tells when.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.config.schema import schema_text  # noqa: E402 - found through the line above

TARGET = ROOT / "configs" / "pipeline.schema.json"

if __name__ == "__main__":
    TARGET.write_text(schema_text(), encoding="utf-8")
    print(TARGET)
