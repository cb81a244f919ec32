"""Who calls the functions of a script that does not call them itself: a test, a notebook, another script beside it."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.source.file import ScriptText, SourceFile, local_modules
from gradcheck.script.source.notebook import SUFFIX
from gradcheck.script.source.syntax import Function, called_name

_TESTS = ("tests", "test")
# files of such a size are data rather than code
_MOST_FILES, _MOST_BYTES = 200, 1_000_000


@dataclass(frozen=True)
class Caller:
    """A call in another file.

    Attributes
    ----------
    file : str
        Where it stands, as it is seen from the script's folder.
    place : str
        The line or the cell there.
    call : str
        The call, as the script itself would write it.
    names : frozenset of str
        The names that it reads.
    around : Function or None
        The function there in which it stands.
    is_found : bool
        Whether the file finds the script when it imports it.
    """

    file: str
    place: str
    function: str
    call: str
    names: frozenset[str]
    around: Function | None
    is_found: bool

    @property
    def to_type(self) -> str | None:
        """What runs it; None where it stands in a function that needs arguments, or in a file that cannot be run."""
        if not self.is_found:
            return None
        if self.around is None:
            return f"gradcheck run {shlex.quote(self.file)}"
        is_test = not self.around.arguments and self.around.owner is None and self.around.outer is None
        return f"gradcheck run {shlex.quote(self.file)} --call '{self.around.name}()'" if is_test else None


def caller_of(script: Path, names: Collection[str]) -> Caller | None:
    """Return a call of one of a script's functions, if there is one, and rather one that can be run at once.

    Looked at are the files beside the script, and in folders of tests, that import it.
    """
    found = [caller for path in _files(script) for caller in _callers(script, path, names)]
    return min(found, key=lambda c: (c.to_type is None, c.around is not None), default=None)


def _files(script: Path) -> list[Path]:
    own = script.parent
    folders = [own, *(folder / name for folder in (own, own.parent) for name in _TESTS)]
    found = [
        path
        for folder in dict.fromkeys(folders)
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix in (".py", SUFFIX) and path != script and path.is_file() and path.stat().st_size <= _MOST_BYTES
    ]
    return found[:_MOST_FILES]


def _callers(script: Path, path: Path, names: Collection[str]) -> Iterator[Caller]:
    try:
        text = ScriptText.read(path)
        if not any(f"{name}(" in text.code for name in names) or not _mentions(text, script.stem):
            return
        source = text.parse()
    except ScriptError:  # what is no Python calls nothing
        return
    own = _imported_as(source, script.stem)
    if not own:
        return
    # a notebook that runs the script by a magic does not find it here, where magics do nothing
    is_found = script in local_modules(path)
    inside = {id(node): f for f in source.functions.values() for node in ast.walk(f.node)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and called_name(node) in names:
            read = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name)) - own
            call = re.sub(rf"\b(?:{'|'.join(map(re.escape, own))})\.", "", ast.unparse(node))
            file = os.path.relpath(path, script.parent)
            place = str(node.lineno) if source.cells is None else f"cell {source.cells.place('', node.lineno).cell}"
            yield Caller(file, place, called_name(node), call, read, inside.get(id(node)), is_found)


def _mentions(text: ScriptText, stem: str) -> bool:
    return any(stem in line for line in text.lines)


def _imported_as(source: SourceFile, stem: str) -> frozenset[str]:
    """Return what a file that imports a module, or runs it by a magic, calls it; nothing where it does not."""
    found = {stem} if _runs(source, stem) else set()
    for node in ast.walk(source.tree):
        match node:
            case ast.Import(aliases) | ast.ImportFrom(_, aliases):
                found |= {alias.asname or alias.name for alias in aliases if alias.name.rpartition(".")[2] == stem}
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2] == stem:
            found.add(stem)
    return frozenset(found)


def _runs(source: SourceFile, stem: str) -> bool:
    """Whether a notebook runs a script by a magic."""
    magic = re.compile(rf"\s*%run\s+\S*\b{re.escape(stem)}(\.py)?\b")
    return source.cells is not None and any(magic.match(line) for line in source.lines)
