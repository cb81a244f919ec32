"""Edits of whole statements: how they assign, where they stand, what they loop over or test."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from gradcheck.repair.forms import compared, shifted
from gradcheck.repair.rewrite import Rewrite, Writer
from gradcheck.script.source.syntax import FunctionNode
from gradcheck.script.source.text import Splice, Text

_FARTHEST = 8
_WHOLE = ("zeros_like", "ones_like", "empty_like", "full_like")


@dataclass(frozen=True)
class Place:
    """A statement with what is around it."""

    node: ast.stmt
    block: Sequence[ast.stmt]
    index: int
    outer: ast.stmt | None


def places(tree: ast.AST, outer: ast.stmt | None = None) -> Iterator[Place]:
    """Return all statements with the blocks that they stand in."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(tree, field, None)
        if isinstance(block, list):
            for index, node in enumerate(block):
                if isinstance(node, ast.stmt):
                    yield Place(node, block, index, outer)
                    yield from places(node, node)


def neighbours(tree: ast.Module, lines: Collection[int]) -> set[int]:
    """Return the lines of the statements beside and around those at some lines."""
    found: set[int] = set()
    for place in places(tree):
        if place.node.lineno in lines:
            found |= {node.lineno for node in place.block[max(place.index - 1, 0) : place.index + 2]}
            if place.outer is not None and not isinstance(place.outer, FunctionNode | ast.ClassDef):
                found.add(place.outer.lineno)
    return found


def restated(tree: ast.Module, text: Text, lines: Collection[int]) -> Iterator[Rewrite]:
    """Return edits of whole statements."""
    writer = Writer(text)
    for place in places(tree):
        node = place.node
        if node.lineno not in lines or isinstance(node, FunctionNode | ast.ClassDef):
            continue
        yield from _assigned(node, place, writer)
        yield from _headed(node, writer, sorted(_names_beside(place)))
        if _has_lines_of_its_own(node, text):
            yield from _moved(place, text)
            yield from _scaled(node, text, sorted(_names_beside(place)))


def _names_beside(place: Place) -> set[str]:
    """Return the names that stand in the same block and around it."""
    nodes: list[ast.stmt] = [*place.block, *([place.outer] if place.outer is not None else [])]
    names = {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}
    names |= {a.arg for node in nodes for a in ast.walk(node) if isinstance(a, ast.arg)}
    return names - {"np", "math", "len", "range", "zip", "self", "print", "enumerate", "float", "int", "sum"}


def _assigned(node: ast.stmt, place: Place, writer: Writer) -> Iterator[Rewrite]:
    text = writer.text
    match node:
        case ast.Assign([target], value) if not isinstance(target, ast.Tuple):
            between = Splice(text.end(target), text.start(value), "")
            old = text.code[between.start : between.end]
            if old.strip() in ("=", "=("):
                for sign in ("+=", "-="):
                    rare = 0.0 if sign == "+=" else 0.4
                    new = Splice(between.start, between.end, old.replace("=", sign))
                    is_item = 0.0 if isinstance(target, ast.Subscript | ast.Attribute) else 0.15
                    yield Rewrite((new,), "GC223", 1.0 + rare + is_item, "=", sign)
            yield from _kept(target, value, place, writer)
            yield from _whole_numbers(value, writer)
            yield from _in_target(target, writer)
        case ast.AugAssign(target, op, value):
            start, end = text.end(target), text.start(value)
            old = text.code[start:end]
            for sign in {"=", "+=", "-="} - {old.strip().rstrip("(")}:
                new_text = old.replace(old.strip().rstrip("("), sign)
                code = "GC214" if sign != "=" and isinstance(op, ast.Add | ast.Sub) else "GC224"
                yield Rewrite((Splice(start, end, new_text),), code, 1.0 + 0.2 * (sign == "="), old.strip(), sign)
            if isinstance(target, ast.Subscript) and isinstance(op, ast.Add | ast.Sub):
                name = "add" if isinstance(op, ast.Add) else "subtract"
                parts = (writer.of(target.value), writer.of(target.slice), writer.of(value))
                index = f"({parts[1]})" if isinstance(target.slice, ast.Tuple) else parts[1]
                new_text = f"np.{name}.at({parts[0]}, {index}, {parts[2]})"
                splice = Splice(text.start(node), text.end(node), new_text)
                yield Rewrite((splice,), "GC225", 1.1, f"{parts[0]}[{parts[1]}] +=", f"np.{name}.at")
            yield from _in_target(target, writer)


