"""Which names of a script are variables of the module, and which belong to a function, a class or a comprehension."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Definition = ast.FunctionDef | ast.AsyncFunctionDef
_CLOSED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def arguments(node: Definition | ast.Lambda) -> list[ast.arg]:
    """Return all parameters of a function."""
    a = node.args
    starred = [one for one in (a.vararg, a.kwarg) if one is not None]
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *starred]


def own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Return the nodes of statements that are run where they stand: not those of functions and classes in them."""
    waiting = list(body)
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, _CLOSED):
            waiting = [*ast.iter_child_nodes(node), *waiting]


def bound_names(body: Iterable[ast.stmt]) -> set[str]:
    """Return the names that statements bind in their own scope."""
    nodes = list(own_nodes(body))
    hidden = {id(name) for part in nodes if isinstance(part, _COMPREHENSIONS) for name in _targets(part)}
    found: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if id(node) not in hidden:
                found.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name.partition(".")[0] for alias in names}
    return found


def _targets(node: ast.AST) -> Iterator[ast.Name]:
    for generator in getattr(node, "generators", []):
        yield from (part for part in ast.walk(generator.target) if isinstance(part, ast.Name))


def elsewhere(body: Iterable[ast.stmt]) -> set[str]:
    """Return the names that statements declare ``global`` or ``nonlocal`` in their own scope."""
    nodes = (node for node in own_nodes(body) if isinstance(node, ast.Global | ast.Nonlocal))
    return {name for node in nodes for name in node.names}


def locals_of(node: Definition | ast.Lambda) -> set[str]:
    """Return the names that belong to a function itself."""
    own = {argument.arg for argument in arguments(node)}
    if isinstance(node, ast.Lambda):
        return own
    return own | bound_names(node.body) - elsewhere(node.body)


class ModuleNames(ast.NodeTransformer):
    """Replace what stands for variables of the module.

    Parameters
    ----------
    replaced : callable
        Is handed each such name, and whether it stands within a function; returns what takes its place.
    """

    def __init__(self, replaced: Callable[[ast.Name, bool], ast.expr]) -> None:
        self._replaced = replaced
        self._scopes: list[set[str]] = []
        self._depth = 0

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: D102 - as ast calls it
        if any(node.id in scope for scope in self._scopes):
            return node
        return self._replaced(node, self._depth > 0)

    def _function(self, node: Any) -> Any:
        # looked at where the function is defined
        node.args.defaults = [self.visit(part) for part in node.args.defaults]
        node.args.kw_defaults = [part and self.visit(part) for part in node.args.kw_defaults]
        if hasattr(node, "decorator_list"):
            node.decorator_list = [self.visit(part) for part in node.decorator_list]
        # a function does not see the names of the class around it
        kept, self._scopes = self._scopes, [scope for scope in self._scopes if not isinstance(scope, _OfClass)]
        self._scopes.append(locals_of(node))
        self._depth += 1
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
        else:
            node.body = [self.visit(statement) for statement in node.body]
        self._depth -= 1
        self._scopes = kept
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function  # noqa: N815 - as ast calls them

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:  # noqa: D102 - as ast calls it
        node.bases = [self.visit(base) for base in node.bases]
        node.decorator_list = [self.visit(part) for part in node.decorator_list]
        self._scopes.append(_OfClass(bound_names(node.body)))
        node.body = [self.visit(statement) for statement in node.body]
        self._scopes.pop()
        return node

    def _comprehension(self, node: Any) -> Any:
        self._scopes.append({part.id for part in _targets(node)})
        self.generic_visit(node)
        self._scopes.pop()
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815


class _OfClass(set[str]):
    """The names of a class, which the functions in it do not see."""


def module_names(nodes: Iterable[ast.AST], *, within_functions: bool = False) -> set[str]:
    """Return the variables of the module that nodes name, or just those that functions in them do."""
    found: set[str] = set()

    def seen(node: ast.Name, is_within: bool) -> ast.expr:
        if is_within or not within_functions:
            found.add(node.id)
        return node

    for node in nodes:
        ModuleNames(seen).visit(node)
    return found


def all_names(tree: ast.AST) -> set[str]:
    """Return every identifier of a script."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for value in (getattr(node, key, None) for key in ("id", "attr", "arg", "name", "asname")):
            found |= set(value.split(".")) if isinstance(value, str) else set()
        if isinstance(node, ast.Global | ast.Nonlocal):
            found |= set(node.names)
    return found


def unused(tree: ast.AST, *wanted: str) -> str:
    """Return the first of some names that a script does not have, with a number if it has all."""
    taken = all_names(tree)
    numbered = (f"{wanted[0]}_{number}" for number in range(2, 1_000))
    return next(name for name in (*wanted, *numbered) if name not in taken)
