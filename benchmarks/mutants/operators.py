"""Mutation operators: each plants one mistake by replacing one span of the text, and nothing else changes."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from benchmarks.mutants.losses import RATES
from benchmarks.mutants.scripts import Network

Function = ast.FunctionDef | ast.Module
OTHER_NUMBERS: dict[float, tuple[str, ...]] = {1: ("2",), 2: ("1", "3", "4"), 0.5: ("0.25", "2")}
OTHER_AXES = {0: "1", 1: "0", 2: "1"}
INVERSE: dict[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+"}
COMPARED: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Gt: ("<", "<="),
    ast.GtE: ("<", "<="),
    ast.Lt: (">", ">="),
    ast.LtE: (">", ">="),
}
PAIR = 2
REDUCTIONS = {"sum": "mean", "mean": "sum"}
TWO_OPERANDS = ("dot", "outer", "matmul")


@dataclass(frozen=True)
class Mutation:
    """One planted mistake.

    Attributes
    ----------
    family : str
        What kind of mistake it is.
    start, end : int
        Offsets of the span of the text that is replaced.
    new : str
        What stands there then.
    lines : tuple of int
        The lines, in the text with the mistake, of which a finding has to cover one.
    statement : tuple of int
        Offsets of the statements that it touches.
    """

    family: str
    start: int
    end: int
    new: str
    lines: tuple[int, ...]
    statement: tuple[int, int]


Spans = Iterator[tuple[str, int, int, str]]
Operator = Callable[["Place"], Spans]
OPERATORS: list[Operator] = []


def operator(function: Operator) -> Operator:
    """Register an operator."""
    OPERATORS.append(function)
    return function


@dataclass(frozen=True)
class Place:
    """One statement of the way back.

    Attributes
    ----------
    network : Network
        Where it stands.
    function : FunctionDef or Module
        The function around it.
    statement : stmt
        The statement.
    """

    network: Network
    function: Function
    statement: ast.stmt

    def nodes(self, *kinds: type[ast.expr]) -> Iterator[ast.expr]:
        """Return its expressions of some kinds that are read."""
        for node in ast.walk(self.statement):
            if isinstance(node, kinds) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
                yield node

    def calls(self) -> Iterator[ast.Call]:
        """Return its calls."""
        return (node for node in ast.walk(self.statement) if isinstance(node, ast.Call))

    def sums(self, *kinds: type[ast.operator]) -> Iterator[ast.BinOp]:
        """Return its binary operations of some kinds."""
        for node in ast.walk(self.statement):
            if isinstance(node, ast.BinOp) and isinstance(node.op, kinds) and not _in_brackets(self, node):
                yield node

    def text(self, node: ast.expr) -> str:
        """Return the text of an expression."""
        return self.network.segment(node)

    def put(self, family: str, old: ast.expr, new: str) -> tuple[str, int, int, str]:
        """Replace an expression, with parentheses if it were read differently without them."""
        start, end = self.network.start(old), self.network.end(old)
        before = self.network.text[self.network.start(self.statement) : start]
        after = self.network.text[end : self.network.end(self.statement)]
        wrapped = f"({new})"
        if _parsed(before + new + after) == _parsed(before + wrapped + after):
            wrapped = new
        return family, start, end, wrapped


def _parsed(text: str) -> str | None:
    try:
        return ast.dump(ast.parse(text))
    except SyntaxError:
        return None


def is_slope(node: ast.expr) -> bool:
    """Tell whether an expression looks like the derivative of an activation, or like a part of it."""
    match node:
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Sub()):
            return True
        case ast.Compare():
            return True
        case ast.Name(id="slope"):
            return True
        case ast.Call(func=ast.Name(id=name)):
            return "prime" in name
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return is_slope(left) and is_slope(right)
    return False


def siblings(place: Place, node: ast.expr) -> list[str]:
    """Return what else of the same kind the function has: names, attributes, texts in brackets."""
    outer = place.network.tree if isinstance(node, ast.Attribute) else place.function
    found: dict[str, None] = {}
    for other in ast.walk(outer):
        if isinstance(node, ast.Name) and isinstance(other, ast.Name | ast.arg):
            found[other.id if isinstance(other, ast.Name) else other.arg] = None
        elif isinstance(other, ast.expr) and type(other) is type(node) and _same_stem(node, other):
            found[place.text(other)] = None
    called = {place.text(call.func) for call in ast.walk(place.network.tree) if isinstance(call, ast.Call)}
    no_values = called | RATES | {"self", "np"}
    own = place.text(node)
    return [] if own in no_values else [text for text in found if text not in no_values | {own}]


def _same_stem(node: ast.expr, other: ast.expr) -> bool:
    match node, other:
        case ast.Attribute(value=ast.Name(id=one)), ast.Attribute(value=ast.Name(id=two)):
            return one == two == "self"
        case (
            ast.Subscript(value=ast.Name(id=one), slice=ast.Constant(value=str())),
            ast.Subscript(value=ast.Name(id=two), slice=ast.Constant(value=str())),
        ):
            return one == two
    return False


# -- signs, factors, terms ------------------------------------------------------------------------------------------


@operator
def sign(place: Place) -> Spans:
    """Turn a plus into a minus, or the other way round, or the sign of a value."""
    for node in place.sums(ast.Add, ast.Sub):
        if not is_slope(node):
            yield place.put(
                "sign", node, f"{place.text(node.left)} {INVERSE[type(node.op)]} {_tight(place, node.right)}"
            )
    for node in place.nodes(ast.UnaryOp):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield place.put("sign", node, place.text(node.operand))
    statement = place.statement
    if isinstance(statement, ast.AugAssign) and type(statement.op) in INVERSE:
        start, end = place.network.end(statement.target), place.network.start(statement.value)
        yield (
            "sign",
            start,
            end,
            place.network.text[start:end].replace("+=", "?").replace("-=", "+=").replace("?", "-="),
        )
    if isinstance(statement, ast.Assign | ast.Return) and isinstance(statement.value, ast.BinOp | ast.Call):
        value = place.text(statement.value)
        loose = isinstance(statement.value, ast.BinOp) and isinstance(statement.value.op, ast.Add | ast.Sub)
        yield place.put("sign", statement.value, f"-({value})" if loose else f"-{value}")


def _tight(place: Place, node: ast.expr) -> str:
    loose = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
    return f"({place.text(node)})" if loose else place.text(node)


@operator
def factor_dropped(place: Place) -> Spans:
    """Take a factor or a divisor away."""
    for node in place.sums(ast.Mult, ast.Div):
        family = "slope dropped" if is_slope(node.right) else "factor dropped"
        yield place.put(family, node, place.text(node.left))
        if isinstance(node.op, ast.Mult):
            yield place.put("slope dropped" if is_slope(node.left) else "factor dropped", node, place.text(node.right))


@operator
def constant_changed(place: Place) -> Spans:
    """Change a number, or double a value."""
    for node in place.nodes(ast.Constant):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and not _in_brackets(place, node):
            for new in OTHER_NUMBERS.get(node.value, ()):
                yield place.put("constant", node, new)
    value = getattr(place.statement, "value", None)
    if isinstance(value, ast.BinOp | ast.Call) and not isinstance(place.statement, ast.Expr):
        yield place.put("constant", value, f"2 * {_tight(place, value)}")


def _in_brackets(place: Place, node: ast.expr) -> bool:
    """Tell whether an expression is part of an index or an axis, which have operators of their own."""
    for other in ast.walk(place.statement):
        within = [other.slice] if isinstance(other, ast.Subscript) else []
        if isinstance(other, ast.Call):
            within += [keyword.value for keyword in other.keywords]
            within += other.args if isinstance(other.func, ast.Attribute) and other.func.attr in REDUCTIONS else []
        if any(node is inner for part in within for inner in ast.walk(part)):
            return True
    return False


@operator
def term_dropped(place: Place) -> Spans:
    """Take a summand away."""
    for node in place.sums(ast.Add, ast.Sub):
        if not is_slope(node):
            yield place.put("term dropped", node, place.text(node.left))
            new = place.text(node.right)
            yield place.put(
                "term dropped", node, new if isinstance(node.op, ast.Add) else f"-{_tight(place, node.right)}"
            )


# -- variables ------------------------------------------------------------------------------------------------------


@operator
def wrong_variable(place: Place) -> Spans:
    """Read another name, attribute or entry of the function."""
    slopes = [node for node in place.nodes(ast.expr) if is_slope(node)]
    for node in place.nodes(ast.Name, ast.Attribute, ast.Subscript):
        inside = any(node is inner for slope in slopes for inner in ast.walk(slope))
        for new in siblings(place, node):
            yield place.put("slope elsewhere" if inside else "wrong variable", node, new)


@operator
def slope_bent(place: Place) -> Spans:
    """Write the slope of an activation wrong: a square that is lost, a part that is lost."""
    for node in place.sums(ast.Sub):
        if not is_slope(node):
            continue
        if isinstance(node.right, ast.BinOp):
            yield place.put("slope elsewhere", node.right, place.text(node.right.left))
        else:
            yield place.put("slope elsewhere", node.right, f"{place.text(node.right)}**2")


# -- products and shapes --------------------------------------------------------------------------------------------


@operator
def transpose(place: Place) -> Spans:
    """Take a transpose away, or add one."""
    for node in place.nodes(ast.Attribute):
        if isinstance(node, ast.Attribute) and node.attr == "T":
            yield place.put("transpose", node, place.text(node.value))
    for node in place.sums(ast.MatMult):
        for operand in (node.left, node.right):
            if isinstance(operand, ast.Name | ast.Subscript) or (
                isinstance(operand, ast.Attribute) and operand.attr != "T"
            ):
                yield place.put("transpose", operand, f"{place.text(operand)}.T")


@operator
def swapped_operands(place: Place) -> Spans:
    """Swap the sides of a product, a difference or a quotient."""
    for node in place.sums(ast.MatMult, ast.Sub, ast.Div):
        left, right = place.text(node.left), place.text(node.right)
        tight = f"({right})" if isinstance(node.right, ast.BinOp) else right
        symbol = {ast.MatMult: "@", ast.Sub: "-", ast.Div: "/"}[type(node.op)]
        yield place.put("operands swapped", node, f"{tight} {symbol} {_grouped(node.left, left)}")
    for call in place.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in TWO_OPERANDS and len(call.args) == PAIR:
            one, two = map(place.text, call.args)
            yield place.put("operands swapped", call, f"{place.text(call.func)}({two}, {one})")


def _grouped(node: ast.expr, text: str) -> str:
    return f"({text})" if isinstance(node, ast.BinOp) else text


@operator
def reduction(place: Place) -> Spans:
    """Reduce along another axis, average in place of adding up, or do not reduce."""
    for call in place.calls():
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in REDUCTIONS:
            continue
        start = place.network.end(call.func) - len(call.func.attr)
        yield "axis or mean", start, place.network.end(call.func), REDUCTIONS[call.func.attr]
        method = not place.text(call.func).startswith("np.")
        yield place.put("axis or mean", call, place.text(call.func.value if method else call.args[0]))
        for axis in [*(word.value for word in call.keywords if word.arg == "axis"), *call.args[0 if method else 1 :]]:
            if isinstance(axis, ast.Constant) and isinstance(axis.value, int):
                yield place.put("axis or mean", axis, OTHER_AXES[axis.value])


@operator
def accumulation(place: Place) -> Spans:
    """Overwrite in place of adding, or add in place of writing."""
    statement = place.statement
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        yield "= for +=", place.network.end(statement.target), place.network.start(statement.value), " = "
    if isinstance(statement, ast.Assign):
        yield "= for +=", place.network.end(statement.targets[0]), place.network.start(statement.value), " += "


@operator
def index(place: Place) -> Spans:
    """Shift an index by one, or use another one."""
    for node in ast.walk(place.statement):
        if not isinstance(node, ast.Subscript):
            continue
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        for part in parts:
            match part:
                case ast.Name(id=name):
                    yield place.put("index", part, f"{name} - 1")
                    yield place.put("index", part, f"{name} + 1")
                case ast.BinOp(left=ast.Name(id=name)):
                    yield place.put("index", part, name)
                case ast.Slice(lower=ast.Name(id=name) as lower):
                    yield place.put("index", lower, f"{name} + 1")
        names = [part.id for part in parts if isinstance(part, ast.Name)]
        if len(names) == len(parts) == PAIR:
            start, end = place.network.start(node.slice), place.network.end(node.slice)
            yield "index", start, end, ", ".join(reversed(names))


@operator
def comparison(place: Place) -> Spans:
    """Turn a comparison round."""
    for node in place.nodes(ast.Compare):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
            for symbol in COMPARED[type(node.ops[0])]:
                new = f"{place.text(node.left)} {symbol} {place.text(node.comparators[0])}"
                yield place.put("comparison", node, new)


# -- statements -----------------------------------------------------------------------------------------------------


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


def mutations(network: Network) -> list[Mutation]:
    """Return every mistake that can be planted into a network.

    Parameters
    ----------
    network : Network
        A correct script.
    """
    found: dict[str, Mutation] = {}
    for function, statements in network.blocks():
        for statement in statements:
            around = network.start(statement), network.end(statement)
            lines = tuple(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
            for plant in OPERATORS:
                for family, start, end, new in plant(Place(network, function, statement)):
                    text = network.text[:start] + new + network.text[end:]
                    found.setdefault(text, Mutation(family, start, end, new, lines, around))
        for mutation in itertools.chain(deleted(network, function, statements), moved(network, statements)):
            found.setdefault(planted(network, [mutation]), mutation)
    found.pop(network.text, None)
    return list(found.values())


def planted(network: Network, chosen: Iterable[Mutation]) -> str:
    """Return the text of a network with some mistakes, whose spans do not overlap.

    Parameters
    ----------
    network : Network
        A correct script.
    chosen : iterable of Mutation
        What to plant.
    """
    text = network.text
    for mutation in sorted(chosen, key=lambda one: one.start, reverse=True):
        text = text[: mutation.start] + mutation.new + text[mutation.end :]
    return text
