"""Hints for options that other programs have and this one does not."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

_IN_A_RENDITION = "It is said in the config, for each rendition: {}"
_ELSEWHERE = {
    "`pipeline plan` shows what a run would do": ("dry-run", "dryrun", "simulate", "n", "what-if", "preview"),
    "How many work at once is --threads N and --processes N": ("jobs", "j", "workers", "parallel", "concurrency"),
    "The config is an argument: `pipeline run pipeline.yaml`": ("config", "c", "file", "f"),
    "The folders are said in the config: `source` and `target`": ("input", "i", "output", "o", "source", "target"),
    "Folders are always gone through with all that is in them; `exclude` leaves some out": ("recursive", "r"),
    _IN_A_RENDITION.format("`fit: cover` with `width` and `height`"): ("crop", "cover"),
    _IN_A_RENDITION.format("`width` and `height`"): ("resize", "size", "width", "height", "max-width", "max-height"),
    _IN_A_RENDITION.format("`quality`"): ("quality",),
    _IN_A_RENDITION.format("`effort`"): ("method", "effort", "compression", "compression-level", "speed"),
    _IN_A_RENDITION.format("`format`"): ("format", "type"),
    _IN_A_RENDITION.format("`metadata`"): ("strip", "metadata", "exif"),
}
_BY_WORD = {word: hint for hint, words in _ELSEWHERE.items() for word in words}


def meant(option: str, known: Sequence[str], command: Sequence[str]) -> str:
    """A hint for an `option` that the `command` (its words) does not have, whose options are `known`; "" for none."""
    word = option.lstrip("-").lower()
    if word == "with":
        return f"It belongs before the command, in a checkout: scripts/pipeline --with parquet {' '.join(command)}"
    if near := get_close_matches(word, [name.lstrip("-") for name in known if name.startswith("--")], 1, 0.7):
        return f"Did you mean '--{near[0]}'?"
    return _BY_WORD.get(word, "")
