from __future__ import annotations

import pytest

from pipeline.manifest.runs import Experience, RunSummary, Spent, Stages
from pipeline.model.job import Job, Planned
from pipeline.model.record import Reason
from pipeline.model.source import Stat
from pipeline.model.spec import Format, Spec
from pipeline.run.prediction import Forecast, predicted
from tests.world import World, jpeg


def forecast(*sources: tuple[str, int], spec: Spec | None = None) -> Forecast:
    sums = Forecast()
    for name, size in sources:
        planned = (Planned(spec or Spec("thumb"), f"{name}.out", "r", Reason.NEW),)
        sums.add(Job(name, Stat(size, 0, 0), planned))
    return sums


def run(number: int, seconds: float, done: int) -> RunSummary:
    return RunSummary(number, "r", "", (), 0, "", 0.0, seconds, 0, {"done": done}, {}, "")


KNOWN = Experience(
    110,
    {"jpeg": Spent(100, 100_000_000, 10.0), "png": Spent(10, 1_000_000, 1.0)},
    {
        ("thumb", "jpeg", "jpeg"): Spent(100, 500_000, 20.0),
        ("thumb", "jpeg", "png"): Spent(10, 20_000, 1.0),
        ("wide", "webp", "jpeg"): Spent(100, 5_000_000, 90.0),
    },
    {7: Stages(100, 0, 100, 0, read=4.0, encode=6.0)},
)


def test_seconds_follow_bytes_and_kinds() -> None:
    prediction = forecast(("a.jpg", 10_000_000), ("b.JPG", 10_000_000)).prediction(KNOWN, (), workers=1)
    assert prediction is not None
    assert prediction.seconds == pytest.approx(0.4 + 20_000_000 * 1e-7 + 2 * 0.2)
    assert prediction.bytes == 10_000
    assert prediction.pictures == 110


def test_how_much_goes_on_at_once_is_told_by_the_runs_that_still_can() -> None:
    work = forecast(("a.jpg", 100_000_000))
    alone = work.prediction(KNOWN, (), workers=1)
    told = work.prediction(KNOWN, (run(9, 3.0, 50), run(7, 5.4, 100)), workers=1)
    assert alone is not None
    assert told is not None
    assert told.seconds - 0.4 == pytest.approx((alone.seconds - 0.4) / 2)  # run 7: 10 s of work in 5 s
    stale = work.prediction(KNOWN, (run(7, 5.4, 1000),), workers=1)  # most of it was rendered again since
    assert stale == alone


@pytest.mark.parametrize(
    ("spec", "bytes_"),
    [
        (Spec("thumb"), 5_000),
        (Spec("new", format=Format.WEBP), 50_000),  # another name, the same format
        (Spec("new", format=Format.AVIF), 26_286),  # nothing like it: all together
    ],
)
def test_a_rendition_is_judged_by_what_comes_next_to_it(spec: Spec, bytes_: int) -> None:
    prediction = forecast(("a.jpg", 1), spec=spec).prediction(KNOWN, (), workers=1)
    assert prediction is not None
    assert prediction.bytes == bytes_


def test_a_kind_of_source_that_is_new_is_judged_by_all() -> None:
    prediction = forecast(("a.tif", 101_000_000)).prediction(KNOWN, (), workers=1)
    assert prediction is not None
    assert prediction.seconds == pytest.approx(0.4 + 11.0 + 21 / 110)


def test_without_an_earlier_run_nothing_is_claimed(world: World) -> None:
    assert forecast(("a.jpg", 1)).prediction(Experience(0, {}, {}, {}), (), workers=1) is None
    assert predicted(world.config, forecast(("a.jpg", 1))) is None


def test_the_plan_says_what_to_expect(world: World) -> None:
    world.fill(6)
    assert "no earlier run to judge by" in world.command("plan", str(world.config_path)).stderr
    world.run(processes=1)
    forced = world.command("plan", str(world.config_path), "--force").stderr
    assert "judging by 6 pictures" in forced


def test_pictures_that_were_reused_are_no_measure_of_those_to_render(world: World) -> None:
    first = world.put("0.jpg")
    for number in range(1, 5):
        (world.source / f"{number}.jpg").write_bytes(first.read_bytes())
    world.settle()
    assert world.run(threads=1).reused == 4
    other = world.put("other.jpg", jpeg((1, 2, 3)))
    sums = forecast((other.name, other.stat().st_size))
    prediction = predicted(world.config, sums)
    assert prediction is not None
    assert prediction.pictures == 1


def test_status_shows_where_the_time_went(world: World) -> None:
    world.fill(4)
    world.run(processes=1)
    said = world.command("status", "--profile", str(world.config_path)).stdout
    for stage in ("read", "decode", "resize", "encode", "write"):
        assert f"\n  {stage} " in said
    world.run()  # nothing to do: the run before it is shown
    again = world.command("status", "--profile", str(world.config_path)).stdout
    assert "4 pictures" in again


def test_a_profile_of_nothing_says_so(world: World) -> None:
    world.put("readme.txt", b"words")
    world.run()
    said = world.command("status", "--profile", str(world.config_path)).stdout
    assert "nothing to profile" in said
