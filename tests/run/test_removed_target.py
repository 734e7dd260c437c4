"""A target, or its `.pipeline`, is removed during a run: one line says so, and the next run makes it whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from pipeline.cli.main import status_of
from pipeline.errors import ExitStatus, ManifestTrouble, TargetTrouble
from pipeline.manifest.store import Manifest
from pipeline.model.source import Stat
from pipeline.model.spec import Limits
from pipeline.plan.options import PlanOptions
from pipeline.sources.local import LocalSource
from pipeline.sources.source import Picture
from tests.world import World

pytestmark = pytest.mark.usefixtures("settled")

TEXT = (
    "source: photos\ntarget: out\nrenditions:\n  thumb: {width: 32, height: 32}\nworkers: {processes: 0, threads: 1}\n"
)
ELSEWHERE = TEXT + "manifest: records/thumbs.sqlite\n"
Remove = Callable[[World], None]


def the_state(world: World) -> None:
    shutil.rmtree(world.target / ".pipeline")


def the_target(world: World) -> None:
    """All of it at once: else the run could see that `.pipeline` is gone while the rest is there."""
    world.target.rename(world.root / "moved")
    shutil.rmtree(world.root / "moved")


def the_records(world: World) -> None:
    shutil.rmtree(world.root / "records")


def _again(remove: Remove, folder: str) -> Remove:
    """Remove, and make the folder again, empty."""

    def remake(world: World) -> None:
        remove(world)
        (world.root / folder).mkdir(mode=0o700)

    return remake


@pytest.fixture
def pictures(world: World) -> World:
    world.configure(TEXT)
    world.fill(60)
    return world


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run makes of `pictures` that nothing comes in between."""
    world = World(tmp_path_factory.mktemp("fresh"), TEXT)
    world.fill(60)
    world.run()
    return world.tree()


def at_the_read(monkeypatch: pytest.MonkeyPatch, number: int, happens: Callable[[], None]) -> None:
    really = LocalSource.read
    reads = iter(range(1, 1000))

    def read(self: LocalSource, source: str, stat: Stat, limits: Limits) -> Picture:
        if next(reads) == number:
            happens()
        return really(self, source, stat, limits)

    monkeypatch.setattr(LocalSource, "read", read)


@pytest.mark.parametrize(("at", "known"), [(1, False), (55, False), (20, True)])
@pytest.mark.parametrize(
    ("text", "remove", "said"),
    [
        (TEXT, the_state, "out/.pipeline, the manifest's folder, has been removed or moved in the meantime: run again"),
        (TEXT, the_target, "cannot write to the target ROOT/out: it has been removed or moved in the meantime; the"),
        (ELSEWHERE, the_records, "ROOT/records, the manifest's folder, has been removed or moved in the meantime"),
        (ELSEWHERE, the_target, "the target ROOT/out: it has been removed or moved in the meantime; the next run"),
    ],
)
def test_what_is_removed_in_the_middle_of_a_run_is_said_and_made_again(
    pictures: World,
    tree: dict[str, bytes],
    text: str,
    remove: Remove,
    said: str,
    at: int,
    known: bool,
    *,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`known`: a run before has made, and backed up, the first half."""
    world, config = pictures, str(pictures.config_path)
    world.configure(text)
    if known:
        world.run(plan=PlanOptions(limit=30))
    with monkeypatch.context() as patched:
        at_the_read(patched, at, lambda: remove(world))
        capsys.readouterr()
        assert status_of(["run", config]) == ExitStatus.UNFINISHED
    line = capsys.readouterr().err.strip()
    assert said.replace("ROOT", str(world.root)) in line
    assert line.count("\n") == 0, line
    assert status_of(["run", config]) == ExitStatus.OK
    assert world.tree() == tree
    assert world.run().pictures == {"unchanged": 60}


@pytest.mark.parametrize(
    ("text", "remove", "error"),
    [
        (TEXT, _again(the_state, "out/.pipeline"), ManifestTrouble),
        (ELSEWHERE, _again(the_records, "records"), ManifestTrouble),
        (ELSEWHERE, _again(the_target, "out"), TargetTrouble),
    ],
)
def test_another_folder_in_the_place_of_one_that_was_removed_is_not_taken_for_it(
    pictures: World, text: str, remove: Remove, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is not in it, nor is the lock."""
    pictures.configure(text)
    with monkeypatch.context() as patched:
        at_the_read(patched, 20, lambda: remove(pictures))
        with pytest.raises(error, match="has been removed or moved"):
            pictures.run(threads=1)
    assert pictures.run().status == ExitStatus.OK
    assert len(pictures.tree()) == 60


def test_a_manifest_file_that_is_removed_during_a_run_is_had_again_from_its_backup(
    pictures: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        at_the_read(patched, 20, pictures.config.manifest.unlink)
        assert pictures.run().pictures == {"done": 60}
    summary = pictures.run()
    assert "the manifest is missing; it was restored from its backup" in summary.warnings[0]
    assert summary.pictures == {"unchanged": 60}


def test_no_more_records_are_taken_where_their_folder_is_gone(pictures: World) -> None:
    """Also so that no other run works beside this one: the lock is gone with the folder."""
    pictures.run(plan=PlanOptions(limit=1))
    with Manifest.for_config(pictures.config) as manifest:
        manifest.tick()
        the_state(pictures)
        for use in (manifest.tick, manifest.backup):
            with pytest.raises(ManifestTrouble, match="the manifest's folder, has been removed or moved"):
                use()


def test_a_target_that_is_removed_before_the_end_is_no_success(
    pictures: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written after it, so that no write says so."""
    pictures.configure(ELSEWHERE)
    pictures.run()
    monkeypatch.setattr(LocalSource, "check", lambda self: shutil.rmtree(pictures.target, ignore_errors=True))
    pictures.put("a/new.jpg")
    with pytest.raises(TargetTrouble, match="has been removed or moved"):
        pictures.run(threads=1)
    monkeypatch.undo()
    assert pictures.run().pictures == {"done": 61}
