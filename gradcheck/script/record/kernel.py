"""What the code of a notebook expects around it: ``display``, ``get_ipython`` and IPython's modules.

They are stand-ins that do nothing, whether IPython is installed or not, so that a verdict does not depend on it.
"""

from __future__ import annotations

import builtins
import linecache
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from gradcheck.script.source.file import SourceFile

_PACKAGE = "IPython"


class Silent:
    """Stands in for any object of IPython: it can be called, asked for anything and looped over, and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copying and pickling ask for these, and can do without
            raise AttributeError(name)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> Any:  # noqa: D102
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _StandIn(MetaPathFinder, Loader):
    """Finds IPython and everything below it, in this process only."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return how to make a module of IPython; None for every other name."""
        parts = fullname.split(".")
        if parts[0] != _PACKAGE or parts[1:2] == ["html"]:  # its absence tells libraries that this is no old version
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Give a module every attribute that it is asked for."""
        # newer than any version for which libraries make an exception
        vars(module)["version_info"], vars(module)["__version__"] = (99, 0, 0), "99.0.0"
        vars(module)["__getattr__"] = partial(_attribute, module.__name__)


def _attribute(module: str, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name == "display":  # a module with a function of the same name
        return import_module(f"{_PACKAGE}.{name}") if module == _PACKAGE else _display
    return _shell if name == "get_ipython" else Silent()


def _display(*_: Any, **__: Any) -> None:
    """Show nothing."""


def _shell() -> Any:
    return Silent()


def stand_in_for_kernel(source: SourceFile) -> None:
    """Prepare this process for the code of a notebook; for a script, do nothing."""
    if source.cells is None:
        return
    # where IPython puts them, too; there they are none of the notebook's own variables
    vars(builtins).update(display=_display, get_ipython=_shell)
    sys.meta_path.insert(0, _StandIn())
    # without it, `inspect.getsource` would read the lines of the file, which are JSON
    lines = [f"{line}\n" for line in source.lines]
    linecache.cache[str(source.path)] = (sum(map(len, lines)), None, lines, str(source.path))
