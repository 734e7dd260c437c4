"""Files that are taken over: after the manifest is lost, moved or another config's, whatever became of the config."""

from __future__ import annotations

import io
import itertools
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import ExitStatus, UsageError
from pipeline.plan.options import PlanOptions
from tests.world import World, jpeg

pytestmark = pytest.mark.usefixtures("settled")

ADOPT, REPLACE = PlanOptions(adopt=True), PlanOptions(adopt=True, replace=True)
OPERATIONS = ("add", "drop", "quality", "lose", "adopt")


def pictures(world: World) -> None:
    for name, size in (("a/x.jpg", (640, 480)), ("b/y.jpg", (300, 500))):
        world.put(name, jpeg((200, 80, 40), size))
    world.settle()


def text(sizes: list[int], quality: int) -> str:
    lines = [f"  w{size}: {{width: {size}, quality: {quality}}}\n" for size in sizes]
    return "source: photos\ntarget: out\nrenditions:\n" + "".join(lines)


def carried_out(world: World, operations: tuple[str, ...], *, runs: bool) -> None:
    """Each operation, with a run after it or one at the end."""
    sizes, quality = [40, 100], 82
    for operation in operations:
        if operation == "add":
            sizes.append(250)
        elif operation == "drop":
            sizes.remove(100)
        elif operation == "quality":
            quality = 60
        elif operation == "lose":
            shutil.rmtree(world.target / ".pipeline", ignore_errors=True)
        world.configure(text(sizes, quality))
        if runs:
            world.run(plan=REPLACE if operation == "adopt" else PlanOptions())


def fresh(world: World, folder: Path) -> dict[str, bytes]:
    """What a first run makes of the same config."""
    folder.mkdir()
    other = World(folder)
    shutil.copytree(world.source, other.source, dirs_exist_ok=True)
    other.configure(world.text)
    assert other.run().status == ExitStatus.OK
    return other.tree()


def check(tmp_path: Path, operations: tuple[str, ...], *, runs: bool) -> None:
    (tmp_path / "one").mkdir()
    world = World(tmp_path / "one")
    pictures(world)
    world.configure(text([40, 100], 82))
    world.run()
    carried_out(world, operations, runs=runs)
    world.run(plan=REPLACE if "lose" in operations else PlanOptions())
    made, wanted = world.tree(), fresh(world, tmp_path / "other")
    assert {path: made[path] for path in wanted} == wanted
    assert world.run().pictures == {"unchanged": 2}


@pytest.mark.parametrize("runs", [True, False], ids=["a run after each", "one run"])
@pytest.mark.parametrize(
    "operations", [("add", "lose"), ("lose", "add"), ("drop", "lose", "quality"), ("quality", "adopt", "drop")], ids=str
)
def test_whatever_was_done_to_a_config_its_target_ends_as_a_fresh_one(
    tmp_path: Path, operations: tuple[str, ...], runs: bool
) -> None:
    check(tmp_path, operations, runs=runs)


