"""Where a replay starts: the function itself, or the function or loop round around its call.

A backward function is often handed what a forward function computed before: activations, a cache. A replay must
compute these again for every change of a parameter, so it starts as far up as the loop that calls both.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from gradcheck.script.record.instrument import HOOK, WithoutYields, can_be_replayed, definition, has_rounds, stopping
from gradcheck.script.replay.layer import Layer, Scene
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import Function, Loop, walk
from gradcheck.script.source.updates import updates_of

Region = Function | Loop | Layer
_NAME = "__gradcheck_round__"
_DEPTH = 4


def regions(source: SourceFile, function: Function) -> Iterator[Region]:
    """Return where a replay of `function` may start, the best first: loops around its calls, callers, itself.

    The search goes up from call to caller until it meets a loop.
    """
    if function.outer is None:
        yield from _above(source, function, _DEPTH)
    else:
        # its variables are those of the function around it, which only loops in there share
        inside = [
            loop
            for loop in source.loops
            if loop.function is not None and function.outer in (loop.function, loop.function.outer)
        ]
        yield from _innermost_first(loop for loop in inside if function.short_name in loop.round_calls)
    yield function


def _above(source: SourceFile, function: Function, depth: int) -> Iterator[Region]:
    calling = (loop for loop in source.loops if function.short_name in loop.round_calls and has_rounds(loop))
    yield from _innermost_first(calling)
    callers = [f for f in source.functions.values() if function.short_name in f.calls and f is not function]
    for caller in callers:
        if depth and can_be_replayed(caller) and not _in_a_loop(source, caller, function):
            yield from _above(source, caller, depth - 1)
            yield caller


def _innermost_first(loops: Iterable[Loop]) -> list[Loop]:
    """Return loops with those in others before these: what the outer one calls as well may be for display."""
    found = list(loops)
    return sorted(found, key=lambda loop: -sum(loop.node in walk(other.node) for other in found))


def _in_a_loop(source: SourceFile, caller: Function, function: Function) -> bool:
    return any(loop.function is caller and function.short_name in loop.round_calls for loop in source.loops)


@dataclass(frozen=True)
class Body:
    """Something to run again.

    Attributes
    ----------
    variables : callable
        Returns its local variables while it runs.
    """

    run: Callable[[], object]
    variables: Callable[[], dict[str, Any]]


def body_of(source: SourceFile, region: Region, namespace: dict[str, Any], arguments: dict[str, Any]) -> Body:
    """Return what runs a region with the variables in `arguments`, looked up anew at each run."""
    if isinstance(region, Layer):
        return _layer_body(region, namespace, arguments)
    if isinstance(region, Function) and region.outer is not None:
        inner = region.outer
        call = f"{region.short_name}({', '.join(_passed(region))})"
        return _round_in_function(source, inner, call, lambda: ast.parse(call).body, namespace, arguments)
    if isinstance(region, Function):
        target = _function(region, namespace, arguments)
        return Body(lambda: _call(target, arguments), lambda: _frame_variables(target.__code__))
    if region.function is None:
        code = source.compiled_once(
            region.node, sorted(region.before), lambda: _compiled(source, _round(region), region.line)
        )
        return Body(lambda: exec(code, namespace), dict)
    return _round_in_function(source, region.function, region.name, lambda: _round(region), namespace, arguments)


def _layer_body(layer: Layer, namespace: dict[str, Any], arguments: dict[str, Any]) -> Body:
    """Return a body that calls a layer's forward function, and then its backward function."""
    first = next(iter(layer.backward.arguments), "")
    forward = _function(layer.forward, namespace, arguments)
    backward = _function(layer.backward, namespace, {first: next(iter(arguments.values()), None)})
    known: dict[str, Any] = {}

    def run() -> None:
        scene = Scene(arguments, namespace, _call(forward, arguments), layer.times, layer.draw)
        known.update(layer.seen(scene))
        _call(backward, {name: given.value(scene) for name, given in layer.given})

    return Body(run, lambda: dict(known))


def _round(loop: Loop) -> list[ast.stmt]:
    """Return one round of a loop, and the hook that tells that it has ended."""
    statements = stopping([*_computed_at_the_end(loop), *loop.node.body])
    body = ast.For(
        target=ast.Name(_NAME, ast.Store()),
        iter=ast.Tuple([ast.Constant(0)], ast.Load()),
        body=[WithoutYields().visit(statement) for statement in statements],
        orelse=[],
    )
    return [body, *ast.parse(f"{HOOK}.leave({loop.name!r}, {HOOK}.locals(), None)").body]


def _computed_at_the_end(loop: Loop) -> list[ast.stmt]:
    """Return what a round computes for the next one when it has moved the parameters, as was done before the loop.

    With other parameters, a round has to begin with it.
    """
    moving = [number for number, s in enumerate(loop.node.body) if any(True for _ in updates_of(s))]
    if not moving:
        return []
    last = loop.node.body[moving[-1] + 1 :]
    return [s for s in last if isinstance(s, ast.Assign) and ast.unparse(s) in loop.before]


