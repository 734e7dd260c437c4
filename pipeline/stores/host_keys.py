"""Which servers SFTP may talk to: those of `known_hosts`, as with ssh. fsspec would take any key of any server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import fsspec

from pipeline.extras import load

_FILES = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
_SCHEME = re.compile("(?:^|::)(sftp|ssh)://")


class HostKeyRefused(Exception):
    """The server has a key that is not known to be its own."""


def options(url: str) -> dict[str, dict[str, Any]]:
    """Options of fsspec by scheme, for those in a URL or a chain. None where paramiko is missing, fsspec is too old to
    have such an option, or its configuration says itself what is to be done with unknown keys.
    """
    schemes = set(_SCHEME.findall(url))
    if not schemes:
        return {}
    try:
        if not hasattr(load("fsspec.implementations.sftp"), "HOST_KEY_POLICIES"):
            return {}
        base = load("paramiko").MissingHostKeyPolicy
    except ImportError:
        return {}
    policy = type("Known", (base,), {"missing_host_key": _check})
    said = {scheme for scheme in schemes if "host_key_policy" in fsspec.config.conf.get(scheme, {})}
    return {scheme: {"host_key_policy": policy} for scheme in schemes - said}


def _check(_policy: object, _client: object, host: str, key: object) -> None:
    """Raise `HostKeyRefused` unless the key of `host` (with its port, if that is another than 22) is in a file."""
    keys = load("paramiko").HostKeys()
    for file in map(Path, _FILES):
        try:
            keys.load(str(file.expanduser()))
        except (OSError, RuntimeError):  # it is not there, or there is no home folder
            continue
    if not keys.check(host, key):
        raise HostKeyRefused
