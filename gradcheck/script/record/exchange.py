"""Exchanges the functions of optimizers while a script runs, so that these tell what they are handed."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from typing import Any

from gradcheck.script.record.handed import Handed
from gradcheck.script.record.handing import handed_in
from gradcheck.script.source.optimizers import MODULES

# told of each pair, and given back what is to be called when the optimizer is done
Receive = Callable[[Handed], Callable[[], object] | None]
_receivers: list[Receive] = []
# by module and by the way to a function
_wrappers: dict[tuple[str, str], tuple[Callable[..., Any], Callable[..., Any]]] = {}


@contextmanager
def listening(receive: Receive) -> Iterator[None]:
    """Tell `receive` what is handed to optimizers, for the time of the block.

    No module is imported for it: its functions are exchanged when the script imports it, and put back afterwards.
    """
    importer = _OnImport()
    _receivers.append(receive)
    sys.meta_path.insert(0, importer)
    for name in MODULES.keys() & sys.modules.keys():
        _exchange(sys.modules[name], name)
    try:
        yield
    finally:
        _receivers.remove(receive)
        sys.meta_path.remove(importer)
        if not _receivers:
            _put_back()


class _OnImport:
    """Exchanges the functions of a module as soon as it has been run."""

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Find the module as the others do, and have its loader tell."""
        if name not in MODULES or name in self._asked:
            return None
        self._asked.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._asked.remove(name)
        loader = None if spec is None else spec.loader
        if spec is None or loader is None or not hasattr(loader, "exec_module"):
            return spec
        run = loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            del loader.exec_module  # the instance's own, which hides that of its class
            run(module)
            if _receivers:
                _exchange(module, name)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _exchange(module: types.ModuleType, of: str) -> None:
    for way, chains in MODULES[of].items():
        owner, name = _owner(module, way)
        original = getattr(owner, name, None)
        if callable(original) and ((of, way) not in _wrappers or original is not _wrappers[of, way][0]):
            _wrappers[of, way] = _telling(name, chains, original), original
            setattr(owner, name, _wrappers[of, way][0])


def _put_back() -> None:
    for (of, way), (wrapper, original) in _wrappers.items():
        owner, name = _owner(sys.modules.get(of), way)
        if getattr(owner, name, None) is wrapper:
            setattr(owner, name, original)
    _wrappers.clear()


def _owner(module: object, way: str) -> tuple[Any, str]:
    """Return what a function is an attribute of, and its name there."""
    *classes, name = way.split(".")
    for part in classes:
        module = getattr(module, part, None)
    return module, name


def _telling(name: str, chains: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        done: list[Callable[[], object]] = []
        if _receivers:
            # what cannot be read here, the function itself complains about
            with suppress(Exception):
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                for handed in handed_in(name, chains, bound.arguments, sys._getframe(1)):
                    end = _receivers[-1](handed)
                    done += [] if end is None else [end]
        try:
            return original(*args, **kwargs)
        finally:
            for end in done:
                end()

    return call
