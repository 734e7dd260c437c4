"""What is measured: named scenarios, each with its pictures, its sizes and those who compete."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from scripts.benchmarks import folders, scaling
from scripts.benchmarks.competitors import ALL, PIPELINE, QUALITY, Command, Encoder, Work
from scripts.benchmarks.figures import Result
from scripts.benchmarks.installed import Peers
from scripts.benchmarks.measure import Cost, Failed, run
from scripts.benchmarks.served import Served, served
from scripts.benchmarks.slow import Asked, slowed

_ANSWER = 1.0  # seconds that a source takes to be opened where that is waited for
_WAITING = (2, 4, 64)  # pictures and threads, beside one of each
_SETTLED = 2.2  # seconds after which a file's stat is trusted, and a little
_PASS = (sys.executable, "-I", "-c", "pass")


@dataclass(frozen=True, slots=True)
class Setup:
    """What the command line asks of all scenarios."""

    cache: Path  # for what is made once
    folder: Path | None  # photographs; None: those made here
    at_least: int | None  # pictures; None: the scenario's own number
    rounds: int
    peers: Peers
    only: tuple[str, ...]  # competitors; empty: the scenario's
    options: tuple[str, ...]  # of `pipeline run`
    memory: bool
    smoke: bool  # small pictures, no round to warm up
    urls: bool  # `waiting` is for a server
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A piece of work for all competitors. `pictures` is how many there are unless the command line says otherwise."""

    title: str
    competitors: tuple[str, ...]
    sides: tuple[int, ...]
    pictures: int
    kind: Literal["photos", "dataset", "tiny"] = "photos"
    again: bool = False  # measured on a target that is made already


_PHOTO_PEERS = ("pipeline", "pillow", "pillow-plain", "decode", "sharp", "vipsthumbnail", "vipsthumbnail-each")

SCENARIOS: Mapping[str, Scenario] = {
    "300": Scenario("JPEG of 300 px", (*_PHOTO_PEERS, "imagemagick"), (300,), 500),
    "1200": Scenario("JPEG of 1200 px", _PHOTO_PEERS, (1200,), 500),
    "family": Scenario(
        "320, 640 and 1280 px as JPEG and WebP", ("pipeline", "pillow", "sharp", "vipsthumbnail"), (320, 640, 1280), 300
    ),
    "dataset": Scenario("JPEGs of 500x375 to 256x256 cover", ("pipeline", "ten-lines-pool"), (256,), 2_400, "dataset"),
    "tiny": Scenario("PNGs of 64 px to JPEG of 48 px", ("pipeline", "plain-loop"), (48,), 2_000, "tiny"),
    "driver": Scenario("PNGs that nobody carries: the driver's part", ("driver",), (48,), 20_000, "tiny"),
    "nothing-to-do": Scenario("unchanged PNGs", ("pipeline", "find"), (48,), 10_000, "tiny", again=True),
}
DEFAULT = ("startup", "300", "1200", "family")
NAMES = ("startup", "waiting", *SCENARIOS, *scaling.KINDS)
SMOKE = ("startup", "scaling-300", "300", "family", "dataset", "tiny", "driver", "nothing-to-do")


def measure(name: str, setup: Setup) -> Result:
    """Run one scenario: a warm-up, then rounds in which all competitors take turns. Raises `Failed`, OSError."""
    if name == "startup":
        return _startup(setup)
    if name in scaling.KINDS:
        return _scaling(name, setup)
    if name == "waiting":
        return _waiting(setup)
    scenario = SCENARIOS[name]
    work = _work(name, scenario, setup)
    pictures = len(os.listdir(work.source))
    wanted = [peer for peer in setup.only or scenario.competitors if peer in ALL]
    if scenario.again:
        time.sleep(_SETTLED)
        _once(ALL["pipeline"](work), work, pictures)
    work = _encoder_of_pipeline(work, pictures) if "pipeline" in wanted and not scenario.again else work
    commands = {peer: command for peer in wanted if (command := ALL[peer](work))}
    costs: dict[str, list[Cost]] = {peer: [] for peer in commands}
    for number in range(int(setup.smoke), setup.rounds + 1):  # round 0 is the warm-up
        for peer in _turned(list(commands), number):
            setup.say(f"{name}: round {number} of {setup.rounds}: {peer}")
            cost = _once(commands[peer], work, pictures, fresh=not scenario.again)
            if number:
                costs[peer].append(cost)
    if setup.memory:
        for peer, command in commands.items():
            setup.say(f"{name}: memory of {peer}")
            sampled = _once(command, work, pictures, fresh=not scenario.again, sample_memory=True)
            costs[peer][0] = replace(costs[peer][0], memory=sampled.memory)
    shutil.rmtree(work.source.parent)
    return Result(name, scenario.title, pictures, costs)