@pytest.mark.slow
@pytest.mark.parametrize("runs", [True, False], ids=["a run after each", "one run"])
@pytest.mark.parametrize("first", OPERATIONS)
def test_every_sequence_of_three_operations_ends_in_a_fresh_target(tmp_path: Path, first: str, runs: bool) -> None:
    others = [operation for operation in OPERATIONS if operation != first]
    for number, rest in enumerate(itertools.permutations(others, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(folder, (first, *rest), runs=runs)


def test_after_a_size_was_added_and_the_manifest_lost_every_file_is_taken_back(world: World) -> None:
    pictures(world)
    world.configure(text([40], 82))
    world.run()
    world.configure(text([40, 250], 82))
    world.run()
    before = {path: (world.target / path).stat().st_mtime_ns for path in world.tree()}
    shutil.rmtree(world.target / ".pipeline")
    summary = world.run(plan=ADOPT)
    assert (summary.pictures, summary.status) == ({"done": 2}, ExitStatus.OK)
    assert {path: (world.target / path).stat().st_mtime_ns for path in world.tree()} == before


@pytest.mark.parametrize("processes", [0, 1])
def test_replace_writes_over_what_looks_like_the_rendition_and_over_nothing_else(world: World, processes: int) -> None:
    pictures(world)
    world.put("c/z.jpg", jpeg((3, 3, 3), (640, 480)))
    world.put("d/z.jpg", jpeg((3, 3, 3), (640, 480)))  # the same content: a copy
    world.run()
    made = world.tree()
    shutil.rmtree(world.target / ".pipeline")
    for name, image_format, size in (
        ("a/x", "JPEG", (32, 24)),
        ("b/y", "PNG", (19, 32)),
        ("c/z", "JPEG", (32, 25)),
        ("d/z", "JPEG", (32, 24)),
    ):
        out = io.BytesIO()
        Image.new("RGB", size).save(out, image_format)
        (world.target / f"{name}-thumb.jpg").write_bytes(out.getvalue())
    foreign = world.tree()
    assert world.run(plan=ADOPT, processes=processes).pictures == {"failed": 4}
    assert world.tree() == foreign
    assert world.run(plan=REPLACE, processes=processes).pictures["done"] == 2
    again = world.tree()
    for name in ("a/x", "d/z"):
        assert again[f"{name}-thumb.jpg"] == made[f"{name}-thumb.jpg"]
    for name in ("b/y", "c/z"):
        assert again[f"{name}-thumb.jpg"] == foreign[f"{name}-thumb.jpg"]


def test_adopt_takes_no_value_from_the_argument_behind_it(world: World) -> None:
    world.fill(1)
    for words in (["--adopt"], ["--adopt=replace"], ["--adopt=equal"]):
        assert world.command("run", *words, str(world.config_path)).returncode == 0
    done = world.command("run", "--adopt=all", str(world.config_path))
    assert (done.returncode, "'all' is not one of" in done.stderr) == (2, True)


# -- other configs


def other_config(world: World, more: str = "") -> World:
    """Another config beside it for the same source and target."""
    (world.root / "second").mkdir()
    second = World(world.root / "second")
    second.configure(world.text.replace(": photos", ": ../photos").replace(": out", ": ../out") + more)
    return second


def test_the_manifest_of_a_config_that_is_still_there_is_not_adopted(world: World) -> None:
    world.fill(2)
    world.run()
    second = other_config(world)
    for options in (PlanOptions(), ADOPT, REPLACE):
        with pytest.raises(UsageError, match=r"belongs to the config .*thumbs\.yaml"):
            second.run(plan=options)
    assert world.run().pictures == {"unchanged": 2}
    world.config_path.unlink()
    assert second.run(plan=ADOPT).pictures == {"unchanged": 2}


@pytest.mark.parametrize("first", ["default", "elsewhere"])
def test_what_another_manifest_claims_is_not_adopted(world: World, first: str) -> None:
    second = other_config(world, "manifest: elsewhere.sqlite\n")
    world.fill(2)
    owner, other = (world, second) if first == "default" else (second, world)
    owner.run()
    for options in (PlanOptions(), ADOPT, REPLACE):
        summary = other.run(plan=options)
        assert sum(summary.pictures.values()) == 2
        assert "done" not in summary.pictures
        assert "unchanged" not in summary.pictures
    shown = other.command("failures", str(other.config_path)).stdout
    assert f"belongs to the config {owner.config_path}" in shown
    assert owner.run().pictures == {"unchanged": 2}


@pytest.mark.parametrize("words", [["plan"], ["status"], ["verify"], ["tune"], ["failures"], ["failures", "retry"]])
def test_a_config_that_does_not_own_the_manifest_is_told_so_by_every_command(world: World, words: list[str]) -> None:
    world.fill(1)
    world.run()
    second = other_config(world)
    done = second.command(*words, str(second.config_path))
    assert (done.returncode, done.stdout) == (ExitStatus.USAGE, "")
    assert f"belongs to the config {world.config_path}, not to {second.config_path}" in done.stderr
    assert "--adopt (the records are taken over" in done.stderr


# -- a manifest that moves


def test_the_records_move_with_the_manifest_and_back(world: World) -> None:
    world.fill(3)
    world.run()
    plain = world.text
    for more, place in (("manifest: a.sqlite\n", "a.sqlite"), ("manifest: b/c.sqlite\n", "b/c.sqlite"), ("", "")):
        world.configure(plain + more)
        summary = world.run()
        assert summary.pictures == {"unchanged": 3}
        assert "the records were moved here from" in summary.warnings[0]
        there = [path.relative_to(world.root) for path in world.root.rglob("*.sqlite")]
        assert there == [Path(place or "out/.pipeline/manifest.sqlite")]
        locks = {str(path.relative_to(world.root)) for path in world.root.rglob("*.lock")}
        assert locks == {f"{name}.lock" for name in (place, "out/.pipeline/manifest.sqlite") if name}
    assert world.run().warnings == ()


def test_before_a_run_moves_the_records_every_command_reads_them_where_they_are(world: World) -> None:
    world.fill(3)
    world.run()
    world.configure(world.text + "manifest: elsewhere.sqlite\n")
    config = str(world.config_path)
    assert world.command("plan", config).stdout == ""
    assert "3 unchanged" in world.command("plan", config).stderr
    assert "3 renditions made" in world.command("status", config).stdout
    assert world.command("verify", config).returncode == ExitStatus.OK
    assert len(world.command("manifest", "export", config).stdout.splitlines()) == 3
    assert not (world.root / "elsewhere.sqlite").exists()


def test_a_manifest_in_a_web_root_is_told_once_with_the_way_out(world: World) -> None:
    world.fill(1)
    world.configure(world.text.replace("target: out", "target: public/out"))
    (world.root / "public").mkdir()
    (warning,) = world.run().warnings
    assert "`manifest: thumbs.manifest.sqlite`" in warning
    assert world.run().warnings == ()
    world.configure(world.text + "manifest: thumbs.manifest.sqlite\n")
    (warning,) = world.run().warnings
    assert "the records were moved here" in warning
    assert not list((world.root / "public").rglob("manifest.sqlite*[!k]"))


def test_a_manifest_whose_config_is_in_the_web_root_too_is_to_be_outside_of_it(world: World) -> None:
    world.fill(1)
    (world.root / "index.html").touch()
    (warning,) = world.run().warnings
    assert f"lies in {world.root}, which looks like a folder that is published: with `manifest:` and a place" in warning
    assert world.run().warnings == ()


def test_a_manifest_begun_anew_says_that_the_target_holds_files_which_no_manifest_knows(world: World) -> None:
    world.fill(3)
    world.run()
    shutil.rmtree(world.target / ".pipeline")
    world.configure(world.text.replace("height: 32", "height: 32, quality: 40"))
    planned = world.command("plan", str(world.config_path), "--summary")
    assert "pipeline: the target holds 3 files that no manifest knows" in planned.stderr
    told = world.command("run", str(world.config_path))
    assert "pipeline: the target holds 3 files that no manifest knows" in told.stderr
    assert "--adopt=replace" in told.stderr.splitlines()[0]
    assert "move it away" in told.stderr.splitlines()[1]
    assert world.command("run", str(world.config_path)).stderr == ""  # it was told, and the failures are known
    assert "knows" not in world.command("plan", str(world.config_path), "--adopt=replace", "--summary").stderr
    world.command("run", str(world.config_path), "--adopt=replace")
    assert "knows" not in world.command("plan", str(world.config_path), "--summary").stderr


def test_a_plan_counts_files_in_the_way_of_a_config_that_has_run(world: World) -> None:
    world.fill(1)
    world.run()
    world.put("a/new.jpg")
    (world.target / "a" / "new-thumb.jpg").write_bytes(b"mine")
    planned = world.command("plan", str(world.config_path))
    assert "the target holds 1 file in the way that no manifest knows" in planned.stderr
    assert "move it away, or run --adopt" in planned.stdout