def _kept(target: ast.expr, value: ast.expr, place: Place, writer: Writer) -> Iterator[Rewrite]:
    """Return what adds to an item of a dictionary that may not be there, and what sets an attribute, not a name."""
    text = writer.text
    if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice | ast.Tuple):
        old = writer.of(value)
        new = f"{writer.of(target.value)}.get({writer.of(target.slice)}, 0) + {old}"
        yield Rewrite((Splice(text.start(value), text.end(value), new),), "GC223", 1.15, old, new)
    if isinstance(target, ast.Name) and isinstance(place.outer, ast.For) and isinstance(place.outer.target, ast.Name):
        new = f"{place.outer.target.id}.{target.id}"
        yield Rewrite((Splice(text.start(target), text.end(target), new),), "GC224", 1.2, target.id, new)


def _whole_numbers(value: ast.expr, writer: Writer) -> Iterator[Rewrite]:
    for node in ast.walk(value):
        match node:
            case ast.Call(ast.Attribute(_, name)) if name in _WHOLE and not any(
                k.arg == "dtype" for k in node.keywords
            ):
                at = writer.text.end(node) - 1
                yield Rewrite((Splice(at, at, ", dtype=float"),), "GC290", 1.0, writer.of(node), "dtype=float")


def _in_target(target: ast.expr, writer: Writer) -> Iterator[Rewrite]:
    for node in ast.walk(target):
        if isinstance(node, ast.Subscript):
            yield from shifted(node, writer, 1.05)
            if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
                a, b = node.slice.elts
                start, end = writer.text.start(a), writer.text.end(b)
                new = f"{writer.of(b)}, {writer.of(a)}"
                yield Rewrite((Splice(start, end, new),), "GC229", 1.1, writer.of(node), new)
        if isinstance(node, ast.Compare):
            yield from compared(node, writer, 1.0)


def _headed(node: ast.stmt, writer: Writer, names: Collection[str]) -> Iterator[Rewrite]:
    """Return edits of an index on the left side, of a loop's range, and of a test."""
    heads: list[ast.expr] = []
    match node:
        case ast.For(_, over):
            heads = [over]
        case ast.If(test) | ast.While(test):
            heads = [test]
        case ast.Assign([ast.Subscript() as target]) | ast.AugAssign(ast.Subscript() as target):
            heads = [target.slice]
        case ast.Expr(ast.Call(_, arguments)):
            heads = list(arguments)
    for head in heads:
        for part in ast.walk(head):
            if isinstance(part, ast.Compare):
                yield from compared(part, writer, 1.0)
            if isinstance(part, ast.Subscript):
                yield from shifted(part, writer, 1.05)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                for name in names:
                    if name != part.id:
                        splice = Splice(writer.text.start(part), writer.text.end(part), name)
                        code = "GC228" if not isinstance(node, ast.For) else "GC201"
                        yield Rewrite((splice,), code, 1.15, part.id, name)
            if isinstance(node, ast.For) and isinstance(part, ast.Constant) and isinstance(part.value, int):
                for new in (part.value + 1, part.value - 1):
                    splice = Splice(writer.text.start(part), writer.text.end(part), str(new))
                    yield Rewrite((splice,), "GC226", 1.1, writer.of(part), str(new))
        if isinstance(node, ast.For) and isinstance(head, ast.Call) and isinstance(head.func, ast.Name):
            yield from _ranges(head, writer)