def _work(name: str, scenario: Scenario, setup: Setup) -> Work:
    place = setup.cache / "work" / name
    shutil.rmtree(place, ignore_errors=True)
    count = setup.at_least or scenario.pictures
    originals = setup.folder or folders.photos(setup.cache, small=setup.smoke)
    if scenario.kind == "photos":
        source = folders.repeated(originals, place / "source", count)
    elif scenario.kind == "dataset":
        source = shutil.copytree(folders.dataset(setup.cache, originals, count), place / "source")
    else:
        source = shutil.copytree(folders.tiny(setup.cache, count), place / "source")
    target = place / "target"
    target.mkdir()
    config = place / "pipeline.yaml"
    config.write_text(_config(source, target, scenario.sides, cover=scenario.kind == "dataset"))
    cover = scenario.kind == "dataset"
    return Work(source, target, scenario.sides, setup.peers, config, options=setup.options, cover=cover)


def _config(source: Path, target: Path, sides: tuple[int, ...], *, cover: bool = False, urls: bool = False) -> str:
    fetch = "{allow_private: true, per_host: 64, rate: unlimited}"
    of = f"{{path: {source}, fetch: {fetch}}}" if urls else source
    lines = [f"source: {of}", f"target: {target}", "renditions:"]
    for side in sides:
        for format_ in ("jpeg", "webp")[: 1 + (len(sides) > 1)]:
            lines += [
                f"  {format_}-{side}:",
                f"    width: {side}",
                f"    height: {side}",
                f"    format: {format_}",
                f"    quality: {QUALITY}",
                *["    fit: cover"] * cover,
                *["    progressive: false"] * (format_ == "jpeg"),  # as the others write, unless they are told
            ]
    return "\n".join(lines) + "\n"


def _encoder_of_pipeline(work: Work, pictures: int) -> Work:
    """The others are told to write what `pipeline` writes: progressive or not is seen in one of its files."""
    _once(ALL["pipeline"](work), work, pictures)
    first = next(path for path in sorted(work.target.rglob("*.jpg")))
    return replace(work, encoder=Encoder(optimize=True, progressive=b"\xff\xc2" in first.read_bytes()))


def _once(
    command: Command | None, work: Work, pictures: int, *, fresh: bool = True, sample_memory: bool = False
) -> Cost:
    """One run into an empty target (or the one there is), with the disk quiet before and the outputs counted after."""
    if command is None:
        raise Failed("a competitor that is needed is not installed")
    if fresh:
        _put_aside(work.target)
        work.target.mkdir()
    os.sync()
    cost = run(command.argv, stdin=command.stdin, environment=command.environment, sample_memory=sample_memory)
    if command.writes and fresh:
        made = sum(1 for path in work.target.rglob("*.*") if path.is_file() and ".pipeline" not in path.parts)
        if made != pictures * work.outputs:
            raise Failed(f"{' '.join(command.argv)[:300]}: made {made} files of {pictures * work.outputs}")
    return cost


def _put_aside(target: Path) -> None:
    """Keep what was made until all is measured: ext4 looks for a new file's inode among those of files just deleted,
    which costs the next one some seconds of CPU.
    """
    made = target.parent / "made"
    made.mkdir(exist_ok=True)
    target.rename(made / str(len(os.listdir(made))))


def _turned(names: list[str], number: int) -> list[str]:
    """Another one begins in each round: who follows whom is shared out evenly."""
    start = number % len(names)
    return names[start:] + names[:start]


