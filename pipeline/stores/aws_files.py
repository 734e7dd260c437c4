"""Keys and region from the files that AWS's own tools use. obstore reads the environment and asks metadata services;
these files it leaves to its caller.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


def from_files() -> dict[str, str]:
    """What the profile (AWS_PROFILE, or `default`) says, in obstore's words; empty where there are no such files.

    Profiles that name a role, a process or a single sign-on are left alone: they hold no keys.
    """
    profile = os.environ.get("AWS_PROFILE") or "default"
    credentials = _section(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", profile)
    config = _section(
        os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config", profile if profile == "default" else f"profile {profile}"
    )
    found = {ours: text for name, ours in _KEYS.items() if (text := credentials.get(name) or config.get(name))}
    if "access_key_id" not in found or "secret_access_key" not in found or "AWS_ACCESS_KEY_ID" in os.environ:
        found = {}
    if "region" in config and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & os.environ.keys():
        found["region"] = config["region"]
    return found


def _section(path: str, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(Path(path).expanduser().read_text(encoding="utf-8"))
        return dict(parser.items(name))
    except (OSError, RuntimeError, UnicodeDecodeError, configparser.Error):  # RuntimeError: there is no home folder
        return {}
