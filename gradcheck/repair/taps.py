"""Taps: places in the user's code whose values are seen, moved, or replaced while a moment is played again."""

from __future__ import annotations

import ast
import gc
import types
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gradcheck.script.record.instrument import HOOK, instrument
from gradcheck.script.replay.units import recorded, units_of
from gradcheck.script.source.file import Codes, SourceFile
from gradcheck.script.source.syntax import FunctionNode

_COLUMNS = 10_000


@dataclass(frozen=True, eq=False)
class Site:
    """A value that the code computes: what is assigned, returned or appended.

    Attributes
    ----------
    node : ast.stmt or ast.Lambda
        The statement, or the lambda whose body it is.
    """

    number: int
    node: ast.stmt | ast.Lambda
    value: ast.expr
    function: FunctionNode | None

    @property
    def line(self) -> int:
        """The first line of the expression's statement."""
        return self.node.lineno

    @property
    def target(self) -> str:
        """What gets the value, as written; empty for what is returned or appended."""
        match self.node:
            case ast.Assign([target, *_]) | ast.AugAssign(target) | ast.AnnAssign(target):
                return ast.unparse(target)
            case ast.Expr(ast.Call(ast.Attribute(holder))):
                return ast.unparse(holder)
        return ""


class TappedSource(SourceFile):
    """A script of which replays have taps.

    Parameters
    ----------
    codes : dict, optional
        The code of replays, which texts of one script share: most of their statements are the same.
    """

    def __init__(self, source: SourceFile, codes: Codes | None = None) -> None:
        self._codes = {} if codes is None else codes
        self.path, self.text, self.lines = source.path, source.text, source.lines
        self.cells, self.left_out, self.tree = source.cells, source.left_out, source.tree
        self.parts, self.files = source.parts, source.files

    def prepared(self, module: ast.Module) -> ast.Module:
        """Return a part of the script with taps."""
        return _tapped(module)


def sites_of(tree: ast.Module) -> list[Site]:
    """Return the places of a script that can be tapped, in the order of the text."""
    return list(_sites(tree, None))


def _sites(node: ast.AST, function: FunctionNode | None) -> Iterator[Site]:
    for child in ast.iter_child_nodes(node):
        inner = child if isinstance(child, FunctionNode) else function
        value = tapped_value(child)
        if value is not None and isinstance(child, ast.stmt | ast.Lambda):
            yield Site(_number(child), child, value, function)
        yield from _sites(child, inner)


def tapped_value(node: ast.AST) -> ast.expr | None:
    """Return the expression in a statement or lambda that is tapped."""
    match node:
        case ast.Assign(_, value) | ast.AugAssign(_, _, value) | ast.AnnAssign(_, _, value) | ast.Return(value):
            return value
        case ast.Expr(ast.Call(ast.Attribute(_, "append"), [value])):
            return value
        case ast.Lambda(_, body):
            return body
    return None


def _number(node: ast.stmt | ast.Lambda) -> int:
    return node.lineno * _COLUMNS + node.col_offset


def _tapped(module: ast.Module) -> ast.Module:
    return cast(ast.Module, _Taps().visit(module))


class _Taps(ast.NodeTransformer):
    """Puts the taps in; what was put in for the recording is left alone."""

    def visit(self, node: ast.AST) -> ast.AST:
        """Visit a node."""
        if isinstance(node, ast.Expr) and _is_hook(node.value):
            return node
        if isinstance(node, ast.expr) and not any(isinstance(part, ast.Lambda) for part in ast.walk(node)):
            return node  # nothing in it is tapped, and most of a script is like that
        value = tapped_value(node)
        changed = self.generic_visit(node)
        if value is None or not isinstance(changed, ast.stmt | ast.Lambda) or not hasattr(node, "lineno"):
            return changed
        number = _number(changed)
        match changed:
            case ast.Return(ast.Call() as call) if _is_hook(call):
                if not isinstance(value, ast.Call) or len(call.args) < 3:  # pragma: no cover - always so
                    return changed
                call.args[2] = _tap(number, call.args[2])
            case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Return():
                if changed.value is not None:
                    changed.value = _tap(number, changed.value)
            case ast.Expr(ast.Call() as call):
                call.args[0] = _tap(number, call.args[0])
            case ast.Lambda():
                changed.body = _tap(number, changed.body)
        return changed


def _is_hook(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == HOOK
    )


