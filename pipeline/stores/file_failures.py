"""The errors of fsspec's packages as `StoreFailure`. Their own texts may hold what is secret: none is passed on."""

from __future__ import annotations

import errno
import re

from pipeline.extras import how_to_install
from pipeline.stores.host_keys import HostKeyRefused
from pipeline.stores.store import Fault, StoreFailure

_PACKAGES = {"smbclient": "smbprotocol", "libarchive": "libarchive-c"}  # that are not named like their module
_REFUSED = re.compile("Auth|Logon|HostKey|PasswordRequired|AccessDenied")
_UNKNOWN_KEY = "has a key that is not in ~/.ssh/known_hosts: connect to it with ssh once, and compare the key"
_CONNECTION = re.compile("Connect|SSH|Timeout|Transport|NetworkE|Protocol")


def failure_of(error: Exception) -> StoreFailure:
    """What `error`, of any package, means."""
    name = type(error).__name__
    status = getattr(getattr(error, "response", None), "status_code", None)  # of packages that speak HTTP
    if isinstance(error, ImportError):
        return StoreFailure(Fault.NO_STORE, _lacking(error))
    if isinstance(error, UnicodeDecodeError):
        return StoreFailure(Fault.BAD_NAME, "has a file whose name is not UTF-8")
    if is_missing(error):
        return StoreFailure(Fault.MISSING, "has no such file")
    if isinstance(error, HostKeyRefused) or _REFUSED.search(name) or status in (401, 403):
        refused = f"refuses the credentials ({status or name}): see the configuration of fsspec, docs/cloud.md"
        return StoreFailure(Fault.NO_STORE, _UNKNOWN_KEY if isinstance(error, HostKeyRefused) else refused)
    if _is_denied(error):
        return StoreFailure(Fault.DENIED, "denies it: no permission")
    does = f"cannot be reached ({status or name})" if is_about_connection(error) else f"fails ({name})"
    return StoreFailure(Fault.UNREACHABLE, does)


def is_missing(error: Exception) -> bool:
    """Whether there is no such file. SMB's errors are OSErrors, but of one class."""
    return isinstance(error, OSError) and (isinstance(error, FileNotFoundError) or error.errno == errno.ENOENT)


def _is_denied(error: Exception) -> bool:
    return isinstance(error, OSError) and (isinstance(error, PermissionError) or error.errno == errno.EACCES)


def is_about_connection(error: Exception) -> bool:
    """Whether the server cannot be reached, or breaks off. What it refuses for good is none of these."""
    name = type(error).__name__
    if isinstance(error, ImportError) or is_missing(error) or _is_denied(error) or _REFUSED.search(name):
        return False
    return isinstance(error, OSError | EOFError) or _CONNECTION.search(name) is not None


def _lacking(error: ImportError) -> str:
    """What to say where the package of a scheme is not installed. fsspec raises an error of its own from the first."""
    cause = error if error.name or not isinstance(error.__cause__, ImportError) else error.__cause__
    module = (cause.name or "").partition(".")[0]
    if not module:
        return f"needs a library that is not installed: {error}"
    package = _PACKAGES.get(module, module.replace("_", "-"))
    return f"needs {package}, which is not installed; {how_to_install(package)}"
