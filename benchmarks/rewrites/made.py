"""What a kind of rewrite makes of a script, as files, with the way back to the script's own lines and names."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# begins the lines that a rewrite prints and the script does not
MARK = "~ "
# a name in an expression, or a text in quotes, which holds none
_NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|[^\W\d]\w*")


@dataclass(frozen=True)
class Made:
    """A rewritten script.

    Attributes
    ----------
    tree : ast.Module
        The script. Statements that were in it before have their old line as ``origin``.
    names : mapping of str to str
        Identifiers of the rewrite, and what they were before.
    same : mapping of str to str
        Identifiers that stand for others, before and after.
    modules : mapping of str to ast.Module
        Modules beside the script.
    cells : tuple of int, optional
        For a notebook: the statements at which cells begin.
    """

    tree: ast.Module
    names: Mapping[str, str] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)
    modules: Mapping[str, ast.Module] = field(default_factory=dict)
    cells: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Written:
    """A rewritten script as files.

    Attributes
    ----------
    script : str
        The name of the file that is checked.
    files : dict of str to str
        The texts, by name.
    plain : str
        What is run by an interpreter, where the script is a notebook; else the script.
    lines : dict of (str, int) to int
        The line in the script as it was of each line that has one; in a notebook, lines of all cells are counted.
    """

    script: str
    files: Mapping[str, str]
    plain: str
    lines: Mapping[tuple[str, int], int]


def parsed(text: str) -> ast.Module:
    """Parse a script, and let each statement know its line."""
    tree = ast.parse(text)
    for statement in statements(tree):
        statement.origin = statement.lineno  # type: ignore[attr-defined]
    return tree


def stands_for(before: ast.stmt, after: ast.stmt) -> ast.stmt:
    """Return a statement that takes the place of another one: it has its line."""
    after.origin = getattr(before, "origin", None)  # type: ignore[attr-defined]
    return after


def statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Return all statements, also those within others."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.stmt))


def statement_lines(text: str) -> dict[int, int]:
    """Return for each line of a script the first line of the innermost statement that it belongs to."""
    found: dict[int, int] = {}
    # inner statements come after those that they are in
    for statement in statements(ast.parse(text)):
        found |= dict.fromkeys(range(statement.lineno, (statement.end_lineno or 0) + 1), statement.lineno)
    return found


def written(made: Made, stem: str, directives: Iterable[str] = ()) -> Written:
    """Return the files of a rewrite.

    Parameters
    ----------
    stem : str
        What the script is called.
    directives : iterable of str
        Comments for the checker, which a syntax tree does not have.
    """
    script = plain = f"{stem}.py"
    cells = _cells(ast.fix_missing_locations(made.tree), made.cells or (0,))
    cells[0] = "\n".join([*directives, cells[0]])
    text = "\n".join(cells) + "\n"
    files = {plain: text}
    if made.cells is not None:
        script = f"{stem}.ipynb"
        files = {script: _notebook(cells), plain: text}
    lines = {(script, line): old for line, old in _origins(made.tree, text).items()}
    for name, module in made.modules.items():
        files[f"{name}.py"] = ast.unparse(ast.fix_missing_locations(module)) + "\n"
        lines |= {(f"{name}.py", line): old for line, old in _origins(module, files[f"{name}.py"]).items()}
    return Written(script, files, plain, lines)


def keep(rewrite: Written, folder: Path) -> Path:
    """Write the files of a rewrite into a folder; return the script."""
    for name, text in rewrite.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / rewrite.script


def _origins(tree: ast.Module, text: str) -> dict[int, int]:
    """Return the old line of each line of a text that was made of a tree."""
    found: dict[int, int] = {}
    for before, after in zip(statements(tree), statements(ast.parse(text)), strict=True):
        old = getattr(before, "origin", None)
        for line in range(after.lineno, (after.end_lineno or after.lineno) + 1):
            found.pop(line, None)
            if old is not None:
                found[line] = old
    return found


def _cells(tree: ast.Module, starts: tuple[int, ...]) -> list[str]:
    ends = (*starts[1:], len(tree.body))
    parts = [ast.Module(tree.body[start:end], []) for start, end in zip(starts, ends, strict=True)]
    return [ast.unparse(part).strip("\n") for part in parts]


def _notebook(cells: list[str]) -> str:
    content = {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{number}",
                "metadata": {},
                "outputs": [],
                "source": cell.splitlines(keepends=True),
            }
            for number, cell in enumerate(cells)
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1) + "\n"


def in_other_names(expression: str, names: Mapping[str, str]) -> str:
    """Return an expression with its identifiers replaced; what stands in quotes stays."""
    return _NAMES.sub(lambda found: names.get(found[0], found[0]), expression)
