"""Tar shards as a target: whole samples, the same bytes for any workers, and only what has changed written again."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import ExitStatus, TargetTrouble, UsageError
from pipeline.manifest.shards import Shards
from pipeline.manifest.store import Manifest
from pipeline.plan.options import PlanOptions
from pipeline.plan.shard import Shard
from pipeline.run import packing
from pipeline.run.prune import look, prune
from pipeline.run.verify import line, verify
from pipeline.targets import shards, tar
from tests.site import serving
from tests.world import World, jpeg

pytestmark = pytest.mark.usefixtures("settled")

ONE = "renditions:\n  thumb: {width: 16}\n"
TWO = "renditions:\n  big: {width: 32}\n  small: {width: 16, format: png}\n"


def _configure(world: World, renditions: str = ONE, pictures: int = 4, durability: str = "none") -> None:
    """Without syncs, of which a test makes dozens: `scripts/power_cut.py` is about them."""
    keys = f"path: out, shards: webdataset, pictures: {pictures}, durability: {durability}"
    world.configure(f"source: photos\ntarget: {{{keys}}}\n{renditions}")


@pytest.fixture
def ten(world: World) -> World:
    """Ten pictures in shards of four."""
    _configure(world)
    world.fill(10)
    return world


def _twin(world: World) -> World:
    """Another world like `ten`, beside it."""
    (world.root / "twin").mkdir()
    twin = World(world.root / "twin")
    _configure(twin)
    twin.fill(10)
    return twin


def _shards(world: World) -> dict[str, str]:
    """The hash of each shard by its name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(world.target.glob("*.tar"))}


def _members(world: World, name: str) -> dict[str, bytes]:
    with tarfile.open(world.target / name) as shard:
        return {member.name: shard.extractfile(member).read() for member in shard}  # type: ignore[union-attr]


def _waiting(world: World) -> int:
    return sum(not path.name.startswith(".") for path in (world.target / ".pipeline/waiting").iterdir())


def _verified(world: World) -> list[str]:
    return [line(problem) for problem in verify(world.config, lambda read: None).problems]


def test_columns_and_types_that_only_later_pictures_of_a_list_have_are_in_all_shards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_is_written = threading.Event()
    placed = shards.ShardTarget.placed

    def told(*arguments: Any) -> None:
        placed(*arguments)
        first_is_written.set()

    monkeypatch.setattr(shards.ShardTarget, "placed", told)
    with serving() as site:
        site.pages = {f"/{number}.jpg": jpeg((10 * number, 9, 9)) for number in range(4)}
        third = jpeg((20, 9, 9))
        site.pages["/2.jpg"] = lambda request: request.reply(third if first_is_written.wait(10) else b"")
        rows = [
            {
                "url": f"{site.root}/{number}.jpg",
                "said": str(number) if number > 1 else None,
                "number": number + 0.5 if number > 2 else number,
            }
            for number in range(4)
        ]
        (world.root / "urls.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        source = "{path: urls.jsonl, columns: [number, said], fetch: {allow_private: true, rate: unlimited}}"
        world.configure(f"source: {source}\ntarget: {{path: out, shards: webdataset, pictures: 2}}\n{ONE}")
        world.run(threads=1, processes=0)
    members = _members(world, "000000.tar") | _members(world, "000001.tar")
    told_of = [json.loads(member) for name, member in members.items() if name.endswith("json")]
    assert [row["list_said"] for row in told_of] == ["", "", "2", "3"]
    assert [str(row["list_number"]) for row in told_of] == ["0.0", "1.0", "2.0", "3.5"]


def test_pictures_are_in_shards_in_their_order_with_their_record_beside_them(ten: World) -> None:
    _configure(ten, durability="sync")
    summary = ten.run()
    assert (summary.pictures, summary.shards) == ({"done": 10}, 3)
    assert list(_shards(ten)) == ["000000.tar", "000001.tar", "000002.tar"]
    names = [name for shard in _shards(ten) for name in _members(ten, shard)]
    keys = [f"{folder}/{number:03}" for folder in "abc" for number in range(10) if "abc"[number % 3] == folder]
    assert names == [f"{key}.{suffix}" for key in keys for suffix in ("jpg", "json")]
    members = _members(ten, "000000.tar")
    row = json.loads(members["a/000.json"])
    assert (row["source"], row["rendition"], row["width"]) == ("a/000.jpg", "thumb", 16)
    assert row["sha256"] == hashlib.sha256(members["a/000.jpg"]).hexdigest()
    assert not row.keys() & {"reason", "status", "target", "run"}
    assert (_waiting(ten), _verified(ten)) == (0, [])


def test_nothing_in_a_shard_says_when_or_by_whom_it_was_written(ten: World) -> None:
    ten.run()
    with tarfile.open(ten.target / "000000.tar") as shard:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in shard} == {(0, 0, 0, "", "", 0o644)}


