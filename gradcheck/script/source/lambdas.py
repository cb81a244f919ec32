"""Lambdas with a use of their own as functions: those that get a name, and those that an optimizer is handed."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from typing import Any

from gradcheck.script.source.optimizers import IN_DICTIONARIES, NAMES
from gradcheck.script.source.syntax import FunctionNode, called_name

_SCOPES = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def with_lambdas_defined(tree: ast.Module) -> ast.Module:
    """Return the tree with ``f = lambda x: ...`` as the definition that it is.

    A lambda in the call of an optimizer is defined just before the statement, under a name that tells its line. All
    positions are those of the text.
    """
    nodes = list(ast.walk(tree))
    if not any(isinstance(node, ast.Lambda) for node in nodes):
        return tree
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    imports = [alias for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    aliases = {alias.asname for alias in imports if alias.name in NAMES and alias.asname}
    module: ast.Module = _Definitions(names, NAMES | aliases).visit(tree)
    return module


class _Definitions(ast.NodeTransformer):
    def __init__(self, taken: set[str], optimizers: Set[str]) -> None:
        self._taken, self._optimizers = taken, optimizers

    def visit(self, node: ast.AST) -> Any:
        match node:
            case ast.Assign([ast.Name(name)], ast.Lambda() as found):
                return _definition(name, found, node)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Expr() | ast.Return():
                return self._handed(node)
            case ast.expr():
                return node
        return self.generic_visit(node)

    def _handed(self, statement: ast.stmt) -> ast.stmt | list[ast.stmt]:
        found: list[ast.stmt] = []
        for owner, key, node in list(_lambdas(statement, self._optimizers)):
            name = self._name(node.lineno)
            found.append(_definition(name, node, node))
            reference = ast.copy_location(ast.Name(name, ast.Load()), node)
            if isinstance(owner, list):
                owner[int(key)] = reference
            else:
                setattr(owner, str(key), reference)
        return [*found, statement] if found else statement

    def _name(self, line: int) -> str:
        base = name = f"lambda_in_line_{line}"
        count = 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


def _lambdas(statement: ast.stmt, optimizers: Set[str]) -> Iterator[tuple[Any, str | int, ast.Lambda]]:
    """Return the lambdas that stand in calls of optimizers and in constraints, with what holds them."""
    for node in _outside(statement):
        if isinstance(node, ast.Call) and called_name(node) in optimizers:
            yield from ((node.args, i, a) for i, a in enumerate(node.args) if isinstance(a, ast.Lambda))
            yield from ((k, "value", k.value) for k in node.keywords if isinstance(k.value, ast.Lambda))
        elif isinstance(node, ast.Call) and called_name(node) == "dict":
            named = {keyword.arg: (keyword, "value", keyword.value) for keyword in node.keywords}
            yield from _of_options(named)
        elif isinstance(node, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            yield from _of_options({k: (node.values, i, node.values[i]) for i, k in enumerate(keys)})


def _of_options(entries: Mapping[Any, tuple[Any, str | int, ast.expr]]) -> Iterator[tuple[Any, str | int, ast.Lambda]]:
    """Return the lambdas of a dictionary with derivatives, as optimizers are handed one for a constraint."""
    function, *derivatives = IN_DICTIONARIES
    if any(name in entries for name in derivatives):
        for owner, key, value in (entries[name] for name in (function, *derivatives) if name in entries):
            if isinstance(value, ast.Lambda):
                yield owner, key, value


def _outside(node: ast.AST) -> Iterator[ast.AST]:
    """Return what is below a statement, but nothing that has variables of its own."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FunctionNode | _SCOPES):
            yield from _outside(child)


def _definition(name: str, found: ast.Lambda, place: ast.stmt | ast.expr) -> ast.FunctionDef:
    body = ast.copy_location(ast.Return(found.body), found.body)
    # not through the class alone, whose fields differ between versions
    definition = ast.parse("def f(): pass").body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.name, definition.args, definition.body = name, found.args, [body]
    return ast.copy_location(definition, place)