def _startup(setup: Setup) -> Result:
    """What is paid before the first picture: short commands, each against the least that Python can do."""
    place = setup.cache / "work" / "startup"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    works = {}
    for count in (1, 10):
        source = shutil.copytree(folders.tiny(setup.cache, count), place / f"source-{count}")
        (place / f"target-{count}").mkdir()
        config = place / f"{count}.yaml"
        config.write_text(_config(source, place / f"target-{count}", (48,)))
        works[count] = Work(source, place / f"target-{count}", (48,), setup.peers, config, options=setup.options)
    single, ten = (ALL["pipeline"](works[count]) for count in (1, 10))
    assert single is not None
    assert ten is not None
    time.sleep(_SETTLED)
    run(ten.argv)
    commands = {
        "python -c pass": _PASS,
        "pipeline --help": (*PIPELINE, "--help"),
        "pipeline run, 1 new": single.argv,
        "pipeline run, 10 unchanged": ten.argv,
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(int(setup.smoke), 2 * setup.rounds + 1):
        for name, argv in commands.items():
            if argv is single.argv:
                shutil.rmtree(works[1].target)
                works[1].target.mkdir()
            cost = run(argv)
            if number:
                costs[name].append(cost)
    shutil.rmtree(place)
    return Result("startup", "before the first picture", 1, costs, base="python -c pass")


def _scaling(name: str, setup: Setup) -> Result:
    """`pipeline` as it sets its workers itself, bound to 1, 2, 4 ... CPUs, and on all of them with other lanes."""
    scenario = SCENARIOS[scaling.KINDS[name].scenario]

    def make(count: int) -> Work:
        return _work(name, scenario, replace(setup, at_least=count))

    def once(command: Command, work: Work, pictures: int) -> Cost:
        setup.say(f"{name}: {pictures} pictures on {work.threads} CPUs")
        return _once(command, work, len(os.listdir(work.source)))

    return scaling.measure(name, scenario.title, make, once, setup.rounds, smoke=setup.smoke)


def _waiting(setup: Setup) -> Result:
    """Tiny pictures on as many threads, each of which takes a second to be opened, held against one of them.

    From the moment when the first is asked for: children start up while it is waited for.
    """
    place = setup.cache / "work" / "waiting"
    shutil.rmtree(place, ignore_errors=True)
    commands, works = {}, {}
    for count in (1, *_WAITING[: 1 if setup.smoke else None]):
        name = f"{count} on {count} thread{'s' * (count > 1)}"
        source = shutil.copytree(folders.tiny(setup.cache, count), place / f"source-{count}")
        target = place / str(count) / "target"
        target.mkdir(parents=True)
        config = place / f"{count}.yaml"
        config.write_text(_config(place / f"{count}.txt" if setup.urls else source, target, (48,), urls=setup.urls))
        options = (*setup.options, "--threads", str(count))
        works[name] = Work(source, target, (48,), setup.peers, config, options=options)
        commands[name] = ALL["pipeline"](works[name])
    first = next(iter(works))
    costs: dict[str, list[Cost]] = {name: [] for name in works}
    for number in range(int(setup.smoke), setup.rounds + 1):
        for name in _turned(list(works), number):
            setup.say(f"waiting: round {number} of {setup.rounds}: {name}")
            work = works[name]
            with _waited_for(work, setup) as asked:
                cost = _once(commands[name], work, len(os.listdir(work.source)))
                wall = time.monotonic() - asked.first
            if number:
                costs[name].append(Cost(wall, cost.cpu))
    shutil.rmtree(place)
    what = "URLs whose server takes" if setup.urls else "sources that take"
    return Result("waiting", f"{what} {_ANSWER:g} s to be opened, from the first", 1, costs, base=first)


@contextmanager
def _waited_for(work: Work, setup: Setup) -> Iterator[Asked | Served]:
    """Make every source of `work` take a while to be opened, or its server as long to answer."""
    if not setup.urls:
        with slowed(work.source, _ANSWER) as asked:
            yield asked
        return
    with served(work.source, _ANSWER) as server:
        listed = "".join(f"{server.root}/{name}\n" for name in sorted(os.listdir(work.source)))
        work.config.with_suffix(".txt").write_text(listed)
        yield server