def test_several_renditions_are_one_sample(world: World) -> None:
    _configure(world, TWO)
    world.fill(2)
    world.run()
    members = _members(world, "000000.tar")
    assert list(members)[:3] == ["a/000.big.jpg", "a/000.small.png", "a/000.json"]
    row = json.loads(members["a/000.json"])
    assert {name: each["width"] for name, each in row["renditions"].items()} == {"big": 32, "small": 16}


def test_keys_have_no_dots_and_lead_back_to_the_source(world: World) -> None:
    _configure(world)
    names = ("v1.2/my.photo.jpg", "v1.2/my%2Ephoto.jpg", "caf\udce9/x\ny.jpg", f"{'long' * 60}.jpg")
    for name in names:
        world.put(name)
    assert world.run().pictures == {"done": 4}
    pictures = [name for name in _members(world, "000000.tar") if name.endswith(".jpg")]
    assert sorted(pictures) == [
        "caf%E9/x%0Ay.jpg",
        f"{'long' * 60}.jpg",
        "v1%2E2/my%252Ephoto.jpg",
        "v1%2E2/my%2Ephoto.jpg",
    ]
    assert world.run().pictures == {"unchanged": 4}


def test_shards_are_the_same_for_any_threads_and_lanes(ten: World) -> None:
    ten.run(threads=1)
    other = _twin(ten)
    other.run(threads=3, lanes=2, processes=2)
    assert _shards(other) == _shards(ten)


