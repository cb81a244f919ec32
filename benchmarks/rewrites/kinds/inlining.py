"""A call becomes what is called."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator

from benchmarks.rewrites.made import Made, stands_for
from benchmarks.rewrites.new import bodies
from benchmarks.rewrites.scopes import all_names, bound_names, elsewhere, locals_of, module_names, unused


def inline_call(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Put the statements of a function that is called once into the place of the call."""
    names = [f.name for f in tree.body if isinstance(f, ast.FunctionDef) and _is_straight(f)]
    for name in rng.sample(names, len(names)):
        made = _inlined(copy.deepcopy(tree), name)
        if made is not None:
            yield made


def _is_straight(function: ast.FunctionDef) -> bool:
    """Whether a function runs from its first line to its last one, and has nothing that needs a scope of its own."""
    a = function.args
    if function.decorator_list or a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs:
        return False
    inside = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(n, ast.FunctionDef | ast.Lambda | ast.ClassDef | ast.Yield | ast.YieldFrom) for n in inside):
        return False
    returns = [node for node in inside if isinstance(node, ast.Return)]
    return not elsewhere(function.body) and (not returns or returns == [function.body[-1]])


def _inlined(tree: ast.Module, name: str) -> Made | None:
    function = next(f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name == name)
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name]
    places = [(b, s, c) for b in bodies(tree) for s in b if (c := _call(s)) is not None and c.func in uses]
    if len(uses) != 1 or len(places) != 1:
        return None
    body, statement, call = places[0]
    given = _bound(function.args.args, function.args.defaults, call)
    owner = function_around(tree, statement)
    free = module_names([function]) - {name}
    if given is None or owner is function or (owner is not None and free & locals_of(owner)):
        return None
    around = all_names(owner) if owner is not None else bound_names(tree.body) | module_names(tree.body)
    own, rebound = locals_of(function), bound_names(function.body)
    new, same = dict[str, str](), dict[str, str]()
    for variable in sorted(own):
        value = given.get(variable)
        if isinstance(value, ast.Name) and variable not in rebound and value.id not in own - {variable}:
            # the variable itself takes the place of the parameter
            new[variable] = same[variable] = value.id
        elif variable in around:
            new[variable] = unused(tree, f"{variable}_{name}", f"{name}_{variable}")
    first: list[ast.stmt] = [
        ast.Assign([ast.Name(new.get(variable, variable), ast.Store())], value)
        for variable, value in given.items()
        if variable not in same
    ]
    for node in (n for s in function.body for n in ast.walk(s)):
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
    inner = function.body[1:] if ast.get_docstring(function) is not None else function.body
    last = _last(statement, inner)
    kept = inner[:-1] if inner and isinstance(inner[-1], ast.Return) else inner
    at = body.index(statement)
    body[at : at + 1] = [*first, *kept, *last] or [ast.Pass()]
    tree.body.remove(function)
    return Made(tree, names={after: before for before, after in new.items() if before not in same}, same=same)


def _call(statement: ast.stmt) -> ast.Call | None:
    """Return the call that is all that a statement evaluates."""
    match statement:
        case ast.Expr(ast.Call() as call) | ast.Return(ast.Call() as call) | ast.Assign([_], ast.Call() as call):
            return call
    return None


def _last(statement: ast.stmt, inner: list[ast.stmt]) -> list[ast.stmt]:
    """Return what is done with the value of a call, whose last statement is its return."""
    returned = inner[-1] if inner and isinstance(inner[-1], ast.Return) else None
    value = (returned.value if returned is not None else None) or ast.Constant(None)
    made: ast.stmt
    match statement:
        case ast.Assign(targets):
            made = ast.Assign(targets, value)
        case ast.Return():
            made = ast.Return(value)
        case _ if isinstance(value, ast.Constant | ast.Name):
            return []
        case _:
            made = ast.Expr(value)
    return [stands_for(returned or statement, made)]


def function_around(tree: ast.Module, statement: ast.stmt) -> ast.FunctionDef | None:
    """Return the innermost function that a statement stands in."""
    found = None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(part is statement for part in ast.walk(node)):
            found = node
    return found


def _bound(parameters: list[ast.arg], defaults: list[ast.expr], call: ast.Call) -> dict[str, ast.expr] | None:
    """Return what each parameter gets in a call; None where that is not written there."""
    names = [parameter.arg for parameter in parameters]
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg not in names for k in call.keywords):
        return None
    given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
    given |= dict(zip(names, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}
    return {name: given[name] for name in names} if set(given) == set(names) else None
