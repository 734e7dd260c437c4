#!/usr/bin/env python3
"""Sends bent answers of a child to what the main process does with them, and fails on what must never be believed.

Usage: .venv/bin/python -m scripts.fuzz_answers [--minutes 5] [--seed 1]

An answer is refused, or everything that is made of it can be stored and shown: no other exception, no descriptor that
is left, no number without bounds in the manifest. Every answer is known by its number.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import cast

from pipeline.config.settings import Durability, TargetSettings
from pipeline.errors import PictureError
from pipeline.manifest import export
from pipeline.manifest.runs import RunStart
from pipeline.manifest.store import Manifest
from pipeline.model.job import Planned
from pipeline.model.record import Reason, Record, Status
from pipeline.model.rendering import RenderAnswer, RenderTask
from pipeline.model.source import Stat
from pipeline.model.spec import Format, Limits, Spec
from pipeline.render.line import render
from pipeline.run.answers import Asked
from pipeline.run.delivery import Made, delivered
from pipeline.targets.local import LocalTarget
from pipeline.workers import values, wire
from pipeline.workers.conversation import Conversation
from pipeline.workers.exchange import Bounds, ChildDied, Held, Meter, whole
from pipeline.workers.process import Child
from pipeline.workers.token import Token
from scripts.fuzzing.lies import files, lie
from scripts.fuzzing.seeds import seeds

_LIMITS = Limits(pixels=20_000_000, seconds=10.0, memory=2**30)
_SPECS = tuple(
    Spec(format_.value, width=40, height=None if format_ is Format.PNG else 20, format=format_) for format_ in Format
)
_TASK = RenderTask(_SPECS, _LIMITS, placeholder=True)
_BOUNDS = Bounds(_LIMITS.seconds, _LIMITS.memory, len(_SPECS))
_AGO = 60.0  # seconds: when each is said to have been asked
_TIMES = ("at", "mtime_ns", "source_mtime_ns")  # no child says these
_SPARE = 4  # descriptors that the target and the manifest may open later


class Liar:
    """As much of a `Child` as a conversation needs: its messages are there already."""

    allowance, beyond, code, peak, how_it_ended, last_words, worn = None, None, 1, 0, "ended", (), False

    def __init__(self, messages: list[tuple[bytes, list[int]]], random: Random) -> None:
        self.socket, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
        with theirs:
            for body, sent in messages:
                count = len(sent) if random.random() < 0.97 else random.choice((0, 1, 250, 2**32 - 1))
                socket.send_fds(theirs, [struct.pack("!II", len(body), count) + body], sent)
                wire.close_all(sent)

    def await_ready(self, token: Token) -> None:
        """It is."""

    def await_reply(self, _token: Token, _ticks: float, files: int = 0) -> tuple[object, tuple[int, ...]]:
        """See `Child`."""
        return wire.take(self.socket, files)

    def tell(self, message: object, held: object = ()) -> None:
        """It does not listen."""

    def chatter(self) -> tuple[str, ...]:
        """It says nothing."""
        return ()

    def end(self, *, closed: bool = False) -> None:
        """There is nothing to end."""


class Judge:
    """Takes what is believed into a target and a manifest."""

    def __init__(self, folder: Path, held: Held) -> None:
        self.manifest = Manifest.open(folder / "manifest.sqlite", owner="/fuzz.yaml")
        self.manifest.begin_run(RunStart("run-1", "/fuzz.yaml", ("fuzz",), 1, "host", 1.0, {}, "none"))
        self._target = LocalTarget(TargetSettings(folder, durability=Durability.NONE), "run-1")
        self._folder = folder
        self._held = held
        self._first, self._last = [
            (values.dumped((reply.payload, Meter(10**7, 10**7))), reply.descriptors) for reply in render(held, _TASK)
        ]

    def verdict(self, number: int, random: Random) -> str:
        """What came of answer `number`."""
        first = lie(self._first[0], random) if random.random() < 0.3 else self._first[0]
        last = lie(self._last[0], random)
        liar = Liar([(first, []), (last, files(self._last[1], random))], random)
        asked = Asked(_TASK, self._held.size, _LIMITS.memory, time.perf_counter() - _AGO)
        try:
            conversation = Conversation(cast(Child, liar), _BOUNDS, Token())
            conversation.start(self._held, _TASK)
            asked.header(conversation.first())
            reply, meter = conversation.last()
            answer = asked.answer(reply)
        except (PictureError, ChildDied) as error:
            return f"refused: {type(error).__name__}"
        finally:
            liar.socket.close()
        self._store(f"{number % 1000}.jpg", answer, reply.descriptors, meter)
        return "believed"

    def _store(self, source: str, answer: RenderAnswer, made: tuple[int, ...], meter: Meter) -> None:
        planned = tuple(Planned(spec, f"{source}-{spec.name}", "recipe", Reason.NEW, ours=True) for spec in _SPECS)
        record = Record(source, Stat(1, 1, 1), Status.DONE, sha256=b"x" * 32)
        try:
            (record,) = delivered(self._target, [Made(planned, record, answer, made, meter)], Token())
        finally:
            wire.close_all(made)
        self.manifest.add(record)

    def shown(self) -> str:
        """What is wrong with what the manifest shows; "" for nothing. Ends the run."""
        self.manifest.end_run(0, {})
        with Manifest.reader_at(self._folder / "manifest.sqlite") as reader:
            for row in export.rows(reader, measured=True):
                for name, value in row.items():
                    most = 2 * _AGO if "seconds" in name else 2 * _LIMITS.memory
                    if isinstance(value, int | float) and name not in _TIMES and not 0 <= value <= most:
                        return f"{name} is {value}"
            known = reader.experience()
            spent = sum(costs.seconds for costs in (*known.sources.values(), *known.renditions.values()))
            return "" if spent < float("inf") else "seconds without bounds"


def main() -> int:
    """Exit status 1 when something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally: Counter[str] = Counter()
    wrongs: list[str] = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile(buffering=0) as file:
        file.write(seeds()[0][1])
        judge = Judge(Path(folder), whole(file.fileno()))
        opened = len(os.listdir("/proc/self/fd"))
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            number = tally.total()
            try:
                tally[judge.verdict(number, Random(f"{options.seed} {number}"))] += 1
            except Exception:  # noqa: BLE001 - whatever it is, it is found
                tally["found"] += 1
                wrongs.append(f"FOUND {options.seed}-{number}: {traceback.format_exc()}")
            if len(left := os.listdir("/proc/self/fd")) > opened + _SPARE:
                wrongs.append(f"FOUND {options.seed}-{number}: {len(left)} descriptors, {opened} at first")
                break
        if wrong := judge.shown():
            wrongs.append(f"FOUND {wrong}")
        judge.manifest.close()
    for verdict, count in tally.most_common():
        print(f"{count:>9,}  {verdict}")
    print(f"{tally.total():>9,}  answers")
    for line in wrongs[:20]:
        print(line)
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
