from __future__ import annotations

import json
import resource
from typing import Any

import pytest

from pipeline.cli import main
from pipeline.doctor import machine, rendering
from pipeline.doctor.finding import Level, ok
from pipeline.manifest.lock import RunLock
from pipeline.model.spec import Format
from pipeline.sources.magic import not_decoded
from tests.world import World


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the child, whose tests are its own."""
    monkeypatch.setattr(rendering, "children", lambda: [ok("children", "not tried")])


def look(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    status = main.status_of(["doctor", str(world.config_path), "--json"])
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def said(findings: list[dict[str, Any]], what: str, level: Level = Level.OK) -> str:
    return "\n".join(
        finding["detail"] for finding in findings if (finding["what"], finding["level"]) == (what, level.value)
    )


def test_a_good_set_up_is_good_before_and_after_its_first_run(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fill(1)
    status, findings = look(world, capsys)
    assert status == 0, findings
    assert "the first run makes it" in said(findings, "target")
    assert "the first run makes it" in said(findings, "manifest")
    for name in Format:
        has = "cannot be had: needs the extra" if name.value in not_decoded() else "writes and reads"
        assert said(findings, f"codec {name}").startswith(has)
    assert "pillow=" in said(findings, "codecs")
    assert said(findings, "optimize") == "mozjpeg, through libvips"
    assert not world.target.exists()
    world.run()
    tree = world.tree()
    status, findings = look(world, capsys)
    assert (status, said(findings, "manifest")) == (0, "whole")
    assert (world.tree(), world.leftovers()) == (tree, [])


@pytest.mark.usefixtures("quick")
def test_what_would_keep_a_run_from_working_is_status_1_with_a_way_out(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.source.rmdir()
    world.target.touch()
    assert main.status_of(["doctor", str(world.config_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"FAIL source: {world.source}: No such file or directory (mount it, or let this user read it)" in lines
    assert f"FAIL target: {world.target} is not a folder (move it away, or name another target)" in lines


@pytest.mark.usefixtures("quick")
def test_a_damaged_manifest_and_one_of_another_config_are_found(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.fill(1)
    world.run()
    other = world.root / "other.yaml"
    other.write_text(world.text)
    assert main.status_of(["doctor", str(other), "--json"]) == 1
    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "thumbs.yaml" in said(findings, "manifest", Level.FAIL)
    path = world.config.manifest
    path.write_bytes(path.read_bytes()[:5000] + b"x" * 5000)
    status, findings = look(world, capsys)
    assert (status, bool(said(findings, "manifest", Level.FAIL))) == (1, True)


@pytest.mark.usefixtures("quick")
def test_a_run_at_work_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fill(1)
    world.run()
    with RunLock(world.config.manifest):
        status, findings = look(world, capsys)
    assert status == 0
    assert "held by process" in said(findings, "lock")


@pytest.mark.usefixtures("quick")
def test_less_than_the_whole_promise_is_a_warning(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.configure(world.text + "workers: {processes: 0, memory: 900 TiB}\n")
    status, findings = look(world, capsys)
    assert status == 0
    assert "no confinement" in said(findings, "workers", Level.WARN)
    assert "only" in said(findings, "memory", Level.WARN)


@pytest.mark.usefixtures("quick")
def test_notices_are_looked_at_and_nobody_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.configure(
        world.text + "notify:\n  ping: {url_env: HC_URL}\n  command: [./tell.sh]\n"
        "  metrics: nowhere/m.prom\n  status_file: s.json\n"
    )
    monkeypatch.delenv("HC_URL", raising=False)
    status, findings = look(world, capsys)
    assert status == 1
    assert said(findings, "notify.ping", Level.WARN) == "HC_URL is not set"
    assert "tell.sh" in said(findings, "notify.command", Level.FAIL)
    assert "nowhere" in said(findings, "notify.metrics", Level.FAIL)
    assert said(findings, "notify.status_file")
    (world.root / "tell.sh").write_text("#!/bin/sh\ntouch told\n")
    (world.root / "tell.sh").chmod(0o755)
    (world.root / "nowhere").mkdir()
    for url, level in (("gopher://s3cret", Level.WARN), ("http://127.0.0.1:1/s3cret", Level.OK)):
        monkeypatch.setenv("HC_URL", url)
        status, findings = look(world, capsys)
        assert status == 0
        assert said(findings, "notify.ping", level)
        assert "s3cret" not in str(findings)
    assert not (world.root / "told").exists()


@pytest.mark.usefixtures("quick")
def test_names_cannot_touch_the_terminal(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.configure('source: "ph\\e[31motos"\ntarget: out\nrenditions: {a: {}}\n')
    assert main.status_of(["doctor", str(world.config_path)]) == 1
    text = capsys.readouterr().out
    assert "ph\\x1b[31motos" in text
    assert "\x1b" not in text


def test_limits_that_a_run_would_meet_are_found(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    low = {
        resource.RLIMIT_NOFILE: 100,
        resource.RLIMIT_FSIZE: 10**6,
        resource.RLIMIT_CPU: 60,
        resource.RLIMIT_AS: 2**20,
    }
    monkeypatch.setattr(resource, "getrlimit", lambda which: (low.get(which, -1),) * 2)
    findings = list(machine.limits(world.config))
    assert [finding.level for finding in findings] == [Level.WARN] * 4


def test_a_child_that_cannot_start_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_WARM_UP", "no.such.module:warm_up")
    (finding,) = rendering.children()
    assert finding.level is Level.FAIL
    assert "could not start" in finding.detail


def test_a_codec_that_does_not_work_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_png", lambda: b"\x89PNG\r\n\x1a\n nothing")
    findings = list(rendering.children())
    broken = [finding for finding in findings if finding.what.startswith("codec ")]
    assert [finding.level for finding in broken] == [Level.FAIL] * len(Format)
