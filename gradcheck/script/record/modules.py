"""Importing the modules of a program: they run in the script's namespace, and look like modules to whoever asks."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.place import Part

# what a module's definitions are marked with while it runs
_MARKS = ("__name__", "__file__", "__package__", "__spec__", "__path__", "__loader__", "__doc__")


class LinkedModule(types.ModuleType):
    """A module whose variables lie in the namespace of the script."""

    def __init__(self, name: str, namespace: dict[str, Any], names: Mapping[str, str]) -> None:
        super().__init__(name)
        self.__dict__["__gradcheck_names__"] = dict(names)
        self.__dict__["__gradcheck_namespace__"] = namespace

    def __getattr__(self, name: str) -> Any:
        names, namespace = self.__dict__["__gradcheck_names__"], self.__dict__["__gradcheck_namespace__"]
        if name in names and names[name] in namespace:
            return namespace[names[name]]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        names = self.__dict__["__gradcheck_names__"]
        if name in names and not (isinstance(value, types.ModuleType) and name not in self._present()):
            self.__dict__["__gradcheck_namespace__"][names[name]] = value
        else:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        names = self.__dict__["__gradcheck_names__"]
        if name in names:
            del self.__dict__["__gradcheck_namespace__"][names[name]]
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._present()})

    def _present(self) -> list[str]:
        names, namespace = self.__dict__["__gradcheck_names__"], self.__dict__["__gradcheck_namespace__"]
        return [name for name, key in names.items() if key in namespace]


class Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of one program before anything else does.

    Parameters
    ----------
    codes : mapping of str to code
        What to run for each module, by its dotted name.
    """

    def __init__(self, source: SourceFile, codes: Mapping[str, types.CodeType], namespace: dict[str, Any]) -> None:
        self._modules = {module.part.name: module for module in source.modules}
        self._codes, self._namespace = codes, namespace

    def install(self) -> None:
        """Take the place of an earlier one; what that has imported is imported anew."""
        sys.meta_path[:] = [self, *(finder for finder in sys.meta_path if not isinstance(finder, Importer))]
        for name, module in list(sys.modules.items()):
            if isinstance(module, LinkedModule):
                del sys.modules[name]
        # what lies around them, packages without an `__init__`, is found there
        roots = dict.fromkeys(_root(module.part) for module in self._modules.values())
        sys.path += [root for root in roots if root not in sys.path]

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of the program."""
        module = self._modules.get(fullname)
        if module is None:
            return None
        part = module.part
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=part.path, is_package=part.is_package)
        spec.has_location = True
        if part.is_package:
            spec.submodule_search_locations = [str(Path(part.path).parent)]
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Make an empty module."""
        return LinkedModule(spec.name, self._namespace, self._modules[spec.name].names)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run a module."""
        marks, namespace = vars(module), self._namespace
        before = {name: namespace[name] for name in _MARKS if name in namespace}
        namespace.update({name: marks[name] for name in _MARKS if name in marks})
        try:
            exec(self._codes[module.__name__], namespace)
        finally:
            for name in _MARKS:
                namespace.pop(name, None)
            namespace.update(before)


def _root(part: Part) -> str:
    """Return the folder in which the import of a module begins."""
    depth = part.name.count(".") + part.is_package
    return str(Path(part.path).parents[depth])
