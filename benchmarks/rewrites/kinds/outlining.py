"""What a loop does becomes a function."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator, Sequence

from benchmarks.rewrites.kinds.inlining import function_around
from benchmarks.rewrites.made import Made
from benchmarks.rewrites.new import function_of
from benchmarks.rewrites.scopes import all_names, bound_names, elsewhere, locals_of, module_names, unused

_MOST_TRIED = 3
# what cannot stand in a function of its own, or would mean something else there
_BOUND_TO_PLACE = (
    *(ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Delete, ast.NamedExpr),
    *(ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.Import, ast.ImportFrom),
)


def outline_loop(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Make a function of what a loop does in a round; it returns what is needed after it."""
    count = sum(isinstance(node, ast.For | ast.While) for node in ast.walk(tree))
    found = 0
    for number in rng.sample(range(count), count):
        made = _outlined(copy.deepcopy(tree), number, rng)
        if made is not None and found < _MOST_TRIED:
            found += 1
            yield made


def _outlined(tree: ast.Module, number: int, rng: random.Random) -> Made | None:
    loop = [node for node in ast.walk(tree) if isinstance(node, ast.For | ast.While)][number]
    owner = function_around(tree, loop)
    stored = bound_names(loop.body)
    if len(loop.body) < 2 or not _is_closed(loop.body) or not _stays_within(stored, owner):
        return None
    name = unused(tree, *rng.sample(("step", "one_round", "turn", "update_all", "advance"), 5))
    definitions = [s for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    is_shared = owner is None and bool(stored & module_names(definitions))
    if is_shared or (owner is None and rng.random() < 0.5):
        made = _with_globals(tree, loop, name, stored & module_names(definitions))
    else:
        made = _with_values(tree, loop, name, all_given=owner is not None or rng.random() < 0.5)
    if made is None:
        return None
    function, call = made
    place = next(n for n, s in enumerate(tree.body) if _holds(s, loop))
    loop.body = [call]
    tree.body.insert(place, function)
    return Made(tree)


def _with_globals(
    tree: ast.Module, loop: ast.For | ast.While, name: str, shared: set[str]
) -> tuple[ast.FunctionDef, ast.stmt] | None:
    """Return a function that sets variables of the module, and its call."""
    stored, (read, _) = bound_names(loop.body), _read_first(loop.body, set())
    target = module_names([loop.target]) if isinstance(loop, ast.For) else set()
    if target & stored:
        return None
    kept = sorted(stored & (_names_beside(tree, loop) | read | shared))
    first: list[ast.stmt] = [ast.Global(kept)] if kept else []
    given = sorted(target)
    return function_of(name, given, [*first, *loop.body]), ast.Expr(_called(name, given))


def _with_values(
    tree: ast.Module, loop: ast.For | ast.While, name: str, *, all_given: bool
) -> tuple[ast.FunctionDef, ast.stmt] | None:
    """Return a function that is handed what it reads and returns what it changes, and its call."""
    around = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _holds(node, loop)]
    fixed = [s for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)]
    own = set().union(*map(locals_of, around)) if around else bound_names(tree.body) - bound_names(fixed)
    outside = _names_beside(function_around(tree, loop) or tree, loop)
    stored, (read, definite) = bound_names(loop.body), _read_first(loop.body, set())
    carried = stored & (outside | read)
    # it may not be set in a round, and then it has to come back as it was
    unsure = carried - definite - read
    if not unsure <= own & outside:
        return None
    target = module_names([loop.target]) if isinstance(loop, ast.For) else set()
    given = sorted((read | unsure) & (own if all_given else stored | target) & own)
    returned = sorted(carried)
    if not returned:
        return function_of(name, given, loop.body), ast.Expr(_called(name, given))
    result = _display([ast.Name(one, ast.Load()) for one in returned], ast.Load())
    left = _display([ast.Name(one, ast.Store()) for one in returned], ast.Store())
    return function_of(name, given, [*loop.body, ast.Return(result)]), ast.Assign([left], _called(name, given))


def _called(name: str, given: list[str]) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [ast.Name(one, ast.Load()) for one in given], [])


def _display(names: Sequence[ast.expr], context: ast.expr_context) -> ast.expr:
    return names[0] if len(names) == 1 else ast.Tuple(list(names), context)


def _stays_within(stored: set[str], owner: ast.FunctionDef | None) -> bool:
    """Whether all that is set belongs to the function around."""
    return owner is None or (stored <= locals_of(owner) and not stored & elsewhere(owner.body))


def _holds(node: ast.AST, part: ast.AST) -> bool:
    return any(one is part for one in ast.walk(node))


def _is_closed(body: list[ast.stmt]) -> bool:
    """Whether statements can stand in a function of their own."""
    waiting: list[tuple[ast.AST, bool]] = [(statement, False) for statement in body]
    while waiting:
        node, is_inner = waiting.pop()
        if isinstance(node, _BOUND_TO_PLACE) or (isinstance(node, ast.Break | ast.Continue) and not is_inner):
            return False
        inner = is_inner or isinstance(node, ast.For | ast.While)
        waiting += [(child, inner) for child in ast.iter_child_nodes(node)]
    return True


def _read_first(body: list[ast.stmt], written: set[str]) -> tuple[set[str], set[str]]:
    """Return the names that statements may read before they write them, and those that they surely write."""
    read, written = set[str](), {*written}
    for statement in body:
        match statement:
            case ast.If(test, then, other):
                (first, one), (second, two) = _read_first(then, written), _read_first(other, written)
                read |= _loaded([test]) - written | first | second
                written |= one & two
            case ast.For(target, iterated, inner, other):
                read |= _loaded([iterated]) - written
                read |= _read_first(inner, written | module_names([target]))[0] | _read_first(other, written)[0]
            case ast.While(test, inner, other):
                read |= _loaded([test]) - written | _read_first(inner, written)[0] | _read_first(other, written)[0]
            case ast.With(items, inner):
                read |= _loaded([item.context_expr for item in items]) - written
                more, written = _read_first(inner, written | bound_names([ast.With(items, [])]))
                read |= more
            case ast.Try(inner, handlers, other, final):
                parts = [inner, *(handler.body for handler in handlers), other, final]
                read = read.union(*(_read_first(part, written)[0] for part in parts))
            case ast.AugAssign(ast.Name(id=name), _, value):
                read |= (_loaded([value]) | {name}) - written
                written.add(name)
            case _:
                read |= _loaded([statement]) - written
                written |= bound_names([statement])
    return read, written


def _loaded(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names that are read, but for those that belong to comprehensions."""
    loads = {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return module_names(nodes) & loads


def _names_beside(scope: ast.AST, loop: ast.For | ast.While) -> set[str]:
    """Return the names in a scope but for what is in the body of a loop."""
    kept, loop.body = loop.body, [ast.Pass()]
    found = all_names(scope)
    loop.body = kept
    return found
