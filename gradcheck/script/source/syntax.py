"""Functions and loops of a script as its syntax tree shows them: names, assignments, what flows where."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeGuard

# decorators of methods that are read like attributes
PROPERTIES = frozenset({"property", "cached_property", "functools.cached_property"})
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Code:
    """A stretch of code with a name: what its own statements assign, mention and call."""

    name: str
    node: FunctionNode | ast.For | ast.While

    @property
    def short_name(self) -> str:
        """The name without what it belongs to."""
        return self.name

    @property
    def line(self) -> int:
        """Line of its head."""
        return self.node.lineno

    @cached_property
    def statements(self) -> tuple[ast.stmt, ...]:
        """Every statement of the body, nested functions and classes left out; ``np.add(a, b, out=a)`` as ``a += b``."""
        return tuple(as_assignment(statement) for statement in own_statements(self.node.body))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name and dotted name that the body mentions."""
        nodes = (node for statement in self.node.body for node in walk(statement))
        return frozenset(text_of(node) for node in nodes if isinstance(node, ast.Name | ast.Attribute))

    @cached_property
    def calls(self) -> frozenset[str]:
        """The names of the functions and methods that the body calls, without what stands before the dot."""
        nodes = (node for statement in self.node.body for node in walk(statement))
        return frozenset(called_name(node) for node in nodes if isinstance(node, ast.Call))

    def assignments(self, name: str) -> list[ast.Assign | ast.AugAssign | ast.AnnAssign]:
        """Return the statements of the body that assign to `name`, in order; item assignments count."""
        return [s for s in self.statements if isinstance(s, ASSIGNMENTS) and name in assigned_names(s)]

    def feeds(self, names: Set[str]) -> set[str]:
        """Return the names whose values flow into `names` through the assignments of the body."""
        flow: dict[str, set[str]] = {}
        for statement in self.statements:
            if isinstance(statement, ASSIGNMENTS) and statement.value is not None:
                for target in assigned_names(statement):
                    flow.setdefault(target, set()).update(loaded_names(statement.value))
        reached: set[str] = set()
        frontier = set(names)
        while frontier:
            frontier = {source for name in frontier for source in flow.get(name, ())} - reached
            reached |= frontier
        return reached


@dataclass(frozen=True)
class Function(Code):
    """A function or method as the script defines it.

    Attributes
    ----------
    name : str
        Qualified name without the module: ``backprop``, ``Net.backward``.
    owner : str or None
        The class that a method belongs to.
    outer : Function or None
        The function inside of which it is defined.
    """

    name: str
    node: FunctionNode
    owner: str | None
    outer: Function | None = None

    @property
    def short_name(self) -> str:
        """The name after the last dot."""
        return self.node.name

    @property
    def is_property(self) -> bool:
        """Whether it is read like an attribute, without a call."""
        return bool(self.decorators & PROPERTIES)

    @cached_property
    def decorators(self) -> frozenset[str]:
        """Its decorators as written."""
        return frozenset(text_of(d) for d in self.node.decorator_list)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of all named arguments, in order."""
        a = self.node.args
        return tuple(arg.arg for arg in [*a.posonlyargs, *a.args, *a.kwonlyargs])

    @cached_property
    def required_arguments(self) -> tuple[str, ...]:
        """Names of the arguments without a default."""
        a = self.node.args
        positional = [arg.arg for arg in [*a.posonlyargs, *a.args]]
        keyword = [arg.arg for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True) if default is None]
        return tuple(positional[: len(positional) - len(a.defaults)] + keyword)

    @cached_property
    def returns(self) -> tuple[ast.Return, ...]:
        """The ``return`` statements that give back a value."""
        return tuple(s for s in self.statements if isinstance(s, ast.Return) and s.value is not None)


@dataclass(frozen=True)
class Loop(Code):
    """A loop, of which single rounds can be run.

    Attributes
    ----------
    name : str
        How it is named in messages: ``the loop in line 59``, ``the code from line 12``.
    function : Function or None
        The function that it stands in; None at module level.
    round_calls : frozenset of str
        The names of what its body calls, inner loops left out.
    before : frozenset of str
        The assignments in front of it, in the block in which it stands.
    """

    name: str
    node: ast.For | ast.While
    function: Function | None
    round_calls: frozenset[str]
    before: frozenset[str] = frozenset()

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of its arguments: none, as a round reads the variables around it."""
        return ()

    @property
    def returns(self) -> tuple[ast.Return, ...]:
        """The ``return`` statements that give back a value of the round: none."""
        return ()


