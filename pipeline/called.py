"""Packages that can be called: `pipeline.plan` and `pipeline.run` are rooms, and for programs also functions."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


class Called(ModuleType):
    """A package that is, when called, the function of its name in `pipeline.api`.

    A package becomes an attribute of `pipeline` once anything in it is imported, and would take the place of a function
    of that name. The function's module, and all that it imports, is imported at the first call.
    """

    def _function(self) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(
            importlib.import_module("pipeline.api"), self.__name__.rpartition(".")[2]
        )
        return function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the function."""
        return self._function()(*args, **kwargs)

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        """Pickled by its name, as functions are: pools of processes can be told to call it."""
        return importlib.import_module, (self.__name__,)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._function())


def callable_as_function(package: str) -> None:
    """Let the package of this name, which is being imported, be called."""
    sys.modules[package].__class__ = Called
