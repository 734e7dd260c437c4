"""The deployments under docs/deploy are well formed, and what they run is a command with options that it has."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from pipeline.cli.main import cli
from pipeline.config.load import load

DEPLOY = Path(__file__).parent.parent / "docs" / "deploy"
SCRIPTS = sorted(DEPLOY.glob("*.sh"))
MANIFESTS = sorted(DEPLOY.glob("*.yaml"))
KINDS = {
    "ConfigMap": ("v1", {"data"}),
    "Service": ("v1", {"spec"}),
    "Job": ("batch/v1", {"spec"}),
    "CronJob": ("batch/v1", {"spec"}),
    "Deployment": ("apps/v1", {"spec"}),
    "NetworkPolicy": ("networking.k8s.io/v1", {"spec"}),
}
FIELDS = {  # of Kubernetes' API, as far as they are used here: a wrong one would be dropped in silence
    "spec": {
        *("backoffLimit", "backoffLimitPerIndex", "completionMode", "completions", "concurrencyPolicy", "containers"),
        *("ingress", "jobTemplate", "parallelism", "podFailurePolicy", "podSelector", "policyTypes", "ports"),
        *("replicas", "restartPolicy", "schedule", "selector", "strategy", "suspend", "template"),
        *("terminationGracePeriodSeconds", "volumes"),
    },
    "containers": {"name", "image", "command", "env", "resources", "volumeMounts", "readinessProbe"},
    "volumes": {"name", "configMap", "persistentVolumeClaim"},
    "volumeMounts": {"name", "mountPath"},
    "resources": {"requests", "limits"},
}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def parts(value: Any, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping in it, with the key that it is under."""
    if isinstance(value, dict):
        yield key, value
        for name, part in value.items():
            yield from parts(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from parts(part, key)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each call of `pipeline`, with the file that it is in."""
    for path in MANIFESTS:
        for _, part in parts(documents(path)):
            if isinstance(part.get("command"), list) and part["command"][0] == "pipeline":
                yield path.name, part["command"][1:]
    for path in [*SCRIPTS, DEPLOY / "pipeline.crontab", DEPLOY / "pipeline.service"]:
        for line in path.read_text().splitlines():
            if not line.startswith("#") and (found := re.search(r"\bpipeline ((?:run|manifest merge) [^&\"]*)", line)):
                yield path.name, shlex.split(found[1].replace("${", "$"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash(script: Path) -> None:
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    directives = re.findall(r"^#SBATCH (--[a-z-]+)=\S+$|^#SBATCH (--requeue)$", script.read_text(), re.MULTILINE)
    assert len(directives) == script.read_text().count("#SBATCH")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_has_fields_that_kubernetes_knows(manifest: Path, tmp_path: Path) -> None:
    for document in documents(manifest):
        version, sections = KINDS[document["kind"]]
        assert document["apiVersion"] == version
        assert document.keys() - {"apiVersion", "kind", "metadata"} == sections
        assert re.fullmatch(r"[a-z0-9-]+", document["metadata"]["name"])
        for key, part in parts(document):
            assert part.keys() <= FIELDS.get(key, part.keys()), key
        for text in document.get("data", {}).values():
            (tmp_path / "thumbs.yaml").write_text(text)
            load(tmp_path / "thumbs.yaml")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_what_a_manifest_mounts_and_selects_is_there(manifest: Path) -> None:
    whole = documents(manifest)
    labels = [part["labels"] for _, part in parts(whole) if "labels" in part]
    maps = {document["metadata"]["name"] for document in whole if document["kind"] == "ConfigMap"}
    for _, part in parts(whole):
        if "containers" in part:
            volumes = {volume["name"] for volume in part.get("volumes", [])}
            for container in part["containers"]:
                assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
        if "matchLabels" in part:
            assert any(part["matchLabels"].items() <= some.items() for some in labels)
        if "configMap" in part:
            assert part["configMap"]["name"] in maps


@pytest.mark.parametrize(("file", "words"), list(commands()))
def test_what_it_runs_is_a_command_with_options_that_it_has(file: str, words: list[str]) -> None:
    command: click.Command = cli
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None, file
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known, file


def test_every_deployment_is_in_the_list() -> None:
    listed = set(re.findall(r"\]\(([\w.-]+)\)", (DEPLOY / "README.md").read_text()))
    assert listed == {path.name for path in DEPLOY.iterdir()} - {"README.md"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_are_such_as_systemd_takes(tmp_path: Path) -> None:
    for name in ("pipeline.service", "pipeline.timer"):
        text = (
            (DEPLOY / name).read_text().replace("/usr/local/bin/pipeline", "/bin/true").replace("User=pipeline\n", "")
        )
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in ("pipeline.service", "pipeline.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
