"""Mutation operators: each plants one mistake by replacing one span of the text, and nothing else changes."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator

from benchmarks.mutants.places import REDUCTIONS, Mutation, Place, is_slope, planted, siblings
from benchmarks.mutants.scripts import Network
from benchmarks.mutants.statements import deleted, moved

OTHER_NUMBERS: dict[float, tuple[str, ...]] = {1: ("2",), 2: ("1", "3", "4"), 0.5: ("0.25", "2")}
OTHER_AXES = {0: "1", 1: "0", 2: "1"}
INVERSE: dict[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+"}
COMPARED: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Gt: ("<", "<="),
    ast.GtE: ("<", "<="),
    ast.Lt: (">", ">="),
    ast.LtE: (">", ">="),
}
TWO_OPERANDS = ("dot", "outer", "matmul")

Spans = Iterator[tuple[str, int, int, str]]
Operator = Callable[[Place], Spans]
OPERATORS: list[Operator] = []


def operator(function: Operator) -> Operator:
    """Register an operator."""
    OPERATORS.append(function)
    return function


# -- signs, factors, terms ------------------------------------------------------------------------------------------


@operator
def sign(place: Place) -> Spans:
    """Turn a plus into a minus, or the other way round, or the sign of a value."""
    for node in place.operations(ast.Add, ast.Sub):
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
    for node in place.operations(ast.Mult, ast.Div):
        family = "slope dropped" if is_slope(node.right) else "factor dropped"
        yield place.put(family, node, place.text(node.left))
        if isinstance(node.op, ast.Mult):
            yield place.put("slope dropped" if is_slope(node.left) else "factor dropped", node, place.text(node.right))


@operator
def constant_changed(place: Place) -> Spans:
    """Change a number, or double a value."""
    for node in place.nodes(ast.Constant):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and not place.is_index(node):
            for new in OTHER_NUMBERS.get(node.value, ()):
                yield place.put("constant", node, new)
    value = getattr(place.statement, "value", None)
    if isinstance(value, ast.BinOp | ast.Call) and not isinstance(place.statement, ast.Expr):
        yield place.put("constant", value, f"2 * {_tight(place, value)}")


@operator
def term_dropped(place: Place) -> Spans:
    """Take a summand away."""
    for node in place.operations(ast.Add, ast.Sub):
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
    for node in place.operations(ast.Sub):
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
    for node in place.operations(ast.MatMult):
        for operand in (node.left, node.right):
            if isinstance(operand, ast.Name | ast.Subscript) or (
                isinstance(operand, ast.Attribute) and operand.attr != "T"
            ):
                yield place.put("transpose", operand, f"{place.text(operand)}.T")


@operator
def swapped_operands(place: Place) -> Spans:
    """Swap the sides of a product, a difference or a quotient."""
    for node in place.operations(ast.MatMult, ast.Sub, ast.Div):
        left, right = place.text(node.left), place.text(node.right)
        tight = f"({right})" if isinstance(node.right, ast.BinOp) else right
        symbol = {ast.MatMult: "@", ast.Sub: "-", ast.Div: "/"}[type(node.op)]
        yield place.put("operands swapped", node, f"{tight} {symbol} {_grouped(node.left, left)}")
    for call in place.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in TWO_OPERANDS and len(call.args) == 2:
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
        if len(names) == len(parts) == 2:
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


# -- all of them ----------------------------------------------------------------------------------------------------


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
