"""The modules beside a script that it imports, directly or not: where Python would find them, and nothing installed."""

from __future__ import annotations

import ast
import os
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gradcheck.script.source.bindings import absolute_module
from gradcheck.script.source.notebook import SUFFIX

# more is a library rather than a program
_MOST_MODULES, _MOST_LINES = 150, 60_000
_INSTALLED = {"site-packages", "dist-packages"}
_LIBRARY = Path(os.__file__).parent
_OURS = Path(__file__).resolve().parents[2]
# functions that do nothing but name a folder
_NAMING = {
    *("abspath", "dirname", "join", "realpath", "normpath", "split", "getcwd", "cwd"),
    *("Path", "str", "resolve", "absolute", "joinpath", "as_posix"),
    # of the frame that runs, this is the script
    *("getfile", "getsourcefile", "currentframe"),
}
# what marks the root of a project
_MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt")
# of such are the places made that scripts put into `sys.path`
_HARMLESS = (
    *(ast.Name, ast.Attribute, ast.Constant, ast.Call, ast.BinOp, ast.Subscript, ast.UnaryOp, ast.USub),
    *(ast.Div, ast.Add, ast.Load, ast.JoinedStr, ast.FormattedValue),
)


@dataclass(frozen=True)
class Found:
    """A module that was found.

    Attributes
    ----------
    name : str
        Its dotted name.
    """

    name: str
    path: Path
    is_package: bool

    @property
    def package(self) -> str:
        """The package in which its relative imports begin."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


class Parsed(Protocol):
    """A file that was read and parsed."""

    lines: list[str]
    tree: ast.Module


class Neighbourhood:
    """The folders in which a script's imports are looked up, and the name of the package that it lies in."""

    def __init__(self, script: Path, tree: ast.Module) -> None:
        self.script, self.package, self._top = script, "", script.parent
        while (self._top / "__init__.py").is_file() and self._top != self._top.parent:
            self.package = f"{self._top.name}.{self.package}".rstrip(".")
            self._top = self._top.parent
        roots = [script.parent, *_added(tree, script), *_of_environment(script), *self._around()]
        self.roots = list(dict.fromkeys(roots))

    def _around(self) -> Iterator[Path]:
        """Yield the folder of the outermost package, and those up to the root of the project, which come last."""
        yield self._top
        above = list(self._top.parents)
        marked = next((n for n, folder in enumerate(above) if any((folder / m).exists() for m in _MARKS)), None)
        home = Path.home()
        if marked is not None and above[marked] != home:
            yield from above[: marked + 1]

    def find(self, name: str) -> Found | None:
        """Return a module by its dotted name; None for what lies elsewhere."""
        for root in self.roots:
            place = root.joinpath(*name.split("."))
            for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
                if path.is_file() and path != self.script and self._is_of_user(path):
                    return Found(name, path, path.name == "__init__.py")
        return None

    def _is_of_user(self, path: Path) -> bool:
        """Whether a file is neither installed nor one of this package, which a script may import to check itself."""
        is_ours = _OURS in path.parents and _OURS not in self.script.parents
        return not is_ours and not _INSTALLED & set(path.parts)

    def is_near(self, path: Path) -> bool:
        """Whether a file is the user's and lies together with the script, below more than the home of its author."""
        is_of_python = _LIBRARY in path.parents
        return (
            not is_of_python
            and self._is_of_user(path)
            and path.suffix == ".py"
            and _lie_together(self.script, path.parent)
        )

    def modules(self, tree: ast.Module, read: Callable[[Path], Parsed | None]) -> list[tuple[Found, Parsed | None]]:
        """Return the modules that a script imports, each with what `read` makes of its path."""
        found: dict[str, tuple[Found, Parsed | None]] = {}
        files: set[Path] = set()
        lines = 0
        pending = deque(_imported(tree, self.package))
        while pending and len(found) < _MOST_MODULES and lines < _MOST_LINES:
            name = pending.popleft()
            if name in found or (module := self.find(name)) is None or module.path in files:
                continue
            files.add(module.path)
            parsed = read(module.path)
            found[name] = module, parsed
            if parsed is not None:
                lines += len(parsed.lines)
                pending += _imported(parsed.tree, module.package)
        return list(found.values())


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield the dotted names that a file may import, with those of the packages around them."""
    for node in ast.walk(tree):
        names: list[str] = []
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = absolute_module(node, package)
                names = [base, *(f"{base}.{alias.name}" if base else alias.name for alias in node.names)]
            case ast.Call(ast.Attribute(attr="import_module") | ast.Name("import_module"), [ast.Constant(str(name))]):
                names = [name]
        for name in filter(None, names):
            parts = name.split(".")
            yield from (".".join(parts[: n + 1]) for n in range(len(parts)))


def _added(tree: ast.Module, script: Path) -> Iterator[Path]:
    """Yield the folders that a script puts into ``sys.path``, and those that a notebook goes to."""
    here = _Here(script.parent)
    constants = _known(tree, script, here)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AugAssign | ast.Call)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        values: list[ast.expr] = []
        match node:
            case ast.Assign([ast.Name(name)], value) if node in tree.body:
                folder = _evaluated(value, constants)
                if isinstance(folder, str | Path):
                    constants[name] = folder
            case ast.Call(ast.Attribute(_, "chdir") | ast.Name("chdir"), [value]):
                if (place := here.folder_of(_evaluated(value, constants))) is not None:
                    here.folder = place
                    if script.suffix == SUFFIX:
                        yield place
            case ast.Call(ast.Attribute(path, "append" | "insert"), [*_, value]) if _is_search_path(path):
                values = [value]
            case ast.Call(ast.Attribute(path, "extend"), [ast.List(values)]) if _is_search_path(path):
                pass
            case ast.AugAssign(path, ast.Add(), ast.List(values)) if _is_search_path(path):
                pass
        for value in values:
            if (place := here.folder_of(_evaluated(value, constants))) is not None:
                yield place


def _is_search_path(node: ast.expr) -> bool:
    return ast.unparse(node) in ("sys.path", "path")


@dataclass
class _Here:
    """The folder that a script is in: the one that it was started in, until it goes to another."""

    folder: Path

    def folder_of(self, value: object) -> Path | None:
        """Return the folder that a value names from here; None where there is none."""
        if not isinstance(value, str | Path):
            return None
        place = (self.folder / value).resolve()
        return place if place.is_dir() else None


def _known(tree: ast.Module, script: Path, here: _Here) -> dict[str, Any]:
    """Return what may stand in the name of a folder, under the names that a script has for it.

    What is relative is so to the folder that the script is in, and not to the one of this process.
    """

    class Here(type(Path())):  # type: ignore[misc] # the class that this system has
        def absolute(self) -> Path:
            return Path(here.folder, self)

        def resolve(self, strict: bool = False) -> Path:
            return Path(here.folder, self).resolve(strict)

        @classmethod
        def cwd(cls) -> Path:
            return here.folder

    absolute = {name: lambda path: os.path.normpath(here.folder / path) for name in ("abspath", "realpath")}
    paths = types.SimpleNamespace(**{**vars(os.path), **absolute})
    current = {"getcwd": lambda: str(here.folder), "pardir": os.pardir, "curdir": os.curdir, "sep": os.sep}
    system = types.SimpleNamespace(path=paths, **current)
    running = types.SimpleNamespace(path=[str(script.parent)], argv=[str(script)])
    folders = types.SimpleNamespace(Path=Here)
    frame = types.SimpleNamespace(
        currentframe=lambda: None, getfile=lambda _: str(script), getsourcefile=lambda _: str(script)
    )
    modules = {"os": system, "os.path": paths, "sys": running, "pathlib": folders, "inspect": frame}
    known: dict[str, Any] = {"os": system, "sys": running, "pathlib": folders, "inspect": frame, "Path": Here}
    for node in ast.walk(tree):
        match node:
            case ast.Import(aliases):
                known |= {a.asname: modules[a.name] for a in aliases if a.asname and a.name in modules}
            case ast.ImportFrom(str(name), aliases) if name in modules:
                found = modules[name]
                known |= {a.asname or a.name: getattr(found, a.name) for a in aliases if hasattr(found, a.name)}
    return {**known, "str": str, "__file__": str(script)}


def _of_environment(script: Path) -> Iterator[Path]:
    """Yield the folders of ``PYTHONPATH`` that lie together with a script, below more than the home of its author."""
    for text in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        folder = Path(os.path.normpath(Path(text).absolute())) if text else None
        if folder is not None and folder.is_dir() and _lie_together(script, folder):
            yield folder


def _lie_together(script: Path, folder: Path) -> bool:
    """Whether a folder and a script have a folder in common below the home of their author."""
    if folder.anchor != script.anchor:
        return False
    home, common = Path.home(), Path(os.path.commonpath([folder, script.parent]))
    return common != common.parent and common != home and common not in home.parents


def _evaluated(node: ast.expr, constants: dict[str, Any]) -> Any:
    """Return the value of an expression that does nothing but name a folder; None for any other."""
    parts = list(ast.walk(node))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    called = {ast.unparse(p.func).rpartition(".")[2] for p in parts if isinstance(p, ast.Call)}
    if not all(isinstance(part, _HARMLESS) for part in parts) or not names <= constants.keys():
        return None
    if not called <= _NAMING:
        return None
    try:
        return eval(
            compile(ast.Expression(node), "<folder>", "eval", dont_inherit=True), {"__builtins__": {}}, dict(constants)
        )
    except Exception:  # noqa: BLE001 - what is no folder here
        return None
