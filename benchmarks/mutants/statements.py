"""Mistakes with whole statements: one is deleted, or stands at another place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from benchmarks.mutants.places import Function, Mutation
from benchmarks.mutants.scripts import Network


def _whole_lines(network: Network, first: ast.stmt, last: ast.stmt) -> tuple[int, int]:
    start = network.start(first) - first.col_offset
    return start, network.text.index("\n", network.end(last)) + 1


def deleted(network: Network, function: Function, statements: list[ast.stmt]) -> Iterator[Mutation]:
    """Take one statement away; its value is missing where the name is given a value or read, too."""
    for statement in statements:
        if isinstance(statement, ast.Return):
            continue
        start, end = _whole_lines(network, statement, statement)
        others = {line - (line > statement.lineno) for line in _lacking(network, function, statement, statements)}
        lines = (statement.lineno - 1, statement.lineno, *sorted(others))
        yield Mutation("statement deleted", start, end, "", lines, (start, end))


def _lacking(network: Network, function: Function, statement: ast.stmt, statements: list[ast.stmt]) -> Iterator[int]:
    """Return the lines that assign what a statement writes, and those below it that read it."""
    if (target := _target(statement)) is None:
        return
    written = network.segment(target).split("[")[0]
    for other in ast.walk(function):
        assigned = _target(other)
        if assigned is not None and other is not statement and _mentions(network, assigned, written):
            yield other.lineno
    for other in statements:
        if other.lineno > statement.lineno and _mentions(network, other, written):
            yield other.lineno


def _target(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.Assign):
        return node.targets[0]
    return node.target if isinstance(node, ast.AugAssign) else None


def _mentions(network: Network, node: ast.AST, text: str) -> bool:
    return any(isinstance(inner, ast.expr) and network.segment(inner) == text for inner in ast.walk(node))


def moved(network: Network, statements: list[ast.stmt]) -> Iterator[Mutation]:
    """Swap a statement with the next one, or with the one after that."""
    for distance in (1, 2):
        for first, last in zip(statements, statements[distance:], strict=False):
            span = network.text[slice(*_whole_lines(network, first, last))]
            if isinstance(last, ast.Return) or span.count("\n") != distance + 1 or first.col_offset != last.col_offset:
                continue
            start, end = _whole_lines(network, first, last)
            one, *between, other = span.splitlines(keepends=True)
            lines = tuple(range(first.lineno, last.lineno + 1))
            # the lower one comes first: an update before what still needs the old value
            yield Mutation("statement moved", start, end, "".join([other, one, *between]), lines, (start, end))
