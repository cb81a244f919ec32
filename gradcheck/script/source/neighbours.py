"""The files beside a script that what it computes depends on: the local modules that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gradcheck.errors import ScriptError
from gradcheck.script.source.file import ScriptText


def local_modules(script: Path) -> set[Path]:
    """Return the files below a script's folder that it imports, directly or not; the script is not among them."""
    folder, found, pending = script.parent, set[Path](), [script]
    while pending:
        file = pending.pop()
        new = {path for name in _imported(file, folder) for path in _files(folder, name)} - found - {script}
        found |= new
        pending += new
    return found


def _imported(file: Path, folder: Path) -> Iterator[str]:
    """Return the dotted names that a file may import, as seen from the script's folder."""
    try:
        tree = ScriptText.read(file).parse().tree
    except ScriptError:
        return
    package = file.parent.relative_to(folder).parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _files(folder: Path, name: str) -> Iterator[Path]:
    """Return the files that are run when a module is imported: its own, and those of the packages around it."""
    place = folder
    for part in filter(None, name.split(".")):
        place = place / part
        for file in (place / "__init__.py", place.with_name(f"{part}.py")):
            if file.is_file():
                yield file
