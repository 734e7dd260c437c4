#!/usr/bin/env python3
"""Sends bent pictures through real children, and fails on what must never be: a crash, a hang, a defect of our own.

Usage: .venv/bin/python -m scripts.fuzz [--minutes 5] [--seed 1] [--children 2] [--only JXL] [--keep build/fuzz]
       .venv/bin/python -m scripts.fuzz --replay FILE...

Every picture is known by its number: the same seed bends the same pictures. What is found is kept below `--keep`.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from pipeline.errors import ErrorKind, PictureError
from pipeline.model.rendering import NotRendered, RenderAnswer, RenderTask
from pipeline.model.source import Header
from pipeline.model.spec import AS_SOURCE, Format, Hdr, Limits, Metadata, Spec
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.exchange import Bounds, ChildDied, Meter, whole
from pipeline.workers.token import Token
from scripts.fuzzing.mutations import bent
from scripts.fuzzing.seeds import seeds

_LIMITS = Limits(pixels=20_000_000, seconds=10.0, memory=2**30)
_BAD = ("crash", "defect")
_DEEP = (Format.PNG, Format.TIFF, Format.AVIF)  # can have more than 8 bits a channel
_BRIGHT = (Format.JPEG, Format.AVIF)  # can keep HDR
_SHARE = 0.5  # of the pictures that are kept deep or HDR, or made though they are cut off
_SHUT = ("PermissionError", "Operation not permitted", "ModuleNotFoundError")
_OUR_ERRORS = ("AttributeError", "NameError", "TypeError", "KeyError", "IndexError", "AssertionError", "OverflowError")
_SLOW = 5.0  # seconds of the wall: worth a line, no failure
_FOOTING = 72 * 2**20  # bytes of an idle child that has seen pictures
_SLACK = 128 * 2**20  # bytes that earlier pictures may have left behind


@dataclass
class Tally:
    """What came of all pictures so far. Used under its lock."""

    verdicts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> int:
    """Exit status 1 when something was found."""
    options = _options()
    tally = Tally()
    with ChildPool("pipeline.render.line:render", "pipeline.render.line:warm_up", options.children) as pool:
        print(f"children are confined by {pool.await_confinement(Token())}", flush=True)
        if options.replay:
            for path in options.replay:
                _judge(pool, Path(path).read_bytes(), path, tally, Random(0), None)
        else:
            end = time.monotonic() + options.minutes * 60
            threads = [
                threading.Thread(target=_work, args=(pool, options, number, end, tally))
                for number in range(options.children)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    for verdict, count in tally.verdicts.most_common():
        print(f"{count:>9,}  {verdict}")
    print(f"{tally.verdicts.total():>9,}  pictures")
    for line in (*tally.remarks[:20], *tally.faults):
        print(line)
    return 1 if tally.faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    parser.add_argument(
        "--only", default="", metavar="WORD", help="bends pictures whose name has this word, such as JXL"
    )
    parser.add_argument("--replay", nargs="+", default=[], metavar="FILE")
    return parser.parse_args()


def _work(pool: ChildPool, options: argparse.Namespace, thread: int, end: float, tally: Tally) -> None:
    pictures = [(name, content) for name, content in seeds() if options.only in name]
    contents = [content for _name, content in pictures]
    number = thread
    while time.monotonic() < end:
        random = Random(f"{options.seed} {number}")
        name, content = random.choice(pictures)
        _judge(pool, bent(content, contents, random), f"{options.seed}-{number} {name}", tally, random, options.keep)
        number += options.children


def _judge(pool: ChildPool, content: bytes, name: str, tally: Tally, random: Random, keep: Path | None) -> None:
    started = time.monotonic()
    verdict, detail, over = _verdict(pool, content, random, raw="raw" in re.split(r"\W", Path(name).name))
    seconds = time.monotonic() - started
    with tally.lock:
        tally.verdicts[verdict] += 1
        if seconds > _SLOW or over or verdict.startswith("not rendered"):
            more = f", {over / 2**20:.0f} MiB more than estimated" if over else ""
            tally.remarks.append(f"to look at: {name}: {seconds:.1f} s{more}: {verdict}: {detail}")
            _keep(keep, name, content)
        if verdict in _BAD:
            tally.faults.append(f"FOUND {verdict}: {name}: {detail}")
            print(tally.faults[-1], flush=True)
            _keep(keep, name, content)


def _keep(folder: Path | None, name: str, content: bytes) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name.replace(" ", "-").replace("/", "-")).write_bytes(content)


def _verdict(pool: ChildPool, content: bytes, random: Random, *, raw: bool) -> tuple[str, str, int]:
    """Verdict, detail, and the bytes by which the peak was above the estimate."""
    formats = random.sample(list(Format), 2)
    specs = tuple(
        Spec(
            format_.value,
            width=random.choice((16, 40)),
            height=random.choice((None, 20)),
            format=format_,
            depth=AS_SOURCE if format_ in _DEEP and random.random() < _SHARE else 8,
            hdr=Hdr.KEEP if format_ in _BRIGHT and random.random() < _SHARE else Hdr.SDR,
            metadata=random.choice(list(Metadata)),
        )
        for format_ in formats
    )
    limits = replace(_LIMITS, truncated=random.random() < _SHARE)
    descriptor = os.memfd_create("bent")
    try:
        os.write(descriptor, content)
        bounds = Bounds(_LIMITS.seconds, _LIMITS.memory, len(specs))
        with pool.ask(whole(descriptor), RenderTask(specs, limits, raw=raw), bounds, Token()) as exchange:
            header = exchange.first()
            reply, meter = exchange.last()
        for made in reply.descriptors:
            os.close(made)
        failed = [rendition.error for rendition in _renditions(reply.payload) if isinstance(rendition, NotRendered)]
        verdict, detail = _named(failed[0], "not rendered: ") if failed else ("done", "")
        return verdict, detail, _beyond_estimate(header, meter, len(content))
    except PictureError as error:
        return *_named(error, ""), 0
    except ChildDied as death:
        return "crash", f"{death} {getattr(death, '__notes__', '')}", 0
    finally:
        os.close(descriptor)


def _renditions(answer: object) -> tuple[object, ...]:
    return answer.renditions if isinstance(answer, RenderAnswer) else ()


def _beyond_estimate(header: object, meter: Meter, size: int) -> int:
    if not isinstance(header, Header) or meter.peak_memory is None:
        return 0
    over = meter.peak_memory - _FOOTING - header.estimate - size
    return over if over > _SLACK else 0


def _named(error: PictureError, prefix: str) -> tuple[str, str]:
    """A defect of ours may hide in a verdict that quotes it: a name that is not there, a door that confinement shut."""
    detail = f"{error.detail} {' | '.join(getattr(error, '__notes__', ()))}"
    ours = error.kind == ErrorKind.INTERNAL or any(sign in detail for sign in _SHUT)
    ours |= bool(prefix) and error.detail.startswith(_OUR_ERRORS)  # decoders raise these on damage, encoders do not
    return ("defect" if ours else f"{prefix}{error.kind}"), detail


if __name__ == "__main__":
    sys.exit(main())