# the variable of a loop of one round, which stands for code outside of loops
ONCE = "__gradcheck_once__"
ASSIGNMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign)


def with_futures_first(body: Sequence[ast.stmt]) -> ast.Module:
    """Return statements with those in front that each cell of a notebook, and each file, may have: ``__future__``."""
    return ast.Module([*filter(is_future, body), *(s for s in body if not is_future(s))], type_ignores=[])


def is_future(statement: ast.stmt) -> TypeGuard[ast.ImportFrom]:
    """Whether a statement says how its file is to be compiled."""
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def text_of(node: ast.AST) -> str:
    """Return what `ast.unparse` makes of a node; of names, which most are, in a fraction of its time."""
    match node:
        case ast.Name(name):
            return name
        case ast.Attribute(ast.Name() | ast.Attribute() as holder, name):
            return f"{text_of(holder)}.{name}"
    return ast.unparse(node)


def called_name(call: ast.Call) -> str:
    """Return the name after the last dot of what is called, or an empty string."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def assigned_names(statement: ast.Assign | ast.AugAssign | ast.AnnAssign) -> set[str]:
    """Return the names that a statement assigns to: ``a``, ``self.W`` and, for ``grads['W'] = ...``, ``grads``."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    found: set[str] = set()
    for target in targets:
        for part in flat_targets(target):
            while isinstance(part, ast.Subscript | ast.Starred):
                part = part.value
            found.add(text_of(part))
    return found


@lru_cache(maxsize=4096)
def walk(node: ast.AST) -> tuple[ast.AST, ...]:
    """Return a node and all below it, of a tree that is not changed any more: it is asked for many times."""
    return tuple(ast.walk(node))


_OPERATORS = {
    "add": ast.Add(),
    "subtract": ast.Sub(),
    "multiply": ast.Mult(),
    "divide": ast.Div(),
    "true_divide": ast.Div(),
}


def as_operator(expression: ast.expr) -> ast.expr:
    """Return an expression, or ``a - b`` if it is ``np.subtract(a, b)`` or the like."""
    match expression:
        case ast.Call(ast.Attribute(ast.Name("np" | "numpy"), name), [left, right], []) if name in _OPERATORS:
            return ast.copy_location(ast.BinOp(left, _OPERATORS[name], right), expression)
    return expression


@lru_cache(maxsize=4096)
def as_assignment(statement: ast.stmt) -> ast.stmt:
    """Return a statement, or what it assigns if it is a call of a function of NumPy that writes to its own operand."""
    match statement:
        case ast.Expr(
            ast.Call(function, operands, [ast.keyword("out", ast.Name() | ast.Attribute() as target)]) as call
        ):
            value = as_operator(ast.copy_location(ast.Call(function, operands, []), call))
            return _in_place(target, value, statement) or statement
    return statement


@lru_cache(maxsize=4096)
def onto_itself(node: ast.AST) -> ast.AugAssign | None:
    """Return what a statement does to a value that is there already, as ``a += b`` also where it says ``a = a + b``."""
    if isinstance(node, ast.stmt):
        node = as_assignment(node)
    match node:
        case ast.AugAssign():
            return node
        case ast.Assign([ast.Name() | ast.Attribute() | ast.Subscript() as target], value):
            return _in_place(target, value, node)
    return None


def _in_place(
    target: ast.Name | ast.Attribute | ast.Subscript, value: ast.expr, statement: ast.stmt
) -> ast.AugAssign | None:
    """Return the assignment of a value to one of its operands as one in place; None where it is none."""
    match value:
        case ast.BinOp(left, operator, right):
            own = text_of(target)
            if text_of(left) == own:
                return ast.copy_location(ast.AugAssign(target, operator, right), statement)
            if text_of(right) == own and isinstance(operator, ast.Add | ast.Mult):
                return ast.copy_location(ast.AugAssign(target, operator, left), statement)
    return None


