"""What an expression can see, from its text: what cannot lead to a parameter is not evaluated to find that out."""

from __future__ import annotations

import ast
import builtins
import types
from collections.abc import Mapping, Set
from functools import cache
from pathlib import PurePath
from typing import Any

from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import (
    ASSIGNMENTS,
    Function,
    assigned_names,
    walk,
)

_WORDS = (str, bytes, bool, type(None), PurePath)


def may_depend(source: SourceFile, backward: Backward, loss: LossExpression) -> bool:
    """Whether an expression, or a function that it calls, mentions anything that may depend on the parameters.

    What prepares the data, or runs the whole script once more, may take long, and is not run again to see it.
    """
    tree = ast.parse(loss.text, mode="eval")
    nodes = list(ast.walk(tree))
    if not any(isinstance(node, ast.Call) for node in nodes) or any(
        isinstance(node, ast.Attribute | ast.Subscript) for node in nodes
    ):
        return True
    seen = _seen_by(source, backward, frozenset(n.id for n in nodes if isinstance(n, ast.Name)))
    classes = {node.name for node in walk(source.tree) if isinstance(node, ast.ClassDef)}
    constant = {*source.imported, *(f.short_name for f in source.functions.values()), *classes}
    local = backward.example.local_variables
    # functions may be called through variables, and methods through objects
    constant -= {name for name, value in local.items() if not _is_bound_to_nothing(value)}
    constant -= {pair.slot.variable for pair in backward.pairs}
    return bool(seen - constant - set(dir(builtins)) - _unmoved(backward))


def _is_bound_to_nothing(value: Any) -> bool:
    """Whether something is a module, a class or a function that sees no more than its module's variables."""
    if isinstance(value, types.FunctionType):
        return value.__closure__ is None
    return isinstance(value, types.ModuleType | types.BuiltinFunctionType | type)


def _seen_by(source: SourceFile, backward: Backward, names: frozenset[str]) -> set[str]:
    """Return some names, and those that the functions behind them, and what these call, see without binding them."""
    inside: dict[str, Function] = {}
    seen: set[str] = set(names)
    called: set[str] = set(names)
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for node in walk(source.tree)
        if isinstance(node, ast.ClassDef)
    }
    while more := [f for f in source.functions.values() if f.name not in inside and _is_behind(f, called)]:
        inside |= {function.name: function for function in more}
        # all of a class may be run by an operator, or by what makes an instance
        free = (_free(f.node) - _around(f, inside, backward) for f in inside.values())
        seen = set(names).union(*free)
        seen |= {base for name in seen for base in bases.get(name, ())}
        called = seen.union(*(function.calls for function in inside.values()))
    return seen


def _is_behind(function: Function, called: Set[str]) -> bool:
    return function.short_name in called or (function.owner or "").rpartition(".")[2] in called


def _around(function: Function, inside: Mapping[str, Function], backward: Backward) -> set[str]:
    """Return what the functions around a function bind, where they are run before it: none of it is there already."""
    found: set[str] = set()
    outer = function.outer
    while outer is not None:
        own = (backward.function, backward.region)
        if outer.name in inside and not any(code is outer or code.node in walk(outer.node) for code in own):
            found |= _bound(outer.node)
        outer = outer.outer
    return found


@cache
def _free(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Return the names that a function mentions and does not bind."""
    names = {node.id for statement in function.body for node in walk(statement) if isinstance(node, ast.Name)}
    return frozenset(names - _bound(function))


@cache
def _bound(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Return the names that a function, or what is defined in it, binds."""
    found: set[str] = set()
    elsewhere: set[str] = set()
    for node in walk(function):
        match node:
            case ast.Name(name, ast.Store() | ast.Del()) | ast.arg(name) | ast.ExceptHandler(_, str(name)):
                found.add(name)
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name) if node is not function:
                found.add(name)
            case ast.Global(names) | ast.Nonlocal(names):
                elsewhere |= set(names)
    return frozenset(found - elsewhere)


def _unmoved(backward: Backward) -> set[str]:
    """Return the variables of the module that hold plain numbers or words, and that no step moves."""
    parameters = {pair.slot.variable for pair in (*backward.pairs, *backward.beside)}
    moving = {n for code in (backward.function, backward.region) for s in code.statements for n in _assigned_in(s)}
    variables = backward.example.variables
    return {n for n, v in variables.items() if n not in parameters | moving and (_is_number(v) or _is_words(v))}


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _is_words(value: Any) -> bool:
    """Whether something holds words, and no number that could be moved where it lies."""
    if isinstance(value, list | set | frozenset):
        return all(map(_is_words, value))
    if isinstance(value, tuple):
        return all(_is_number(part) or _is_words(part) for part in value)
    if isinstance(value, dict):
        return all(_is_words(part) for part in value.values())
    return isinstance(value, _WORDS)


def _assigned_in(statement: ast.stmt) -> set[str]:
    return assigned_names(statement) if isinstance(statement, ASSIGNMENTS) else set()
