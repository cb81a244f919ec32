"""Arguments in another order."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator

from benchmarks.rewrites.kinds.renaming import OF_LIBRARIES
from benchmarks.rewrites.made import Made
from benchmarks.rewrites.subsets import subsets


def reorder_parameters(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Exchange the places of parameters, in functions and in their calls."""
    for chosen in subsets(_called_only(tree), rng):
        made = copy.deepcopy(tree)
        changed = [_reorder(made, name, rng) for name in chosen]
        if any(changed):
            yield Made(made)


def _called_only(tree: ast.Module) -> list[str]:
    """Return names of functions and classes that are called only, and defined once."""
    counts: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            counts[node.name] = counts.get(node.name, 0) + 1
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            counts[node.id] = 2
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    handed = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in called
    }
    fixed = handed | OF_LIBRARIES
    return [name for name, count in counts.items() if count == 1 and name not in fixed and not name.startswith("__")]


def _reorder(tree: ast.Module, name: str, rng: random.Random) -> bool:
    """Exchange parameters of a function, or of a class when it is made; return whether there are any."""
    function = _defined(tree, name)
    if function is None:
        return False
    a, optional = function.args, len(function.args.defaults)
    skipped = int(any(isinstance(n, ast.ClassDef) and function in n.body for n in ast.walk(tree)))
    old = a.args[skipped:]
    required = len(old) - optional
    defaults = {parameter.arg: value for parameter, value in zip(old[required:], a.defaults, strict=True)}
    new = [*_permuted(old[:required], rng), *_permuted(old[required:], rng)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == name]
    given = [_given(old, call) for call in calls]
    if new == old or None in given:
        return False
    a.args[skipped:] = new
    a.defaults = [defaults[parameter.arg] for parameter in new[required:]]
    for call, values in zip(calls, given, strict=True):
        _hand(call, [parameter.arg for parameter in new], values or {})
    return True


def _defined(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """Return what is run when something is called by a name, if its parameters are all of one sort."""
    found: ast.AST | None = next(
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name
    )
    if isinstance(found, ast.ClassDef):
        inside = [] if found.bases else [f for f in found.body if isinstance(f, ast.FunctionDef)]
        found = next((f for f in inside if f.name == "__init__"), None)
    if not isinstance(found, ast.FunctionDef) or found.decorator_list:
        return None
    a = found.args
    is_mixed = a.vararg or a.kwarg or a.posonlyargs or a.kwonlyargs
    return None if is_mixed else found


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _permuted(parameters: list[ast.arg], rng: random.Random) -> list[ast.arg]:
    """Return parameters in another order, if there is one."""
    found = parameters
    while found == parameters and len(parameters) > 1:
        found = rng.sample(parameters, len(parameters))
    return found


def _given(parameters: list[ast.arg], call: ast.Call) -> dict[str, ast.expr] | None:
    """Return what a call hands to each parameter; None where that is not written there."""
    names = [parameter.arg for parameter in parameters]
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg not in names for k in call.keywords):
        return None
    by_place = dict(zip(names, call.args, strict=False))
    return by_place | {k.arg: k.value for k in call.keywords if k.arg is not None}


def _hand(call: ast.Call, names: list[str], given: dict[str, ast.expr]) -> None:
    """Let a call hand values by their place as long as none is left out, and by name after that."""
    call.args, call.keywords = [], []
    for number, name in enumerate(names):
        if name in given and len(call.args) == number:
            call.args.append(given[name])
        elif name in given:
            call.keywords.append(ast.keyword(name, given[name]))
