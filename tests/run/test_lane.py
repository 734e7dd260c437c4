"""What a driver takes from its lane is on the disk, and what it cannot have stays pending."""

from __future__ import annotations

import pytest

from pipeline.errors import TargetTrouble
from pipeline.manifest.store import Manifest
from pipeline.run.driver import Driver
from pipeline.targets.local import LocalTarget
from tests.world import World


def test_folders_are_synced_between_the_last_file_of_an_outcome_and_its_record(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    for owner, name in ((LocalTarget, "write_all"), (LocalTarget, "sync"), (Driver, "_record")):
        real = getattr(owner, name)

        def noted(*given: object, _real=real, _name=name, **more: object) -> object:  # type: ignore[no-untyped-def]
            came = _real(*given, **more)
            if _name != "_record" or (more.get("carried") and given[1]):
                events.append(_name)
            return came

        monkeypatch.setattr(owner, name, noted)
    world.put("a.jpg")
    world.run(threads=1)
    assert events.index("write_all") < events.index("sync") < events.index("_record")


def test_what_cannot_be_synced_is_not_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def sync(self: LocalTarget) -> None:
        raise TargetTrouble("no space left")

    world.fill(3)
    monkeypatch.setattr(LocalTarget, "sync", sync)
    with pytest.raises(TargetTrouble):
        world.run()
    with Manifest.reader_at(world.config.manifest) as reader:
        assert reader.known_sources("") == {}
    monkeypatch.undo()
    assert world.run().pictures == {"done": 3}