def flat_targets(target: ast.expr) -> list[ast.expr]:
    """Return the elements of a (nested) tuple or list target, or the target itself."""
    if isinstance(target, ast.Tuple | ast.List):
        return [part for element in target.elts for part in flat_targets(element)]
    return [target]


def loaded_names(expression: ast.expr) -> set[str]:
    """Return the names and dotted names that an expression reads."""
    return {text_of(node) for node in walk(expression) if isinstance(node, ast.Name | ast.Attribute)}


# modules whose functions make copies
_COPIERS = frozenset({"np", "numpy", "copy"})


def without_copying(value: ast.expr) -> ast.expr:
    """Return what an expression is a copy of, if it is one."""
    match value:
        case ast.Call(ast.Attribute(ast.Name() as inner, "copy"), []) if inner.id not in _COPIERS:
            return inner
        case ast.Call(ast.Name("list" | "copy" | "deepcopy"), [inner]):
            return inner
        case ast.Call(ast.Attribute(ast.Name(holder), "copy" | "deepcopy" | "array"), [inner]) if holder in _COPIERS:
            return inner
        case ast.Subscript(inner, ast.Slice(None, None, None)):
            return inner
    return value


def functions_in(
    body: list[ast.stmt], prefix: str, owner: str | None, outer: Function | None = None
) -> Iterator[Function]:
    """Return the functions and methods that a block defines, also in its classes and inside of its functions."""
    for statement in body:
        if isinstance(statement, FunctionNode):
            function = Function(prefix + statement.name, statement, owner, outer)
            yield function
            yield from functions_in(statement.body, f"{function.name}.<locals>.", None, function)
        elif isinstance(statement, ast.ClassDef):
            name = prefix + statement.name
            # what a class inside of a function sees cannot be had again
            if outer is None:
                yield from functions_in(statement.body, prefix=f"{name}.", owner=name)
        else:
            for block in blocks(statement):
                yield from functions_in(block, prefix, owner, outer)


@lru_cache(maxsize=4096)
def loops_of(function: Function) -> list[Loop]:
    """Return the loops of a function's body, inner ones too, functions and classes inside left out."""
    return loops_in(function.node.body, function)


def loops_in(body: list[ast.stmt], function: Function | None) -> list[Loop]:
    """Return the loops of a block, inner ones too, functions and classes left out."""
    loops = [s for s in own_statements(body) if isinstance(s, ast.For | ast.While)]
    if not loops:
        return []
    before = frozenset(_written(s) for s in body if isinstance(s, ast.Assign))
    return [Loop(_called(s), s, function, _round_calls(s), before) for s in loops]


@lru_cache(maxsize=4096)
def _written(statement: ast.stmt) -> str:
    return ast.unparse(statement)


@lru_cache(maxsize=4096)
def _round_calls(loop: ast.For | ast.While) -> frozenset[str]:
    return frozenset(_calls_outside_loops(loop.body))


def _called(loop: ast.For | ast.While) -> str:
    return f"the {'code from' if is_once(loop) else 'loop in'} line {loop.lineno}"


def is_once(node: ast.stmt) -> bool:
    """Whether a loop of one round stands for code outside of loops."""
    return isinstance(node, ast.For) and isinstance(node.target, ast.Name) and node.target.id == ONCE


def _calls_outside_loops(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.For | ast.While | FunctionNode | ast.ClassDef):
            # what an inner loop runs through is computed once in a round
            head = statement.iter if isinstance(statement, ast.For) else None
            yield from (called_name(n) for n in ast.walk(head) if isinstance(n, ast.Call)) if head is not None else ()
            continue
        inner = [block for block in blocks(statement) if block]
        for block in inner:
            yield from _calls_outside_loops(block)
        if not inner:
            yield from (called_name(node) for node in ast.walk(statement) if isinstance(node, ast.Call))


def own_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements with those in their blocks, nested functions and classes left closed."""
    for statement in body:
        yield statement
        if not isinstance(statement, FunctionNode | ast.ClassDef):
            for block in blocks(statement):
                yield from own_statements(block)


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of statements within a statement."""
    for field in ("body", "orelse", "finalbody"):
        yield getattr(statement, field, [])
    for part in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
        yield part.body
