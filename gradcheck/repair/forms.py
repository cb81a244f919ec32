"""Edits of an expression's form: signs, constants, transposes, axes, order, indices, comparisons, reductions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from gradcheck.repair.rewrite import Rewrite, Spot, Writer, spots
from gradcheck.script.source.syntax import called_name
from gradcheck.script.source.text import Splice

_ATOMIC, _UNARY, _PRODUCT, _SUM = 10, 8, 7, 6
_DEPTH = 0.03
_PRODUCTS = {"dot", "outer", "matmul", "multiply", "correlate", "convolve", "tensordot", "inner", "divide", "subtract"}
_REDUCTIONS = {"sum": "mean", "mean": "sum"}
_COMPARISONS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<="}


def forms(value: ast.expr, writer: Writer, calls: Sequence[str]) -> Iterator[Rewrite]:
    """Return edits of the form of an expression."""
    for spot in spots(value):
        cost = 1.0 + _DEPTH * spot.depth
        yield from _signs(spot, writer, cost)
        yield from _constants(spot, writer, cost)
        yield from _transposes(spot, writer, cost)
        yield from _orders(spot, writer, cost)
        yield from _reductions(spot, writer, cost)
        yield from _functions(spot, writer, cost, calls)
    for node in ast.walk(value):
        if isinstance(node, ast.Subscript):
            yield from shifted(node, writer, 1.0)
        if isinstance(node, ast.Compare):
            yield from compared(node, writer, 1.0)
    if isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
        (whole,) = list(spots(value))[:1]
        text = writer.of(value)
        yield Rewrite(writer.put(whole, f"{text}.copy()"), "GC222", 1.2, text, f"{text}.copy()", keeps_value=True)
    yield from _softmax(value, writer)


def _signs(spot: Spot, writer: Writer, cost: float) -> Iterator[Rewrite]:
    node = spot.node
    match node:
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant) or spot.depth:
            yield Rewrite(writer.put(spot, writer.of(operand)), "GC214", cost, "-", "")
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            sign = "-" if isinstance(op, ast.Add) else "+"
            new = f"{writer.held(left, _SUM)} {sign} {writer.held(right, _SUM + 1)}"
            yield Rewrite(writer.put(spot, new), "GC214", cost, "", sign)
    whole = spot.depth == 0 or isinstance(spot.parent, ast.Tuple | ast.List | ast.Dict | ast.ListComp | ast.Call)
    if whole and not isinstance(node, ast.Tuple | ast.Dict | ast.List | ast.Constant | ast.UnaryOp):
        held = writer.held(node, _PRODUCT)
        yield Rewrite(writer.put(spot, held[1:] if held.startswith("-") else f"-{held}"), "GC214", cost, "", "-")


def _constants(spot: Spot, writer: Writer, cost: float) -> Iterator[Rewrite]:
    node = spot.node
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool | str) or node.value is None:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            left, right = node.left, node.right
            sign = "/" if isinstance(node.op, ast.Mult) else "*"
            new = f"{writer.held(left, _PRODUCT)} {sign} {writer.held(right, _UNARY)}"
            yield Rewrite(writer.put(spot, new), "GC207", cost + 0.3, "", sign)
        return
    number = node.value
    if not isinstance(number, int | float):
        return
    others = {0, 1, 2, -1, 0.5, 3, 0.25, number * 2, number / 2, number + 1, number - 1, -number} - {number}
    if isinstance(spot.parent, ast.BinOp) and isinstance(spot.parent.op, ast.Mult | ast.Div):
        # what is multiplied by nothing is silenced, not mended
        others -= {0}
    for other in sorted(others):
        text = f"{int(other) if float(other).is_integer() and isinstance(number, int) else other}"
        yield Rewrite(writer.put(spot, text), "GC213", cost + 0.1, writer.of(node), text)


def _transposes(spot: Spot, writer: Writer, cost: float) -> Iterator[Rewrite]:
    node = spot.node
    text = writer.of(node)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield Rewrite(writer.put(spot, writer.of(node.value)), "GC217", cost, text, writer.of(node.value), True)
    elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp | ast.Call):
        new = f"{writer.held(node, _ATOMIC)}.T"
        yield Rewrite(writer.put(spot, new), "GC217", cost + 0.02, text, new, True)
        flipped = f"{writer.held(node, _ATOMIC)}[::-1, ::-1]"
        yield Rewrite(writer.put(spot, flipped), "GC226", cost + 0.5, text, flipped)
        flipped = f"{writer.held(node, _ATOMIC)}[::-1]"
        yield Rewrite(writer.put(spot, flipped), "GC226", cost + 0.4, text, flipped)
    if isinstance(node, ast.Subscript) and "::-1" in text:
        yield Rewrite(writer.put(spot, writer.of(node.value)), "GC226", cost + 0.1, text, writer.of(node.value))


def _orders(spot: Spot, writer: Writer, cost: float) -> Iterator[Rewrite]:
    match spot.node:
        case ast.BinOp(left, ast.Sub() | ast.MatMult() | ast.Div() as op, right):
            sign, needs = {ast.Sub: ("-", _SUM), ast.MatMult: ("@", _PRODUCT), ast.Div: ("/", _PRODUCT)}[type(op)]
            new = f"{writer.held(right, needs)} {sign} {writer.held(left, needs + 1)}"
            code = "GC214" if sign == "-" else "GC229"
            yield Rewrite(writer.put(spot, new), code, cost, writer.of(spot.node), new, True)
            if sign == "@":
                new = f"{writer.held(left, needs)} * {writer.held(right, needs + 1)}"
                yield Rewrite(writer.put(spot, new), "GC229", cost + 0.3, writer.of(spot.node), new, True)
        case ast.BinOp(left, ast.Mult(), right):
            for one, other in ((left, right), (right, left)):
                new = f"{writer.held(one, _PRODUCT)} @ {writer.held(other, _UNARY)}"
                yield Rewrite(writer.put(spot, new), "GC229", cost + 0.4, writer.of(spot.node), new, True)
        case ast.Call(_, [one, other]) if called_name(spot.node) in _PRODUCTS:
            yield _exchanged(spot, writer, one, other, cost)
        case ast.Call(ast.Attribute(holder), [one]) if called_name(spot.node) == "dot":
            new = f"{writer.held(one, _ATOMIC)}.dot({writer.of(holder)})"
            yield Rewrite(writer.put(spot, new), "GC229", cost, writer.of(spot.node), new, True)
    match spot.node:
        case ast.Subscript(ast.Subscript(base, i), j):
            a, b = writer.of(i), writer.of(j)
            new = f"{writer.of(base)}[{b}][{a}]"
            yield Rewrite(writer.put(spot, new), "GC229", cost, writer.of(spot.node), new)
        case ast.Subscript(base, ast.Tuple([i, j])):
            new = f"{writer.of(base)}[{writer.of(j)}, {writer.of(i)}]"
            yield Rewrite(writer.put(spot, new), "GC229", cost, writer.of(spot.node), new, True)


def _exchanged(spot: Spot, writer: Writer, one: ast.expr, other: ast.expr, cost: float) -> Rewrite:
    start = writer.text.start(spot.node)
    text = writer.of(spot.node)
    a, b = (
        (writer.text.start(one) - start, writer.text.end(one) - start),
        (
            writer.text.start(other) - start,
            writer.text.end(other) - start,
        ),
    )
    new = text[: a[0]] + text[b[0] : b[1]] + text[a[1] : b[0]] + text[a[0] : a[1]] + text[b[1] :]
    return Rewrite(writer.put(spot, new), "GC229", cost, text, new, True)


def _reductions(spot: Spot, writer: Writer, cost: float) -> Iterator[Rewrite]:
    node, text = spot.node, writer.of(spot.node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _REDUCTIONS:
        new_name = _REDUCTIONS[node.func.attr]
        end = writer.text.end(node.func)
        splice = Splice(end - len(node.func.attr), end, new_name)
        yield Rewrite((splice,), "GC212", cost + 0.05, node.func.attr, new_name)
        yield from _axes(node, writer, cost, method=not _of_module(node.func.value))
        inner = node.func.value if not _of_module(node.func.value) else node.args[0] if node.args else node.func.value
        yield Rewrite(writer.put(spot, writer.of(inner)), "GC216", cost + 0.4, text, writer.of(inner), True)
        return
    whole = spot.depth == 0 or isinstance(spot.parent, ast.BinOp | ast.Tuple | ast.Dict | ast.Call)
    if whole and isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp):
        held = writer.held(node, _ATOMIC)
        for shape in (".ravel()", ".reshape(-1, 1)", "[:, None]", "[:, 0]"):
            yield Rewrite(writer.put(spot, held + shape), "GC219", cost + 0.3, text, held + shape, True)
        for axis in ("0", "1", "-1"):
            for keep in ("", ", keepdims=True"):
                new = f"{held}.sum(axis={axis}{keep})"
                yield Rewrite(writer.put(spot, new), "GC216", cost + 0.3 + 0.1 * bool(keep), text, new, True)
        for word in ("np.sum", "np.mean"):
            yield Rewrite(writer.put(spot, f"{word}({text})"), "GC216", cost + 0.35, text, f"{word}({text})", True)


def _of_module(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("np", "numpy")


def _axes(node: ast.Call, writer: Writer, cost: float, *, method: bool) -> Iterator[Rewrite]:
    given = next((k for k in node.keywords if k.arg == "axis"), None)
    position = 0 if method else 1
    place = given.value if given else node.args[position] if len(node.args) > position else None
    before = writer.of(node)
    if place is not None:
        for new in ("0", "1", "-1", "2", "None", "(0, 1)"):
            if new != writer.of(place):
                splice = Splice(writer.text.start(place), writer.text.end(place), new)
                rare = 0.3 if new in ("2", "None", "(0, 1)") else 0.0
                yield Rewrite((splice,), "GC218", cost + rare, f"axis={writer.of(place)}", f"axis={new}", True)
        if given is not None and not any(k.arg == "keepdims" for k in node.keywords):
            at = writer.text.end(place)
            yield Rewrite((Splice(at, at, ", keepdims=True"),), "GC219", cost + 0.1, before, "keepdims=True", True)
        return
    at = writer.text.end(node) - 1
    comma = ", " if node.args else ""
    for new in ("axis=0", "axis=1", "axis=0, keepdims=True", "axis=1, keepdims=True", "axis=-1, keepdims=True"):
        if not node.keywords:
            yield Rewrite((Splice(at, at, comma + new),), "GC216", cost + 0.1 * ("keep" in new), before, new, True)


def _functions(spot: Spot, writer: Writer, cost: float, calls: Sequence[str]) -> Iterator[Rewrite]:
    node = spot.node
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return
    old = writer.of(node.func)
    if isinstance(node.func, ast.Attribute) and not _of_module(node.func.value) and old not in calls:
        return
    for new in calls:
        if new != old:
            splice = Splice(writer.text.start(node.func), writer.text.end(node.func), new)
            yield Rewrite((splice,), "GC209", cost + 0.1, old, new)


def shifted(node: ast.Subscript, writer: Writer, cost: float) -> Iterator[Rewrite]:
    """Return edits that move an index, or the ends of a slice, by one."""
    indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for index in indices:
        if isinstance(index, ast.Slice):
            ends = [end for end in (index.lower, index.upper) if end is not None]
            yield from _slices(index, writer, cost)
        elif isinstance(index, ast.Constant) and not isinstance(index.value, int):
            ends = []
        else:
            ends = [index]
        for end in ends:
            old = writer.of(end)
            new_texts = [f"{old} + 1", f"{old} - 1"]
            match end:
                case ast.Constant(int(number)):
                    new_texts = [str(number + 1), str(number - 1)]
                case ast.UnaryOp(ast.USub(), ast.Constant(int(number))):
                    new_texts = [str(-number + 1), str(-number - 1)]
                case ast.BinOp(left, ast.Add() | ast.Sub(), ast.Constant(1)):
                    base = writer.of(left)
                    opposite = "-" if isinstance(end.op, ast.Add) else "+"
                    new_texts = [base, f"{base} {opposite} 1"]
            for new in new_texts:
                splice = Splice(writer.text.start(end), writer.text.end(end), new)
                yield Rewrite(
                    (splice,), "GC226", cost, f"{writer.of(node.value)}[{old}]", f"{writer.of(node.value)}[{new}]"
                )


def _slices(index: ast.Slice, writer: Writer, cost: float) -> Iterator[Rewrite]:
    """Return the ends of a slice set otherwise: ``[1:]`` for ``[:-1]``."""
    if index.step is not None:
        return
    start, end = writer.text.start(index), writer.text.end(index)
    old = writer.text.code[start:end]
    for new in (":", "1:", ":-1", "1:-1", "2:", ":-2"):
        if new != old.replace(" ", ""):
            yield Rewrite((Splice(start, end, new),), "GC226", cost + 0.1, f"[{old}]", f"[{new}]", True)


def compared(node: ast.Compare, writer: Writer, cost: float) -> Iterator[Rewrite]:
    """Return edits of a comparison."""
    if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARISONS:
        return
    start, end = writer.text.end(node.left), writer.text.start(node.comparators[0])
    between = writer.text.code[start:end]
    old = _COMPARISONS[type(node.ops[0])]
    if old not in between:
        return
    for new in _COMPARISONS.values():
        if new != old:
            yield Rewrite((Splice(start, end, between.replace(old, new)),), "GC228", cost, old, new)


def _softmax(value: ast.expr, writer: Writer) -> Iterator[Rewrite]:
    """Return a softmax's whole Jacobian for its diagonal, ``p * (1 - p) * g``."""
    factors = list(_factors(value))
    texts = [writer.of(f) for f in factors]
    (whole,) = list(spots(value))[:1]
    for factor in factors:
        match factor:
            case ast.BinOp(ast.Constant(1 | 1.0), ast.Sub(), p) if writer.of(p) in texts:
                own = writer.of(p)
                rest = [writer.held(f, _UNARY) for f in factors if f is not factor and writer.of(f) != own]
                g = " * ".join(rest)
                if rest:
                    for total in (
                        f"np.sum({g} * {own}, axis=-1, keepdims=True)",
                        f"np.sum({g} * {own}, axis=0, keepdims=True)",
                        f"np.sum({g} * {own})",
                    ):
                        new = f"{own} * ({g} - {total})"
                        yield Rewrite(writer.put(whole, new), "GC206", 1.4, writer.of(value), new)


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield from _factors(node.left)
        yield from _factors(node.right)
    else:
        yield node
