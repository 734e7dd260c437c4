"""Reads targets again and counts those that hold private metadata. Children open them: the main process never does."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.config.settings import Config
from pipeline.errors import PictureError
from pipeline.manifest.reader import Reader
from pipeline.model.spec import Private
from pipeline.targets.opening import target_of
from pipeline.targets.target import Target
from pipeline.workers import cpus
from pipeline.workers.child_pool import ChildPool
from pipeline.workers.crew import Crew
from pipeline.workers.exchange import Bounds, ChildDied, Held, whole
from pipeline.workers.token import Token

_FUNCTION = "pipeline.render.encoding.inspect:private_things"  # named, not imported: this process never loads a decoder
_WARM_UP = "pipeline.render.line:warm_up"
_TOGETHER = 32  # files in one message to a child
_BOUNDS = Bounds(30.0, 512 * 2**20)  # for all of a message
_LEAVE = 64 * 2**20  # bytes of memory for one file


@dataclass(slots=True)
class Privacy:
    """What was found in `files` targets of `there`. `holding` counts those that hold anything private."""

    there: int
    files: int = 0
    unread: int = 0  # gone, or no picture that can be opened any more
    holding: int = 0
    kinds: Counter[Private] = field(default_factory=Counter)


def read_again(config: Config, reader: Reader, most: int | None = None) -> Privacy:
    """Read the targets that the manifest records; `most` of them, evenly spread, or all.

    About 1 ms of CPU each. Raises `PipelineError` where no child can be started.
    """
    paths = [file.target for file in reader.claimed_files() if file.current and file.sha256 is not None]
    step = 1 if most is None else max(1, -(-len(paths) // most))
    chosen = paths[::step]
    batches = [tuple(chosen[start : start + _TOGETHER]) for start in range(0, len(chosen), _TOGETHER)]
    count = min(len(batches), config.workers.processes or cpus.available())
    if not batches:
        return Privacy(0)
    with ChildPool(_FUNCTION, _WARM_UP, count) as pool:
        target = target_of(config.target, "report")
        target.remember(reader.shards)
        check = _Check(target, pool, Privacy(len(paths)))
        crew: Crew[tuple[str, ...]] = Crew(check.batch, threads=count, queue_size=2 * count)
        with crew:
            for batch in batches:
                crew.put(batch)
    return check.privacy


class _Check:
    """Looks into files; `batch` runs in the crew's threads."""

    def __init__(self, target: Target, pool: ChildPool, privacy: Privacy) -> None:
        self._target = target
        self._pool = pool
        self._lock = threading.Lock()
        self.privacy = privacy

    def batch(self, paths: tuple[str, ...], token: Token) -> None:
        with contextlib.ExitStack() as stack:
            several: list[Held] = []
            for path in paths:
                with contextlib.suppress(OSError, PictureError):
                    several.append(whole(stack.enter_context(self._target.open_for_reading(path)).fileno()))
            kinds_of = self._found(several, token)
        with self._lock:
            self.privacy.files += len(kinds_of)
            self.privacy.unread += len(paths) - len(kinds_of)
            self.privacy.holding += sum(map(bool, kinds_of))
            self.privacy.kinds.update(kind for kinds in kinds_of for kind in kinds)

    def _found(self, several: Sequence[Held], token: Token) -> list[list[Private]]:
        """What each of `several` holds that could be opened."""
        if not several:
            return []
        with self._pool.ask_several(several, None, _BOUNDS, token) as exchange:
            replies, _meter = exchange.all(_LEAVE)
        payloads = [
            self._alone(held, token) if reply is None else reply.payload
            for held, reply in zip(several, replies, strict=True)
        ]
        return [[kind for kind in Private if kind in payload] for payload in payloads if isinstance(payload, tuple)]

    def _alone(self, held: Held, token: Token) -> object:
        try:
            with self._pool.ask(held, None, _BOUNDS, token) as exchange:
                exchange.first()
                return exchange.last()[0].payload
        except (PictureError, ChildDied):
            return None