def _tap(number: int, value: ast.expr) -> ast.expr:
    """Return ``HOOK.other(number) if number in HOOK.overrides else HOOK.tap(number, value)``."""
    place = {name: getattr(value, name) for name in value._attributes}
    load = ast.Load()

    def own(name: str) -> ast.Attribute:
        return ast.Attribute(ast.Name(HOOK, load, **place), name, load, **place)

    key = ast.Constant(number, **place)
    return ast.IfExp(
        test=ast.Compare(key, [ast.In()], [own("overrides")], **place),
        body=ast.Call(own("other"), [key], [], **place),
        orelse=ast.Call(own("tap"), [key, value], [], **place),
        **place,
    )


def functions_of(source: SourceFile, namespace: dict[str, Any]) -> list[types.FunctionType]:
    """Return the living functions that a script's text has defined."""
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, types.FunctionType)
        and found.__globals__ is namespace
        and found.__code__.co_filename == str(source.path)
    ]


class Installed:
    """The living functions of a script, which can be given the code of another text."""

    def __init__(self, source: SourceFile, namespace: dict[str, Any]) -> None:
        self._living = [(f, f.__code__) for f in functions_of(source, namespace)]
        names = recorded(source, units_of(source, None))
        self._functions = {name for name in names if name in source.functions}
        self._loops = [loop.name in names for loop in source.loops]
        tree = instrument(source, names)
        defined = _by_name(_inner(compile(tree, str(source.path), "exec", dont_inherit=True)))
        self._positions = [_position(code, defined.get(code.co_qualname, [])) for _, code in self._living]
        self._base = self._living

    def install(self, source: SourceFile) -> None:
        """Give the functions the code of a text, with taps; those that it does not define keep theirs."""
        self._give(source, self._living)
        self._base = [(f, f.__code__) for f, _ in self._living]

    def install_part(self, source: SourceFile, line: int) -> None:
        """Give one function alone the code of a text that differs from what is installed in nothing else."""
        part = _part(source, line)
        if part is not None:
            self._give(part, self._base)

    def reset(self) -> None:
        """Go back to what was installed as a whole."""
        for function, code in self._base:
            function.__code__ = code

    def _give(self, source: SourceFile, otherwise: list[tuple[types.FunctionType, types.CodeType]]) -> None:
        loops = {loop.name for loop, own in zip(source.loops, self._loops, strict=False) if own}
        with_taps = _tapped(instrument(source, self._functions | loops))
        anew = _by_name(_inner(compile(with_taps, str(source.path), "exec", dont_inherit=True)))
        living = zip(self._living, self._positions, otherwise, strict=True)
        for (function, original), position, (_, old) in living:
            codes = anew.get(original.co_qualname, [])
            fitting = old if position is None or position >= len(codes) else codes[position]
            if fitting.co_freevars == original.co_freevars:
                function.__code__ = fitting

    def restore(self) -> None:
        """Give the functions their own code back."""
        for function, original in self._living:
            function.__code__ = original


def _part(source: SourceFile, line: int) -> SourceFile | None:
    """Return a script that consists of the one function or method around a line; None where nothing is defined."""
    for node in source.tree.body:
        if not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, FunctionNode):
            return _with_tree(source, [node])
        if isinstance(node, ast.ClassDef):
            methods = [s for s in node.body if s.lineno <= line <= (s.end_lineno or s.lineno)]
            only = ast.ClassDef(node.name, [], [], list(methods), [])
            return _with_tree(source, [ast.copy_location(only, node)]) if methods else None
        defines = any(isinstance(part, FunctionNode | ast.Lambda) for part in ast.walk(node))
        return _with_tree(source, [node]) if defines else None
    return None


def _with_tree(source: SourceFile, body: list[ast.stmt]) -> SourceFile:
    part = TappedSource(source)
    part.tree = ast.Module(body, type_ignores=[])
    return part


def _by_name(codes: Iterable[types.CodeType]) -> dict[str, list[types.CodeType]]:
    """Return code objects by name, those of one name in the order of the text."""
    found: dict[str, list[types.CodeType]] = defaultdict(list)
    for code in codes:
        found[code.co_qualname].append(code)
    # most names are those of one, and to find out where it ends takes as long as to compile it
    return {name: sorted(own, key=_place) if len(own) > 1 else own for name, own in found.items()}


def _position(code: types.CodeType, others: Sequence[types.CodeType]) -> int | None:
    """Return which of the code objects of its name one is; None where it is none of them."""
    place = _place(code)
    return next((number for number, other in enumerate(others) if _place(other) == place), None)


def _place(code: types.CodeType) -> tuple[int, int]:
    """Return the line of a code object and its last column, which tells lambdas on one line apart."""
    return code.co_firstlineno, max((column or 0 for _, _, column, _ in code.co_positions()), default=0)


def _inner(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _inner(constant)
