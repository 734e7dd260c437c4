#!/usr/bin/env python3
"""Writes `configs/pipeline.schema.json` from the models. Run it after every change of `pipeline/config/schema.py`."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.config.schema import json_schema

TARGET = Path(__file__).resolve().parent.parent / "configs" / "pipeline.schema.json"


def text() -> str:
    """What the file has to hold."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    print(TARGET)
