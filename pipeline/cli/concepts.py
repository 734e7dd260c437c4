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
_COMMANDS = {
    "manifest export": ("export", "srcset", "csv"),
    "manifest query": ("query", "sql", "select", "ls", "list", "show"),
    "manifest merge": ("merge",),
    "failures retry": ("retry",),
    "plan": ("preview", "dry-run", "dryrun", "diff", "simulate"),
    "run": ("render", "build", "make", "convert", "resize", "start", "generate", "process", "sync"),
    "prune": ("clean", "gc", "delete", "remove", "clear"),
    "explain": ("config", "settings", "validate", "lint"),
    "verify": ("check", "fsck", "audit", "scrub"),
    "tune": ("bench", "benchmark"),
    "status": ("info", "history", "log", "logs", "stats"),
    "schedule": ("cron", "crontab", "systemd", "timer"),
    "init": ("new", "create", "setup"),
}
_COMMAND_OF = {word: command for command, words in _COMMANDS.items() for word in words}
_BY_WORD = {word: hint for hint, words in _ELSEWHERE.items() for word in words}


def command_meant(word: str, known: Sequence[str]) -> str:
    """The command that a word which is none of the `known` ones may mean; "" for none."""
    near = get_close_matches(word.lower(), known, 1)
    return _COMMAND_OF.get(word.lower(), near[0] if near else "")


def meant(option: str, known: Sequence[str], command: Sequence[str]) -> str:
    """A hint for an `option` that the `command` (its words) does not have, whose options are `known`; "" for none."""
    word = option.lstrip("-").lower()
    if word == "with":
        return f"It belongs before the command, in a checkout: scripts/pipeline --with parquet {' '.join(command)}"
    if near := get_close_matches(word, [name.lstrip("-") for name in known if name.startswith("--")], 1, 0.7):
        return f"Did you mean '--{near[0]}'?"
    return _BY_WORD.get(word, "")
