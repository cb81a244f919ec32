"""The names that statements bind in their own scope: what they define, assign, import and catch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from gradcheck.script.source.syntax import blocks, flat_targets


def bindings(body: Sequence[ast.stmt]) -> Iterator[tuple[str, object]]:
    """Yield the names that statements bind in their own scope, with the origin of those that are imported."""
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name, None
                continue
            case ast.Import():
                for alias in statement.names:
                    plain = alias.asname or alias.name.partition(".")[0]
                    yield plain, (alias.name if alias.asname else plain, None)
            case ast.ImportFrom():
                for alias in statement.names:
                    if alias.name != "*":
                        yield alias.asname or alias.name, (statement.module, alias.name)
            case ast.Assign():
                for target in statement.targets:
                    yield from targets(target)
            case ast.AugAssign() | ast.For() | ast.AsyncFor():
                yield from targets(statement.target)
            case ast.AnnAssign() if statement.value is not None:
                yield from targets(statement.target)
            case ast.With() | ast.AsyncWith():
                for item in statement.items:
                    if item.optional_vars is not None:
                        yield from targets(item.optional_vars)
        for node in _expressions(statement):
            if isinstance(node, ast.NamedExpr):
                yield node.target.id, None
        for handler in getattr(statement, "handlers", []):
            if handler.name is not None:
                yield handler.name, None
        for block in blocks(statement):
            yield from bindings(block)


def targets(target: ast.expr) -> Iterator[tuple[str, object]]:
    """Yield the names in the target of an assignment, none of which is imported."""
    for part in flat_targets(target):
        bare = part.value if isinstance(part, ast.Starred) else part
        if isinstance(bare, ast.Name):
            yield bare.id, None


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield what stands in a statement itself, without the statements in it and without functions."""
    pending = [c for c in ast.iter_child_nodes(statement) if isinstance(c, ast.expr)]
    while pending:
        node = pending.pop()
        yield node
        pending += [c for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr) and not isinstance(c, ast.Lambda)]


def declared_global(body: Sequence[ast.stmt]) -> set[str]:
    """Return the names that functions declare as ``global``."""
    return {name for s in body for node in ast.walk(s) if isinstance(node, ast.Global) for name in node.names}


def absolute_module(node: ast.ImportFrom, package: str) -> str:
    """Return the module from which a statement imports, a relative one seen from its package; empty where none is."""
    if not node.level:
        return node.module or ""
    above = package.split(".") if package else []
    return ".".join([*above[: len(above) - node.level + 1], *([node.module] if node.module else [])])


def argument_names(arguments: ast.arguments) -> set[str]:
    """Return the names of all arguments."""
    return {a.arg for a in ast.walk(arguments) if isinstance(a, ast.arg)}
