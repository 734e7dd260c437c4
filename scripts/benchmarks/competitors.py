"""How each competitor is asked to do a scenario's work: one command for all pictures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.benchmarks.installed import Peers

_SCRIPTS = Path(__file__).with_name("peers")
QUALITY = 80
PIPELINE = (sys.executable, "-I", "-m", "pipeline")


@dataclass(frozen=True, slots=True)
class Encoder:
    """What all are asked for beside the quality, so that they write files of one kind. As `pipeline` writes them."""

    optimize: bool = True  # Huffman tables of the picture's own
    progressive: bool = False

    @property
    def words(self) -> list[str]:
        """The options of Pillow that are on."""
        return ["optimize"] * self.optimize + ["progressive"] * self.progressive


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, and with what. One side: JPEG inside a square of it; several: JPEG and WebP for each."""

    source: Path  # a folder of pictures, no folders in it
    target: Path  # exists and is empty
    sides: tuple[int, ...]
    peers: Peers
    config: Path  # of `pipeline`, which writes into `target`
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    encoder: Encoder = field(default_factory=Encoder)
    options: tuple[str, ...] = ()  # of `pipeline run`
    cover: bool = False  # cut to the square, not fitted into it

    @property
    def family(self) -> bool:
        """Whether several renditions are made of each picture."""
        return len(self.sides) > 1

    @property
    def outputs(self) -> int:
        """Files that each picture becomes."""
        return 2 * len(self.sides) if self.family else 1


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, what it reads on its standard input, and its environment beside ours."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    writes: bool = True  # whether the target holds the outputs afterwards


def _python(script: str, *arguments: object) -> Command:
    return Command((sys.executable, "-I", str(_SCRIPTS / script), *map(str, arguments)))


def _pipeline(work: Work) -> Command:
    return Command((*PIPELINE, "run", str(work.config), "-q", *work.options))


def _driver(work: Work) -> Command:
    return Command((sys.executable, "-I", "-m", "scripts.benchmarks.driver", str(work.config)), writes=False)


def _pillow(work: Work) -> Command:
    """The ten lines, told to write the same kind of file."""
    if work.family:
        return _python("ten_lines_family.py", work.source, work.target, work.threads, *work.encoder.words)
    return _python("ten_lines.py", work.source, work.target, work.sides[0], work.threads, *work.encoder.words)


def _pillow_plain(work: Work) -> Command:
    """The ten lines as most people leave them: quality alone, so the files are larger and quicker to write."""
    if work.family:
        return _python("ten_lines_family.py", work.source, work.target, work.threads)
    return _python("ten_lines.py", work.source, work.target, work.sides[0], work.threads)


def _decode(work: Work) -> Command:
    decode = _python("decode.py", work.source, max(work.sides), work.threads)
    return Command(decode.argv, writes=False)


def _ten_lines_pool(work: Work) -> Command:
    """The ten lines in a pool of processes, and for a data set cut to a square."""
    how = "cut" if work.cover else "fit"
    return _python("ten_lines_pool.py", how, work.source, work.target, work.sides[0], work.threads, *work.encoder.words)


def _plain_loop(work: Work) -> Command:
    return _python("plain_loop.py", work.source, work.target, work.sides[0], *work.encoder.words)


def _sharp(work: Work) -> Command | None:
    if not (work.peers.sharp and work.peers.node):
        return None
    options = json.dumps({
        "quality": QUALITY, "progressive": work.encoder.progressive, "optimiseCoding": work.encoder.optimize
    })  # fmt: skip
    where = map(str, (work.peers.sharp, work.source, work.target, work.threads))
    return Command(
        (work.peers.node, str(_SCRIPTS / "sharp.mjs"), *where, options, *map(str, work.sides)),
        environment={"UV_THREADPOOL_SIZE": str(max(4, work.threads))},
    )


def _vipsthumbnail(work: Work) -> Command | None:
    """As many at a time as there are cores, one thread each, many pictures a process: the fastest that it knows."""
    return _vips(work, 12)


def _vipsthumbnail_each(work: Work) -> Command | None:
    """A process for each picture, as a shell loop or a web server would have it."""
    return _vips(work, 1)


def _vips(work: Work, pictures: int) -> Command | None:
    if not work.peers.vipsthumbnail:
        return None
    words = [f"Q={QUALITY}", "strip"]
    jpeg = words + ["optimize_coding"] * work.encoder.optimize + ["interlace"] * work.encoder.progressive
    # It knows one output a call, so a family is a decode for each of its files. Colours stay in the source's profile:
    # --export-profile takes time and, in 8.14, darkens pictures that have none.
    lines = []
    for side in work.sides:
        for extension, options in (("jpg", jpeg), ("webp", words))[: 2 if work.family else 1]:
            name = f"%s-{side}.{extension}" if work.family else f"%s.{extension}"
            lines.append(
                f"{work.peers.vipsthumbnail} -s {side}x{side} -o '{work.target}/{name}[{','.join(options)}]' \"$@\""
            )
    shell = ("xargs", "-0", "-P", str(work.threads), "-n", str(pictures), "sh", "-ec", "\n".join(lines), "sh")
    return Command(shell, _names(work), {"VIPS_CONCURRENCY": "1"})


def _imagemagick(work: Work) -> Command | None:
    if not work.peers.imagemagick:
        return None
    largest = max(work.sides)
    read = f'-define jpeg:size={2 * largest}x{2 * largest} "$one" -auto-orient -strip -quality {QUALITY}'
    interlace = "JPEG" if work.encoder.progressive else "none"
    stem = f'{work.target}/"$(basename "${{one%.*}}")"'
    if work.family:
        parts = " ".join(
            f"\\( +clone -resize {side}x{side}\\> -interlace {interlace} -write {stem}-{side}.jpg "
            f"-write {stem}-{side}.webp +delete \\)"
            for side in work.sides
        )
        line = f"{work.peers.imagemagick[0]} {read} {parts} null:"
    else:
        line = f"{work.peers.imagemagick[0]} {read} -resize {largest}x{largest}\\> -interlace {interlace} {stem}.jpg"
    loop = f"for one; do {line}; done"
    shell = ("xargs", "-0", "-P", str(work.threads), "-n", "12", "sh", "-ec", loop, "sh")
    return Command(shell, _names(work), {"MAGICK_THREAD_LIMIT": "1"})


def _find(work: Work) -> Command:
    """The least that has to be done to see that nothing changed: look at every file's size and time."""
    return Command(("find", str(work.source), str(work.target), "-printf", "%s %T@\\n"))


def _names(work: Work) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in sorted(work.source.iterdir()))


Ask = Callable[[Work], Command | None]

ALL: Mapping[str, Ask] = {
    "pipeline": _pipeline,
    "pillow": _pillow,
    "pillow-plain": _pillow_plain,
    "decode": _decode,
    "sharp": _sharp,
    "vipsthumbnail": _vipsthumbnail,
    "vipsthumbnail-each": _vipsthumbnail_each,
    "imagemagick": _imagemagick,
    "ten-lines-pool": _ten_lines_pool,
    "plain-loop": _plain_loop,
    "find": _find,
    "driver": _driver,
}