def _ranges(call: ast.Call, writer: Writer) -> Iterator[Rewrite]:
    if isinstance(call.func, ast.Name) and call.func.id == "range":
        for argument in call.args:
            for new in (f"{writer.of(argument)} + 1", f"{writer.of(argument)} - 1"):
                splice = Splice(writer.text.start(argument), writer.text.end(argument), new)
                yield Rewrite((splice,), "GC226", 1.1, writer.of(argument), new)
        old = writer.of(call)
        splice = Splice(writer.text.start(call), writer.text.end(call), f"reversed({old})")
        yield Rewrite((splice,), "GC226", 1.3, old, f"reversed({old})")


def _has_lines_of_its_own(node: ast.stmt, text: Text) -> bool:
    last = node.end_lineno or node.lineno
    before = text.lines[node.lineno - 1][: len(text.indentation(node.lineno))]
    after = text.code[text.end(node) : text.line_start(last) + len(text.lines[last - 1])].strip()
    return text.start(node) == text.line_start(node.lineno) + len(before) and (not after or after.startswith("#"))


def _moved(place: Place, text: Text) -> Iterator[Rewrite]:
    node, block = place.node, place.block
    first, last = node.lineno, node.end_lineno or node.lineno
    start, end = text.line_start(first), text.line_start(last + 1)
    own = text.code[start:end]
    own = own if own.endswith("\n") else own + "\n"
    words = text.of(node).split("\n")[0]
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.For | ast.If):
        for distance, other in enumerate(block[place.index + 1 : place.index + 1 + _FARTHEST]):
            if isinstance(other, ast.Return):
                break
            at = text.line_start((other.end_lineno or other.lineno) + 1)
            code = "GC221"
            yield Rewrite((Splice(start, end, ""), Splice(at, at, own)), code, 1.2 + 0.02 * distance, words, "later")
        for distance, other in enumerate(reversed(block[max(place.index - _FARTHEST, 0) : place.index])):
            at = text.line_start(other.lineno)
            yield Rewrite(
                (Splice(start, end, ""), Splice(at, at, own)), "GC221", 1.3 + 0.02 * distance, words, "earlier"
            )
        yield from _out_of_loop(place, text, own, (start, end))
        if len(block) > 1:
            code = "GC211" if isinstance(node, ast.AugAssign) else "GC208"
            yield Rewrite((Splice(start, end, ""),), code, 1.35, words, "")
    if isinstance(node, ast.Return) and isinstance(place.outer, ast.For | ast.While | ast.If):
        last_outer = place.outer.end_lineno or place.outer.lineno
        if last_outer == last:
            yield Rewrite(
                (Splice(start, end, _dedented(own, place.outer, node, text)),), "GC223", 1.1, words, "after the loop"
            )


def _scaled(node: ast.stmt, text: Text, names: Sequence[str]) -> Iterator[Rewrite]:
    """Return what divides an array that a statement has changed in place, as ``dscores[range(n), y] -= 1`` does."""
    match node:
        case ast.AugAssign(ast.Subscript(holder)):
            at = text.line_start((node.end_lineno or node.lineno) + 1)
            for name in names:
                new = f"{ast.unparse(holder)} /= {name}"
                line = f"{text.indentation(node.lineno)}{new}\n"
                yield Rewrite((Splice(at, at, line),), "GC212", 1.4, "", new)


def _out_of_loop(place: Place, text: Text, own: str, extent: tuple[int, int]) -> Iterator[Rewrite]:
    """Return the edits that put a statement in front of the loop around it, or behind it."""
    if not isinstance(place.outer, ast.For | ast.While) or len(place.block) < 2:
        return
    words = text.of(place.node).split("\n")[0]
    outside = _dedented(own, place.outer, place.node, text)
    at = text.line_start(place.outer.lineno)
    yield Rewrite((Splice(*extent, ""), Splice(at, at, outside)), "GC223", 1.2, words, "in front of the loop")
    if place.index == len(place.block) - 1:
        yield Rewrite((Splice(*extent, outside),), "GC221", 1.3, words, "behind the loop")


def _dedented(own: str, outer: ast.stmt, node: ast.stmt, text: Text) -> str:
    inner, outside = text.indentation(node.lineno), text.indentation(outer.lineno)
    return "".join(
        outside + line[len(inner) :] if line.startswith(inner) else line for line in own.splitlines(keepends=True)
    )
