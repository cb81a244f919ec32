"""Edits that exchange, add or drop what an expression is made of: variables, factors, terms, calls."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from gradcheck.repair.atoms import Atom
from gradcheck.repair.rewrite import Rewrite, Spot, Writer, bracketed, precedence_of, spots
from gradcheck.script.source.names import is_derivative_function, is_step_size
from gradcheck.script.source.syntax import called_name

_PRODUCT, _SUM, _POWER = 7, 6, 9
_DEPTH = 0.03
_MOST_PAIRED = 12
# rank of what the function itself works with
_NEAR = 0.5
_MASK = re.compile(r"mask|drop|keep", re.IGNORECASE)
_DECAY = re.compile(r"^(?:.*[._])?(?:reg\w*|lam\w*|l2\w*|lmbd?a?|weight_decay|decay|wd|C)$", re.IGNORECASE)
_CARRY = re.compile(r"next|carry|prev|later|_t1", re.IGNORECASE)


def exchanges(
    value: ast.expr, writer: Writer, plain: Sequence[Atom], derived: Sequence[Atom], *, is_body: bool = False
) -> Iterator[Rewrite]:
    """Return what exchanges, adds or drops a part of an expression."""
    if is_body and not isinstance(value, ast.Tuple | ast.Dict | ast.List):
        (whole,) = list(spots(value))[:1]
        for atom in derived:
            yield Rewrite(writer.put(whole, atom.text), "GC209", 1.3 + 0.5 * atom.rank, writer.of(value), atom.text)
    for spot in spots(value):
        yield from _replaced(spot, writer, plain, derived)
        yield from _dropped(spot, writer)
        yield from _pairs(spot, writer)
        yield from _normalised(spot, writer, plain)
        if spot.factor and not isinstance(spot.node, ast.Tuple | ast.List | ast.Dict | ast.ListComp):
            yield from _multiplied(spot, writer, plain, derived)
            if spot.depth == 0 or isinstance(spot.parent, ast.BinOp | ast.Call | ast.ListComp | ast.Tuple | ast.Dict):
                yield from _added(spot, writer, plain)
        elif _is_numerator(spot):
            yield from _added(spot, writer, [a for a in plain if a.is_array and a.rank < _NEAR])


def _is_numerator(spot: Spot) -> bool:
    """Whether it is a factor that a term may be lost of: the error in ``2 * (p - t) / n``."""
    match spot.parent:
        case ast.BinOp(_, ast.Mult() | ast.MatMult()):
            return True
        case ast.BinOp(left, ast.Div()):
            return left is spot.node
    return False


def _cost(spot: Spot, base: float, atom: Atom | None = None) -> float:
    return base + _DEPTH * spot.depth + (0.5 * atom.rank if atom else 0.0)


# -- another variable -------------------------------------------------------------------------------------------------


def _replaced(spot: Spot, writer: Writer, plain: Sequence[Atom], derived: Sequence[Atom]) -> Iterator[Rewrite]:
    node = spot.node
    if isinstance(node, ast.BinOp) and spot.depth:
        for atom in plain:
            if atom.kind in ("name", "call") and atom.is_array:
                yield Rewrite(writer.put(spot, atom.text), "GC201", _cost(spot, 1.4, atom), writer.of(node), atom.text)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        for atom in plain:
            if atom.kind in ("name", "literal") and not atom.is_array:
                yield Rewrite(writer.put(spot, atom.text), "GC213", _cost(spot, 1.2, atom), writer.of(node), atom.text)
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        return
    old = writer.of(node)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return
    inside = _derivative_call(spot)
    whole_call = isinstance(node, ast.Call)
    has_more = isinstance(node, ast.Call) and len(node.args) > 1
    for atom in plain:
        if atom.kind == "literal":
            continue
        if atom.text == old or (atom.kind == "number" and whole_call):
            continue
        if not (has_more and atom.kind != "name"):
            code = "GC203" if inside else "GC228" if _is_mask(spot) else "GC201"
            cost = _cost(spot, 1.3 if whole_call or atom.kind != "name" else 1.0, atom)
            cost -= _likeness(old, atom.text)
            yield Rewrite(writer.put(spot, atom.text), code, cost, old, atom.text)
    itself = re.compile(rf"(?<![\w.]){re.escape(old)}(?!\w)")
    for atom in derived:
        # f(z) for z, and f(z) for the slope that stands there
        about = itself.search(atom.text) is not None
        code = "GC209" if whole_call else "GC202" if about else "GC201"
        yield Rewrite(writer.put(spot, atom.text), code, _cost(spot, 1.2 if about else 1.5, atom), old, atom.text)


@lru_cache(maxsize=10_000)
def _likeness(old: str, new: str) -> float:
    """Names that differ by a digit, or have one length, are the more easily mistaken for each other."""
    stripped = [re.sub(r"\d+", "#", name) for name in (old, new)]
    return 0.05 if stripped[0] == stripped[1] else 0.0


def _derivative_call(spot: Spot) -> bool:
    parent = spot.parent
    return isinstance(parent, ast.Call) and is_derivative_function(called_name(parent))


def _is_mask(spot: Spot) -> bool:
    return any(isinstance(node, ast.Compare) for node in spot.above)


# -- factors ----------------------------------------------------------------------------------------------------------


def _multiplied(spot: Spot, writer: Writer, plain: Sequence[Atom], derived: Sequence[Atom]) -> Iterator[Rewrite]:
    own = writer.held(spot.node, _PRODUCT)
    for atom in (*plain, *derived):
        if atom.kind == "literal":
            continue
        factor = bracketed(atom.text, _PRODUCT if atom.kind == "slope" else _PRODUCT + 1)
        code = _factor_code(atom)
        base = {"slope": 1.22, "call": 1.2, "length": 1.3, "number": 1.3}.get(atom.kind, 1.25)
        if atom.kind not in ("length",):
            new = f"2 * {own}" if atom.text == "2" else f"{own} * {factor}"
            yield Rewrite(writer.put(spot, new), code, _cost(spot, base, atom), "", factor)
        if atom.kind in ("length", "name", "number") and not (atom.kind == "number" and atom.text != "2"):
            new = f"{own} / {bracketed(atom.text, _PRODUCT + 1)}"
            yield Rewrite(writer.put(spot, new), code, _cost(spot, base + 0.05, atom), "", f"1 / {atom.text}")

    for atom in plain:
        if atom.kind == "name" and atom.rank < 1:
            yield Rewrite(
                writer.put(spot, f"{own} * -{atom.text}"), "GC207", _cost(spot, 1.45, atom), "", f"-{atom.text}"
            )


@lru_cache(maxsize=10_000)
def _factor_code(atom: Atom) -> str:
    if atom.kind in ("slope", "call"):
        return "GC202"
    if atom.kind == "number":
        return "GC213"
    if atom.kind == "length":
        return "GC212"
    if _MASK.search(atom.text):
        return "GC228"
    if is_step_size(atom.text):
        return "GC215"
    return "GC207"


def _dropped(spot: Spot, writer: Writer) -> Iterator[Rewrite]:
    match spot.node:
        case ast.BinOp(left, ast.Mult(), right):
            yield _without(spot, writer, left, right)
            yield _without(spot, writer, right, left)
        case ast.BinOp(left, ast.Div() | ast.Pow() | ast.FloorDiv(), right):
            yield _without(spot, writer, left, right)
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            before, after = ("+", "-") if isinstance(sign, ast.Add) else ("-", "+")
            yield _without_term(spot, writer, left, right, (before, after))
            if isinstance(sign, ast.Add):
                yield _without_term(spot, writer, right, left)
        case ast.Call(_, [argument, *_]):
            code = "GC204" if is_derivative_function(called_name(spot.node)) else "GC209"
            old = writer.of(spot.node)
            yield Rewrite(writer.put(spot, writer.of(argument)), code, _cost(spot, 1.3), old, writer.of(argument), True)
        case ast.Call(ast.Attribute(holder), []):
            yield Rewrite(
                writer.put(spot, writer.of(holder)), "GC208", _cost(spot, 1.3), writer.of(spot.node), "", True
            )


def _pairs(spot: Spot, writer: Writer) -> Iterator[Rewrite]:
    """Return a product without two of its last factors, ``p * (1 - p)``."""
    match spot.node:
        case ast.BinOp(ast.BinOp(first, ast.Mult() | ast.Div(), one), ast.Mult() | ast.Div(), other):
            names = [{n.id for n in ast.walk(part) if isinstance(n, ast.Name)} for part in (one, other)]
            code = "GC204" if names[0] & names[1] else "GC208"
            old = writer.text.code[writer.text.start(one) : writer.text.end(spot.node)]
            yield Rewrite(writer.put(spot, writer.of(first)), code, _cost(spot, 1.25), old, "")
        case ast.BinOp(ast.BinOp(one, ast.Mult(), other), ast.Mult(), last):
            yield Rewrite(writer.put(spot, writer.of(last)), "GC208", _cost(spot, 1.3), writer.of(spot.node), "")


def _without(spot: Spot, writer: Writer, kept: ast.expr, dropped: ast.expr) -> Rewrite:
    text = writer.of(dropped)
    is_division = isinstance(spot.node, ast.BinOp) and isinstance(spot.node.op, ast.Div)
    return Rewrite(
        writer.put(spot, writer.of(kept)),
        dropped_code(dropped),
        _cost(spot, 1.1),
        f"1 / {text}" if is_division else text,
        "",
    )


def dropped_code(factor: ast.expr) -> str:
    """Return the code of the mistake that a factor too many is."""
    text = ast.unparse(factor)
    if isinstance(factor, ast.Constant):
        return "GC213"
    if "len(" in text or ".shape" in text or ".size" in text or re.fullmatch(r"[mnMNT]|batch\w*|num\w*|n_\w+", text):
        return "GC212"
    if is_step_size(text):
        return "GC215"
    calls = [node for node in ast.walk(factor) if isinstance(node, ast.Call)]
    if any(is_derivative_function(called_name(call)) for call in calls) or re.match(r"1 - ", text):
        return "GC204"
    return "GC208"


# -- terms ------------------------------------------------------------------------------------------------------------


def _without_term(
    spot: Spot, writer: Writer, kept: ast.expr, dropped: ast.expr, signs: tuple[str, str] | None = None
) -> Rewrite:
    text = writer.of(dropped)
    names = [ast.unparse(node) for node in ast.walk(dropped) if isinstance(node, ast.Name | ast.Attribute)]
    code = "GC220" if any(_DECAY.match(name) for name in names) else "GC211"
    turned = None
    if signs is not None:
        before, after = (f"{sign} {bracketed(text, _SUM + 1, precedence_of(text))}" for sign in signs)
        new = writer.put(spot, f"{writer.held(kept, _SUM)} {after}")
        turned = Rewrite(new, code, _cost(spot, 1.3), before, after, leaves_decay=True)
    return Rewrite(writer.put(spot, writer.of(kept)), code, _cost(spot, 1.3), text, "", turned=turned)


def _added(spot: Spot, writer: Writer, plain: Sequence[Atom]) -> Iterator[Rewrite]:
    own = writer.held(spot.node, _SUM)
    terms = [(a.text, a.rank, a, precedence_of(a.text)) for a in plain if a.kind == "name"]
    numbers = [a for a in plain if a.kind == "name" and not a.is_array]
    decays = [a for a in numbers if _DECAY.match(a.text)]
    arrays = [a for a in plain if a.kind == "name" and a.is_array and a.rank < 2]
    if spot.depth == 0 or isinstance(spot.parent, ast.Tuple | ast.Dict | ast.List):
        terms += [(f"{d.text} * {a.text}", a.rank + 0.2, d, _PRODUCT) for d in decays for a in arrays]
        terms += [(f"2 * {d.text} * {a.text}", a.rank + 0.4, d, _PRODUCT) for d in decays for a in arrays]
        own_arrays = [a for a in arrays if a.rank < 0.5][:_MOST_PAIRED]
        terms += [(f"{a.text}.T @ {b.text}", 0.8, a, _PRODUCT) for a in own_arrays for b in own_arrays]
    for text, rank, atom, holds in terms:
        code = "GC220" if _DECAY.match(atom.text) else "GC227" if _CARRY.search(atom.text) else "GC210"
        cost = 1.6 + _DEPTH * spot.depth + 0.5 * rank - (0.3 if code == "GC227" else 0.1 if code == "GC220" else 0)
        yield Rewrite(writer.put(spot, f"{own} + {text}"), code, cost, "", text)
        less = f"{own} - {bracketed(text, _SUM + 1, holds)}"
        yield Rewrite(writer.put(spot, less), code, cost + 0.15, "", f"-{text}")


def _normalised(spot: Spot, writer: Writer, plain: Sequence[Atom]) -> Iterator[Rewrite]:
    """Return the way back through a normalisation, with its mean and variance, in place of the scale alone."""
    if not isinstance(spot.node, ast.Name):
        return
    g = writer.of(spot.node)
    for atom in plain:
        if atom.kind == "name" and atom.is_array and atom.rank < 1 and atom.text != g:
            h = atom.text
            for axis in ("axis=0", "axis=-1, keepdims=True"):
                new = f"{g} - {g}.mean({axis}) - {h} * ({g} * {h}).mean({axis})"
                yield Rewrite(writer.put(spot, new), "GC210", _cost(spot, 1.8, atom), "", new)
    decayed = [node for node in spot.above if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)]
    if decayed:
        new = f"np.r_[0, {g}[1:]]"
        yield Rewrite(writer.put(spot, new), "GC220", _cost(spot, 1.4), g, new)