def test_only_the_shard_of_a_changed_picture_is_written_again(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    ten.put("a/003.jpg", jpeg((1, 2, 3)))
    summary = ten.run()
    assert (summary.pictures, summary.shards) == ({"done": 1, "unchanged": 9}, 1)
    after = _shards(ten)
    assert [name for name in after if after[name] != before[name]] == ["000000.tar"]
    assert (ten.run().pictures, _verified(ten), _waiting(ten)) == ({"unchanged": 10}, [], 0)


def test_new_pictures_fill_the_last_shard_and_move_nothing(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    for number in range(4):
        ten.put(f"a/new{number}.jpg")
    assert ten.run().shards == 2
    after = _shards(ten)
    assert [name for name in after if after[name] != before.get(name)] == ["000002.tar", "000003.tar"]
    keys = [name for name in _members(ten, "000002.tar") if name.endswith(".jpg")]
    assert keys == ["a/new0.jpg", "a/new1.jpg", "c/005.jpg", "c/008.jpg"]


def test_failed_pictures_are_left_out_until_they_are_mended(ten: World) -> None:
    ten.put("a/003.jpg", jpeg()[:300])
    assert ten.run().pictures == {"done": 9, "failed": 1}
    assert [len(_members(ten, name)) for name in _shards(ten)] == [8, 8, 2]
    assert ten.run().shards == 0
    ten.put("a/003.jpg")
    assert ten.run().pictures == {"done": 1, "unchanged": 9}
    assert next(iter(_members(ten, "000002.tar"))) == "a/003.jpg"


def test_what_was_made_of_a_picture_stays_when_it_cannot_be_made_again(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    ten.put("a/003.jpg", jpeg()[:300])
    assert ten.run().pictures == {"failed": 1, "unchanged": 9}
    assert _members(ten, "000000.tar").keys() >= {"a/003.jpg"}
    assert list(_shards(ten)) == list(before)


def test_pictures_that_are_gone_are_orphans_and_leave_their_shard_when_pruned(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    for number in (0, 3):
        (ten.source / f"a/{number:03}.jpg").unlink()
    assert (ten.run().orphans, _shards(ten)) == (2, before)
    assert [verdict.fate for verdict in look(ten.config).verdicts] == ["to be removed"] * 2
    assert [verdict.fate for verdict in prune(ten.config, force=True).verdicts] == ["removed"] * 2
    assert list(_members(ten, "000000.tar")) == ["a/006.jpg", "a/006.json", "a/009.jpg", "a/009.json"]
    summary = ten.run(prune=True)
    assert (summary.pictures, summary.orphans, _verified(ten)) == ({"unchanged": 8}, 0, [])


def test_a_shard_of_which_nothing_is_left_is_removed(world: World) -> None:
    _configure(world, pictures=1)
    world.fill(9)
    world.run()
    (world.source / "a/000.jpg").unlink()
    world.run()
    assert world.run(prune=True).removed == 1
    assert list(_shards(world)) == [f"{number:06}.tar" for number in range(1, 9)]
    assert (world.run(prune=True).pictures, _verified(world)) == ({"unchanged": 8}, [])


def test_another_file_with_the_name_of_a_shard_stays_when_nothing_is_left_in_the_shard(world: World) -> None:
    _configure(world, pictures=1)
    world.fill(2)
    world.run()
    (world.source / "a/000.jpg").unlink()
    world.run()
    (world.target / "000000.tar").write_text("mine")
    prune(world.config, force=True)
    assert (world.target / "000000.tar").read_text() == "mine"
    assert (world.run().pictures, _verified(world)) == ({"unchanged": 1}, ["000000.tar: foreign"])


def test_a_damaged_or_missing_shard_is_found_and_made_again(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    (ten.target / "000000.tar").unlink()
    with open(ten.target / "000001.tar", "r+b") as shard:
        shard.write(b"damage")
    (ten.target / "mine.txt").write_text("x")
    assert _verified(ten) == [
        "000000.tar: missing",
        "000001.tar: damaged (same size, other content)",
        "mine.txt: foreign",
    ]
    assert ten.run().pictures == {"done": 8, "unchanged": 2}
    (ten.target / "mine.txt").unlink()
    assert _shards(ten) == before


def test_a_shard_that_was_deleted_comes_back_without_what_cannot_be_made_again(ten: World) -> None:
    ten.run()
    ten.put("a/003.jpg", jpeg()[:300])
    ten.run()
    (ten.target / "000000.tar").unlink()
    summary = ten.run()
    assert (summary.pictures, summary.shards) == ({"done": 3, "known failure": 1, "unchanged": 6}, 1)
    assert summary.warnings == ("000000.tar: a picture is left out whose renditions are gone and were not made again",)
    assert [name for name in _members(ten, "000000.tar") if name.endswith(".jpg")] == [
        "a/000.jpg",
        "a/006.jpg",
        "a/009.jpg",
    ]
    again = ten.run()
    assert (again.shards, again.warnings, _verified(ten), _waiting(ten)) == (0, (), [], 0)
    ten.put("a/003.jpg")
    ten.run()
    assert _members(ten, "000000.tar").keys() >= {"a/003.jpg", "a/003.json"}


def test_samples_have_the_renditions_of_todays_config(ten: World) -> None:
    renditions = (ONE.replace("thumb", "small"), TWO.replace("png", "jpeg"), ONE.replace("thumb", "big"))
    ten.run()
    for asked, names in zip(renditions, (["jpg"], ["big.jpg", "small.jpg"], ["jpg"]), strict=True):
        _configure(ten, asked)
        assert ten.run().status == ExitStatus.OK
        expected = {f"a/{number:03}.{name}" for number in (0, 3, 6, 9) for name in [*names, "json"]}
        assert _members(ten, "000000.tar").keys() == expected
        assert (_verified(ten), _waiting(ten)) == ([], 0)


def test_a_rendition_that_is_taken_away_leaves_the_shards_at_once_and_a_picture_when_it_is_pruned(world: World) -> None:
    _configure(world, TWO + "  third: {width: 8}\n")
    world.fill(3)
    world.run()
    (world.source / "c/002.jpg").unlink()
    _configure(world, TWO)
    assert (world.run().orphans, "a/000.third.jpg" in _members(world, "000000.tar")) == (5, False)
    assert "c/002.big.jpg" in _members(world, "000000.tar")
    assert world.run().shards == 0


def test_a_picture_of_which_only_a_former_rendition_has_failed_is_in_a_shard(world: World) -> None:
    _configure(world, ONE + "  tight: {width: 60, max_bytes: 100}\n")
    world.fill(2)
    assert (world.run().pictures, _shards(world)) == ({"failed": 2}, {})
    _configure(world)
    world.run()
    assert list(_shards(world)) == ["000000.tar"]


def _rot(path: Path, at: int) -> None:
    """Change a byte without a trace in the stat."""
    content, stat = bytearray(path.read_bytes()), path.stat()
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_force_mends_a_shard_that_has_rotted_without_a_trace_in_its_stat(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    _rot(ten.target / "000001.tar", 600)
    assert ten.run().pictures == {"unchanged": 10}
    assert ten.run(plan=PlanOptions(force=True)).pictures == {"done": 10}
    assert (_shards(ten), _waiting(ten), _verified(ten)) == (before, 0, [])


def test_prune_says_that_a_shard_cannot_be_written_because_others_in_it_are_damaged(ten: World) -> None:
    ten.run()
    (ten.source / "a/000.jpg").unlink()
    ten.run()
    _rot(ten.target / "000000.tar", _place(ten, "000000.tar", "a/003.jpg"))
    pruned = ten.command("prune", str(ten.config_path), "--delete")
    assert "000000.tar is not written yet: 1 of its renditions are damaged" in pruned.stderr
    ten.run()
    ten.run()
    assert (_verified(ten), ten.run().pictures) == ([], {"unchanged": 9})


def _place(world: World, shard: str, name: str) -> int:
    with tarfile.open(world.target / shard) as file:
        return file.getmember(name).offset_data


def test_a_file_in_the_way_of_a_shard_is_never_written_over(ten: World) -> None:
    ten.target.mkdir()
    (ten.target / "000001.tar").write_text("mine")
    with pytest.raises(TargetTrouble, match=r"000001\.tar: a file that this config did not make"):
        ten.run()
    assert (ten.target / "000001.tar").read_text() == "mine"
    (ten.target / "000001.tar").unlink()
    assert ten.run().shards == 2
    assert _verified(ten) == []


def test_shards_of_a_lost_manifest_are_taken_over_if_they_are_the_same(ten: World) -> None:
    ten.run()
    before = _shards(ten)
    for path in (ten.target / ".pipeline").glob("manifest*"):
        path.unlink()
    assert ten.run().pictures == {"done": 10}
    assert (_shards(ten), _verified(ten), ten.run().pictures) == (before, [], {"unchanged": 10})


def test_pictures_that_are_damaged_while_they_wait_are_made_again(ten: World) -> None:
    with Manifest.for_config(ten.config):
        pass
    ten.run(plan=PlanOptions(limit=2))
    ten.put("a/003.jpg", jpeg((1, 2, 3)))

    class _Stop(Exception):
        pass

    def stopped(*_arguments: object, **_options: object) -> None:
        raise _Stop

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Stop):
        patch.setattr(packing.Packing, "end", stopped)
        ten.run()
    for path in (ten.target / ".pipeline/waiting").iterdir():
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        stat = path.stat()
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    summary = ten.run()
    assert "are damaged, and the next run makes them again" in " ".join(summary.warnings)
    ten.run()
    assert (_waiting(ten), _verified(ten), ten.run().pictures) == (0, [], {"unchanged": 10})


@pytest.mark.parametrize("where", ["begin", "put", "finish", "forget"])
def test_a_kill_at_any_step_of_writing_a_shard_leaves_what_the_next_run_goes_on_from(ten: World, where: str) -> None:
    ten.run()
    ten.put("a/003.jpg", jpeg((1, 2, 3)))

    class _Killed(BaseException):
        pass

    owner = {"put": tar.TarOutput, "forget": shards.ShardTarget}.get(where, Shards)
    original = getattr(owner, where)

    def killed(*arguments: Any, **options: Any) -> None:
        if where in ("begin", "put"):
            original(*arguments, **options)
        raise _Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(owner, where, killed)
        ten.run()
    after = ten.run()
    assert (after.pictures.get("failed"), _verified(ten), _waiting(ten)) == (None, [], 0)
    whole = _twin(ten)
    whole.put("a/003.jpg", jpeg((1, 2, 3)))
    whole.run()
    assert _shards(whole) == _shards(ten)


@contextmanager
def _at_work(world: World) -> Iterator[packing.Packing]:
    """A run that has made all renditions and no shard yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing.Packing, "end", lambda self, orphans, *, complete: None)
        patch.setattr(packing.Packing, "step", lambda self: None)
        world.run()
    assert (_waiting(world), _shards(world)) == (10, {})
    with Manifest.for_config(world.config) as manifest:
        target = shards.ShardTarget(world.config.target, "run")
        target.remember(manifest.shards)
        with closing(packing.Packing(target, world.config, manifest, lambda: None)) as pack:
            yield pack


def test_while_a_run_works_only_shards_before_the_first_picture_in_hand_are_written(ten: World) -> None:
    with _at_work(ten) as pack:
        for source in ("b/004.jpg", "c/002.jpg"):
            pack.expect(source)
        for name in ten.source.glob("?/*"):
            pack.came(name.name)
        pack.step()
        pack.wait()
        assert list(_shards(ten)) == ["000000.tar"]  # the fifth picture is before the one in hand, and fills none
        pack.came("b/004.jpg")
        pack.came("c/002.jpg")
        pack.end((), complete=False)
        assert list(_shards(ten)) == ["000000.tar"]  # nothing says that all pictures have been looked at
        pack.end((), complete=True)
    assert list(_shards(ten)) == ["000000.tar", "000001.tar", "000002.tar"]


def test_the_driver_goes_on_while_a_shard_is_written(ten: World, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    place = shards.ShardTarget.place

    def slow(*arguments: Any, **options: Any) -> bool:
        return go_on.wait() and place(*arguments, **options)

    monkeypatch.setattr(shards.ShardTarget, "place", slow)
    with _at_work(ten) as pack:
        pack.expect("b/004.jpg")
        for name in ten.source.glob("?/*"):
            pack.came(name.name)
        pack.step()
        pack.step()
        assert (pack.count, _shards(ten)) == (0, {})
        go_on.set()
        pack.wait()
        assert (pack.count, list(_shards(ten))) == (1, ["000000.tar"])


def test_a_shard_gets_no_name_any_more_when_its_run_is_over(ten: World, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs, is_over = threading.Event(), threading.Event()
    finish = tar.TarOutput.finish

    def slow(*arguments: Any, **options: Any) -> tuple[int, bytes]:
        syncs.set()
        return finish(*arguments, **options) if is_over.wait(60) else (0, b"")

    monkeypatch.setattr(tar.TarOutput, "finish", slow)
    monkeypatch.setattr(packing, "_PATIENCE", 0.0)
    with _at_work(ten) as pack:
        pack.expect("b/004.jpg")
        for name in ten.source.glob("?/*"):
            pack.came(name.name)
        pack.step()
        assert syncs.wait(60)
        pack.close()
        is_over.set()
        pack._thread.join(60)
        assert [name for name in os.listdir(ten.target) if "pipeline-" in name or name.endswith(".tar")] == []


def test_exports_say_in_which_shard_a_picture_is(ten: World) -> None:
    ten.put("c/008.jpg", jpeg()[:300])
    ten.run()
    exported = ten.command("manifest", "export", str(ten.config_path)).stdout.splitlines()
    shard_of = {row["source"]: row["tar_shard"] for row in map(json.loads, exported)}
    assert [shard_of[f"{name}.jpg"] for name in ("a/000", "b/001", "c/005", "c/008")] == [
        "000000.tar",
        "000001.tar",
        "000002.tar",
        None,
    ]


def test_files_that_were_made_before_there_were_shards_are_orphans(world: World) -> None:
    world.fill(2)
    world.run()
    _configure(world)
    assert (world.run().pictures, world.run(prune=True).removed) == ({"done": 2}, 2)
    assert (list(world.tree()), _verified(world)) == (["000000.tar"], [])


def test_what_does_not_go_with_shards_is_one_line(ten: World) -> None:
    with pytest.raises(UsageError, match="--shard is for files"):
        ten.run(plan=PlanOptions(shard=Shard(1, 2)))
    with pytest.raises(UsageError, match="--adopt is for files"):
        ten.run(plan=PlanOptions(adopt=True))
    ten.run()
    for form in ("hf", "srcset"):
        done = ten.command("manifest", "export", str(ten.config_path), "--format", form)
        assert (done.returncode, done.stdout) == (ExitStatus.USAGE, "")


def test_webdataset_and_datasets_read_the_shards(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets
    from webdataset.tariterators import group_by_keys, tar_file_expander

    _configure(world, TWO, pictures=3)
    world.fill(6)
    frames = [Image.new("RGB", (32, 24), shade) for shade in ("red", "blue")]
    frames[0].save(world.source / "c/film.gif", save_all=True, append_images=frames[1:])  # the first with a warning
    world.settle()
    world.run()
    urls = [str(world.target / name) for name in _shards(world)]
    with ExitStack() as stack:
        streams = [{"url": url, "stream": stack.enter_context(open(url, "rb"))} for url in urls]
        samples = list(group_by_keys(tar_file_expander(streams)))
    assert [sample["__key__"] for sample in samples] == ["a/000", "a/003", "b/001", "b/004", "c/002", "c/005", "c/film"]
    assert Image.open(io.BytesIO(samples[0]["big.jpg"])).size == (32, 24)
    assert json.loads(samples[0]["json"])["source"] == "a/000.jpg"
    loaded = datasets.load_dataset(
        "webdataset", data_files={"train": urls}, cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert loaded["__key__"] == ["a/000", "a/003", "b/001", "b/004", "c/002", "c/005", "c/film"]
    assert loaded[0]["small.png"].size == (16, 12)
    warnings = [row["renditions"]["big"]["warnings"] for row in loaded["json"][5:]]
    assert (warnings[0], warnings[1].partition(":")[0]) == ("", "first of 2 frames only")


def test_a_disk_that_is_full_while_a_shard_is_written_ends_the_run_and_leaves_nothing_half_written(
    ten: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(TargetTrouble, match="no space left"):
        patch.setattr(tar, "write", full)
        ten.run()
    assert [path.name for path in ten.target.iterdir()] == [".pipeline"]
    assert ten.run().shards == 3
    assert (_verified(ten), _waiting(ten)) == ([], 0)
