from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from pipeline.config.settings import CommandSettings, NotifySettings
from pipeline.notify.notices import Notices
from tests.notify.conftest import BAD, GOOD, RID, RUN, Service


def test_everybody_is_told(tmp_path: Path, service: Service) -> None:
    command = CommandSettings(("sh", "-c", "cat > told"))
    settings = NotifySettings("HC_URL", command, tmp_path / "m.prom", tmp_path / "status.json")
    notices = Notices(settings, tmp_path, service.url)
    notices.begun(RUN)
    assert notices.ended(BAD) == ()
    assert [path for _, path, _ in service.asked] == [f"/s3cret/start?rid={RID}", f"/s3cret/1?rid={RID}"]
    assert service.asked[1][2] == f"{BAD.sentence}\n{BAD.failures[0]}"
    assert (tmp_path / "told").read_bytes() == (tmp_path / "status.json").read_bytes()
    assert json.loads((tmp_path / "told").read_text())["run"] == RUN
    assert "pipeline_last_run_exit_status" in (tmp_path / "m.prom").read_text()
    assert sorted(os.listdir(tmp_path)) == ["m.prom", "status.json", "told"]


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_metrics_can_be_read_by_all_and_the_status_file_by_whom_the_umask_says(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        Notices(NotifySettings(None, None, tmp_path / "m.prom", tmp_path / "s.json"), tmp_path, None).ended(GOOD)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("m.prom", "s.json")]
    assert modes == [0o644, 0o664 & ~mask]


def test_each_trouble_is_one_line_and_keeps_nobody_else_from_being_told(tmp_path: Path) -> None:
    settings = NotifySettings(
        "HC_URL", CommandSettings(("false",)), tmp_path / "none" / "m.prom", tmp_path / "status.json"
    )
    warnings = Notices(settings, tmp_path, None).ended(BAD)
    assert warnings == (
        "notify.ping: the environment variable HC_URL is not set",
        f"notify.metrics: cannot write {tmp_path}/none/m.prom: No such file or directory",
        "notify.command: ended with status 1",
    )
    assert (tmp_path / "status.json").exists()


def test_a_url_that_is_none_is_told_without_being_shown(tmp_path: Path) -> None:
    (warning,) = Notices(NotifySettings("HC_URL"), tmp_path, "gopher://s3cret").ended(GOOD)
    assert "HC_URL" in warning
    assert "s3cret" not in warning


def test_what_was_left_by_a_kill_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".s.json.{os.getpid()}.new").symlink_to(tmp_path / "elsewhere")
    assert Notices(NotifySettings(status_file=tmp_path / "s.json"), tmp_path, None).ended(GOOD) == ()
    assert os.listdir(tmp_path) == ["s.json"]


def test_in_a_hurry_nobody_takes_longer_than_the_patience(tmp_path: Path, service: Service) -> None:
    service.hold.clear()
    command = CommandSettings(("sleep", "1000"))
    warnings = Notices(NotifySettings("HC_URL", command), tmp_path, service.url).ended(BAD, 0.2)
    assert warnings == ("notify.command: killed after 0.5 s", "notify.ping: no answer in time")


def _writing(key: str, path: Path) -> NotifySettings:
    return NotifySettings(
        metrics=path if key == "metrics" else None, status_file=path if key == "status_file" else None
    )


@pytest.mark.parametrize("key", ["metrics", "status_file"])
def test_a_file_that_no_run_wrote_is_left_as_it_is(tmp_path: Path, key: str) -> None:
    path = tmp_path / "mine"
    settings = _writing(key, path)
    for content in (b"my notes\n", b"{}", b"\xff\xd8\xff\xe0"):
        path.write_bytes(content)
        (warning,) = Notices(settings, tmp_path, None).ended(GOOD)
        assert warning == f"notify.{key}: {path}: no run has written what is there; name another place"
        assert path.read_bytes() == content
    path.write_bytes(b"")
    for outcome in (GOOD, BAD):
        assert Notices(settings, tmp_path, None).ended(outcome) == ()


@pytest.mark.parametrize("key", ["metrics", "status_file"])
def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (warning,) = Notices(_writing(key, tmp_path / "pipe"), tmp_path, None).ended(GOOD)
    assert "no run has written" in warning
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