def _round_in_function(
    source: SourceFile,
    function: Function,
    what: str,
    body: Callable[[], list[ast.stmt]],
    namespace: dict[str, Any],
    arguments: dict[str, Any],
) -> Body:
    """Return a body that runs some statements of a function as a function of its local variables.

    `what` tells these statements from others of the same function.
    """
    foreign = {name for s in function.statements if isinstance(s, ast.Global) for name in s.names}
    names = [name for name in arguments if name.isidentifier() and name not in foreign]
    # inside a class of the same name, private attributes (`self.__w`) keep their meaning
    owner = (function.owner or "_").rsplit(".", 1)[-1]
    code = source.compiled_once(
        function.node,
        [what, owner, *names],
        lambda: _compiled(source, [_as_function(source, function, owner, names, body())], function.line),
    )
    scope: dict[str, Any] = {}
    exec(code, namespace, scope)
    target = vars(scope[owner])[_NAME]
    return Body(lambda: target(*(arguments[name] for name in names)), lambda: _frame_variables(target.__code__))


def _as_function(
    source: SourceFile, function: Function, owner: str, names: list[str], body: list[ast.stmt]
) -> ast.ClassDef:
    """Return a class with statements of a function as one of its own, so that closures find their variables.

    Functions that are defined inside of the function, and those beside it that it calls in a function around both, are
    defined again, so that they see these variables, too.
    """
    outer: list[ast.stmt] = [copy.deepcopy(s) for s in function.statements if isinstance(s, ast.Global)]
    outer += [definition(f) for f in source.functions.values() if f.outer == function]
    outer += [definition(f) for f in _beside(source, function) if _declared(f) <= set(names)]
    head = ast.parse(f"def {_NAME}({', '.join(names)}): pass").body[0]
    holder = ast.parse(f"class {owner}: pass").body[0]
    if isinstance(head, ast.FunctionDef) and isinstance(holder, ast.ClassDef):
        head.body = [*outer, *body]
        holder.body = [head]
    return cast(ast.ClassDef, holder)


def _beside(source: SourceFile, function: Function) -> list[Function]:
    """Return the functions beside one in a function around them that it calls, directly or not."""
    others = [f for f in source.functions.values() if function.outer is not None and f.outer == function.outer]
    found: list[Function] = []
    pending = [function]
    while pending:
        mentioned = pending.pop().names
        more = [f for f in others if f.short_name in mentioned and f not in found and f is not function]
        found += more
        pending += more
    return found


def _declared(function: Function) -> set[str]:
    """Return the variables of functions around it that a function assigns."""
    return {name for s in function.statements if isinstance(s, ast.Nonlocal) for name in s.names}


def _passed(function: Function) -> list[str]:
    """Return what a function is called with, each argument under its own name."""
    a = function.node.args
    found = [arg.arg for arg in [*a.posonlyargs, *a.args]]
    found += [f"*{a.vararg.arg}"] if a.vararg else []
    found += [f"{arg.arg}={arg.arg}" for arg in a.kwonlyargs]
    return [*found, *([f"**{a.kwarg.arg}"] if a.kwarg else [])]


def _compiled(source: SourceFile, body: list[ast.stmt], line: int) -> types.CodeType:
    """Compile a part of the file in which a line stands, under what that file says of ``__future__``."""
    module = source.prepared(ast.fix_missing_locations(ast.Module([*source.futures(line), *body], type_ignores=[])))
    return compile(module, str(source.path), "exec", dont_inherit=True)


def _frame_variables(code: types.CodeType) -> dict[str, Any]:
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code is not code:
        frame = frame.f_back
    return dict(frame.f_locals) if frame.f_code is code else {}


def _function(function: Function, namespace: dict[str, Any], arguments: dict[str, Any]) -> types.FunctionType:
    """Return the plain function behind a function, method, static or class method."""
    if function.owner is None:
        found = namespace[function.short_name]
    else:
        first = arguments.get(function.arguments[0]) if function.arguments else None
        owner = namespace.get(function.owner)
        holder = owner if isinstance(owner, type) else first if isinstance(first, type) else type(first)
        found = inspect.getattr_static(holder, function.short_name)
    for behind in ("__func__", "fget", "func"):
        found = getattr(found, behind, found)
    if not isinstance(found, types.FunctionType):
        raise TypeError(f"`{function.name}` is no longer the function that the script defined")
    return found


def _call(target: types.FunctionType, arguments: dict[str, Any]) -> object:
    """Call a function with the variables that it had at entry, each passed in the way of its kind."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional.extend(arguments[name])
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords |= arguments[name]
        elif parameter.kind is parameter.KEYWORD_ONLY:
            keywords[name] = arguments[name]
        else:
            positional.append(arguments[name])
    return target(*positional, **keywords)
