"""What a program is run in: its modules, each when it is imported, and the script, a notebook's cells one by one."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import is_future


@dataclass(frozen=True)
class Piece:
    """Statements of a script that are run together.

    Attributes
    ----------
    is_cell : bool
        Whether they are a cell of a notebook: if it raises, the next one is run all the same.
    is_call : bool
        Whether the user has asked for them to be run at the end of the script.
    """

    code: types.CodeType
    is_cell: bool = False
    is_call: bool = False


def apart(tree: ast.Module, source: SourceFile) -> tuple[list[Piece], dict[str, types.CodeType]]:
    """Return what is run of a script, in order, and of each module, by its dotted name."""
    rest = [s for s in tree.body if not is_future(s)]

    def compiled(statements: Iterable[ast.stmt], line: int = 1) -> types.CodeType:
        module = ast.Module([*source.futures(line), *statements], [])
        # this module's own ``__future__`` is none of the script's
        return compile(module, str(source.path), "exec", dont_inherit=True)

    modules, own = {}, rest
    for module in source.modules:
        part = module.part
        within = [s for s in rest if part.start <= s.lineno <= part.end]
        modules[part.name] = compiled(within, part.start)
        own = [s for s in own if s not in within]
    cell_of = _cell_of(source)
    pieces = [
        Piece(compiled(statements), is_cell=cell > 0, is_call=cell < 0) for cell, statements in groupby(own, cell_of)
    ]
    return pieces or [Piece(compiled(()))], modules


def _cell_of(source: SourceFile) -> Callable[[ast.stmt], int]:
    """Return what gives the number of a statement's cell: 0 in a script, -1 for what is run at its end."""

    def number(statement: ast.stmt) -> int:
        if not source.is_in_file(statement.lineno):
            return -1
        return 0 if source.cells is None else source.cells.place("", statement.lineno).cell or 0

    return number
