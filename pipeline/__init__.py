"""pipeline: the image batch job that you can leave alone.

For programs: `from pipeline import load_config, plan, run`, which are those of `pipeline.api`. Nothing of it is
imported before one of them is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.api import load_config, plan, run

__all__ = ["load_config", "plan", "run"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import one of the three when it is asked for. `plan` and `run` are packages that can be called (`called`)."""
    if name in ("plan", "run"):
        return importlib.import_module(f"{__name__}.{name}")
    if name != "load_config":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipeline.api import load_config  # noqa: PLC0415 - see above

    return load_config
