"""A service for systemd, with a timer or for `watch`: it has only the rights that a run needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.timing import Timing
from pipeline.config.settings import Config
from pipeline.errors import ExitStatus, UsageError, printable

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./$-]+")
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - where paths may be, not where files are written
_FINE = (ExitStatus.TIME_UP, ExitStatus.LOCKED, ExitStatus.TERMINATED)  # statuses that are no failure of the unit
_KEPT_UP = (
    "# Not after a wrong config: it has to be mended first, and then started again.",
    "Restart=on-failure",
    "RestartSec=30",
    f"RestartPreventExitStatus={ExitStatus.USAGE.value}",
)


@dataclass(frozen=True, slots=True)
class Units:
    """The files by name, and the one to enable: the timer, or the service of a watch."""

    enabled: str
    files: dict[str, str]


def units(config: Config, command: str, words: Sequence[str], when: Timing | None, user: str | None) -> Units:
    """The units that run `words`, which begin our `command` for `config`, at times or (`when` None) all the time.
    `user` None: `User=` is left to be filled in.

    Raises `UsageError` for a path that a unit cannot hold.
    """
    name = unit_name(config.path) + ("" if command == "run" else f"-{command}")
    title = f"pipeline {command}: {printable(str(config.path))}".replace("%", "%%")
    service = [
        "[Unit]",
        f"Description={title}",
        f"RequiresMountsFor={_paths(_places(config))}",
        *(
            ("Wants=network-online.target", "After=network-online.target")
            if config.notify.ping or _uses_network(config)
            else ()
        ),
        "",
        "[Service]",
        "Type=oneshot" if when else "Type=exec",
        f"ExecStart={command_line(words)}",
        *([] if when else _KEPT_UP),
        *(line for line, wanted in _service(config, name, user) if wanted),
        *([] if when else ["", "[Install]", "WantedBy=multi-user.target"]),
    ]
    if when is None:
        return Units(f"{name}.service", {f"{name}.service": "\n".join(service) + "\n"})
    timer = [
        "[Unit]",
        f"Description={title}, {when.words}",
        "",
        "[Timer]",
        f"OnCalendar={when.calendar}",
        "# After a night without power, at the next start.",
        "Persistent=true",
        "# Not all machines of a site at the same second, but each at its own.",
        f"RandomizedDelaySec={'1min' if when.every == 'hour' else '5min'}",
        "FixedRandomDelay=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    files = {f"{name}.service": "\n".join(service) + "\n", f"{name}.timer": "\n".join(timer) + "\n"}
    return Units(f"{name}.timer", files)


def unit_name(config: Path) -> str:
    """`pipeline-site-thumbs` for /srv/site/thumbs.yaml, `pipeline-site` for /srv/site/pipeline.yaml: folder and config,
    because most projects have a pipeline.yaml.
    """
    words = [word for word in (config.parent.name, config.stem) if word and word != "pipeline"]
    return "-".join(["pipeline", *(re.sub(r"[^A-Za-z0-9_.-]+", "-", word) for word in words)])


def _places(config: Config) -> tuple[Path, ...]:
    """All files and folders that a run uses."""
    return (
        config.path,
        *(source.path for source in config.sources if source.path),
        *config.target.folders,
        config.manifest,
    )


def _uses_network(config: Config) -> bool:
    """Whether a source or the target is no folder, or the workers are those of a cluster."""
    elsewhere = config.target.store is not None or any(not source.is_folder for source in config.sources)
    return elsewhere or config.executor is not None


def _uses_stores(config: Config) -> bool:
    return config.target.store is not None or any(source.store for source in config.sources)


def _service(config: Config, name: str, user: str | None) -> Iterator[tuple[str, bool]]:
    """The lines that limit the service, each with whether it applies."""
    notify = config.notify
    speaks = bool(notify.ping or notify.command)
    online = speaks or _uses_network(config)
    everything = _places(config)
    yield f"User={user}", user is not None
    yield "# A user with the right to read the source and write the target; root is not needed.\n#User=", user is None
    secrets = [f"# {notify.ping}=https://..."] if notify.ping else []
    secrets += ["# The credentials of the store: AWS_ACCESS_KEY_ID=..., say"] if _uses_stores(config) else []
    yield "\n".join([*secrets, f"EnvironmentFile=-/etc/pipeline/{name}.env"]), bool(secrets)
    yield "# Out of time, another run at work, stopped on purpose: no failures.", True
    yield f"SuccessExitStatus={' '.join(str(int(status)) for status in _FINE)}", True
    yield "Nice=10", True
    yield "CPUWeight=50", True
    yield "IOSchedulingClass=best-effort\nIOSchedulingPriority=7", True
    yield f"MemoryMax={_memory(config)}", True
    yield "# A child that takes too much costs one picture, not the run.\nOOMPolicy=continue", True
    yield "# The run ends its children itself, within ten seconds.\nKillMode=mixed\nTimeoutStopSec=20", True
    yield "", True
    yield "ProtectSystem=strict", True
    yield f"ReadWritePaths={_paths(_written(config))}", True
    yield f"ProtectHome={'read-only' if speaks or _below(everything, _HOMES) else 'yes'}", True
    yield f"PrivateTmp={'no' if _below(everything, _TEMPORARY) else 'yes'}", True
    yield "PrivateNetwork=yes", not online
    yield f"RestrictAddressFamilies=AF_UNIX{' AF_INET AF_INET6 AF_NETLINK' if online else ''}", True
    yield "CapabilityBoundingSet=", user not in (None, "root")
    for setting in (
        "NoNewPrivileges",
        "PrivateDevices",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "LockPersonality",
        "RestrictNamespaces",
        "RestrictRealtime",
        "RestrictSUIDSGID",
    ):
        yield f"{setting}=yes", True
    yield "SystemCallArchitectures=native", True
    yield "SystemCallFilter=@system-service", True
    yield "# With these the children shut themselves in.", True
    yield "SystemCallFilter=seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self", True
    yield "SystemCallErrorNumber=EPERM", True


def _memory(config: Config) -> str:
    """The memory limit of the service: the pictures' budget, the processes' own memory, and some room."""
    budget = config.workers.memory
    return "80%" if budget is None else f"{(budget * 3 // 2 >> 20) + 1024}M"


def _written(config: Config) -> list[Path]:
    """The folders in which a run writes, none inside another."""
    files = (config.manifest, config.notify.metrics, config.notify.status_file, config.report)
    folders = {*config.target.folders, *(file.parent for file in files if file)}
    return sorted(folder for folder in folders if not any(other in folder.parents for other in folders))


def _below(paths: Iterable[Path], folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for path in paths for folder in folders)


def _paths(paths: Iterable[Path]) -> str:
    """A list of paths as systemd reads it: in either kind of quotes, backslashes as they are, % doubled."""
    return " ".join(dict.fromkeys(quoted_path(str(path)) for path in paths))


def quoted_path(path: str) -> str:
    """One path as systemd reads it; see `_paths`. Raises `UsageError` where it cannot hold the path."""
    escaped = path.replace("%", "%%")
    if _PLAIN.fullmatch(escaped):
        return escaped
    quotes = [quote for quote in "\"'" if quote not in escaped]
    if not quotes:
        raise UsageError(f"{printable(path)}: systemd cannot hold a path with both kinds of quotes; rename it")
    return quotes[0] + escaped + quotes[0]


def command_line(words: Sequence[str]) -> str:
    """A command as systemd reads it: C escapes in quotes, % doubled, and $ too, but in the first word."""
    first, *rest = (word.replace("%", "%%") for word in words)
    quoted = []
    for word in (first, *(word.replace("$", "$$") for word in rest)):
        escaped = re.sub(r'([\\"])', r"\\\1", word)
        quoted.append(word if _PLAIN.fullmatch(word) else f'"{escaped}"')
    return " ".join(quoted)
