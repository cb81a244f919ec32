"""What an edit may put into a line: the names, elements, lengths and calls that are in sight there."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import is_numeric
from gradcheck.script.record.wrapped import plain
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import is_step_size
from gradcheck.script.source.syntax import FunctionNode, called_name

_MOST_DERIVED, _MOST_LEAVES = 16, 12
_STEPS, _LONGEST = 4, 40
_NOT_CALLED = {
    "print",
    "len",
    "range",
    "zip",
    "enumerate",
    "append",
    "reversed",
    "list",
    "dict",
    "tuple",
    "next",
    "iter",
}
_CLEAN = {"float", "abs", "np.exp", "np.tanh", "np.cos", "np.sin", "np.sign", "np.abs", "math.exp", "math.cos"}


@dataclass(frozen=True)
class Atom:
    """Something that can stand in an expression.

    Attributes
    ----------
    kind : str
        ``name``, ``length``, ``number``, ``literal`` (another of the script), ``slope`` (a standard derivative) or
        ``call`` (of the script's own function).
    """

    text: str
    rank: float
    kind: str = "name"
    is_array: bool = False

    @property
    def is_step(self) -> bool:
        """Whether it is called like a step size."""
        return self.kind == "name" and is_step_size(self.text)


def atoms(source: SourceFile, function: FunctionNode | None, scope: Mapping[str, Any]) -> list[Atom]:
    """Return what is in sight at a line, the likeliest first."""
    found: dict[str, Atom] = {}
    mentioned, elsewhere = _mentioned(function or source.tree), _mentioned(source.tree)
    for name, value in scope.items():
        if name.startswith("__"):
            continue
        rank = 0.0 if name in mentioned else 1.5
        if _is_usable(value):
            if name in mentioned or function is None or np.ndim(value) or isinstance(value, float):
                found[name] = _atom(name, value, rank + _whole(value))
        elif name in mentioned or isinstance(value, dict | list):
            found |= {a.text: a for a in _inside(name, value, rank + 0.4)}
    for text in mentioned:
        if text not in found and not text.isidentifier():
            value = _value(text, scope)
            if _is_usable(value):
                found[text] = _atom(text, value, 0.1 + _whole(value))
    for text in elsewhere - mentioned:
        if text not in found and ("." in text or "[" in text) and _is_usable(value := _value(text, scope)):
            found[text] = _atom(text, value, 0.9 + _whole(value))
    for text in _called(source, function):
        if _is_usable(value := _value(text, scope)):
            found[text] = replace(_atom(text, value, 0.7), kind="call")
    plain = sorted(found.values(), key=lambda a: (a.rank, len(a.text), a.text))
    lengths = list(_lengths(plain, scope))
    return [*plain, *lengths, Atom("2", 0.1, "number"), Atom("0.5", 0.2, "number"), *_literals(source)]


def shape_of(atom: Atom, scope: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the shape of what an atom stands for; None for what is no array."""
    value = plain(_value(atom.text, scope))
    return value.shape if isinstance(value, np.ndarray) else None


def slopes(source: SourceFile, function: FunctionNode | None, plain: list[Atom]) -> list[Atom]:
    """Return the standard derivatives of what is in sight, and the script's own functions of it."""
    names = [a for a in plain if a.kind == "name" and a.rank < 1 and not a.is_step][:_MOST_DERIVED]
    calls = _callables(source, function)
    written = _written(function or source.tree)
    found: list[Atom] = []
    for atom in names:
        a = atom.text
        for call in calls:
            rank = atom.rank + (0.4 if call in _CLEAN else 0.05)
            found.append(Atom(f"{call}({a})", rank, "call", atom.is_array))
        forms = [(f"1 - {a} ** 2", 0.1), (f"{a} * (1 - {a})", 0.1), (f"{a} > 0", 0.1), (f"1 - {a}", 0.5)]
        found += [Atom(text, atom.rank + extra, "slope", atom.is_array) for text, extra in forms]
    # what the same function computes elsewhere is the most natural
    return [replace(a, rank=min(a.rank, 0.0)) if a.text in written else a for a in found]


def _atom(text: str, value: Any, rank: float) -> Atom:
    return Atom(text, rank, is_array=np.ndim(value) > 0)


def _whole(value: Any) -> float:
    """Counters and sizes are seldom what a gradient is multiplied by."""
    return 0.6 if isinstance(value, int | np.integer) else 0.0


def _is_usable(value: Any) -> bool:
    return is_numeric(value) or (isinstance(value, np.ndarray) and value.dtype.kind == "b")


# what code says is asked for at each of its lines


@lru_cache(maxsize=256)
def _mentioned(node: ast.AST) -> frozenset[str]:
    """Return the names, attributes and elements that code mentions."""
    parts = (n for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute | ast.Subscript | ast.arg))
    found = set()
    for part in parts:
        text = part.arg if isinstance(part, ast.arg) else ast.unparse(part)
        calls = isinstance(part, ast.AST) and any(isinstance(inner, ast.Call) for inner in ast.walk(part))
        if not calls and len(text) < _LONGEST and not text.startswith(("np.", "math.")):
            found.add(text)
    return frozenset(found)


@lru_cache(maxsize=256)
def _written(node: ast.AST) -> frozenset[str]:
    """Return the calls and operations that code writes down."""
    return frozenset(ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Call | ast.BinOp))


@lru_cache(maxsize=256)
def _clean_in(node: ast.AST) -> tuple[str, ...]:
    """Return the functions of each element, and of nothing else, that code mentions."""
    everywhere = {ast.unparse(n) for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Name)}
    return tuple(sorted(_CLEAN & everywhere))


def _inside(name: str, value: Any, rank: float) -> Iterator[Atom]:
    """Return the numbers that a dictionary or an object holds, and the first ones of a short list."""
    if isinstance(value, dict):
        items = [(f"{name}[{key!r}]", item) for key, item in value.items() if isinstance(key, str)]
    elif isinstance(value, list | tuple):
        items = [(f"{name}[{i}]", item) for i, item in enumerate(value[:_STEPS])] if len(value) <= _STEPS else []
        rank += 0.5
    elif hasattr(value, "__dict__") and not callable(value):
        items = [(f"{name}.{key}", item) for key, item in vars(value).items() if not key.startswith("_")]
    else:
        return
    for text, item in items[:_MOST_LEAVES]:
        if _is_usable(item):
            yield _atom(text, item, rank + _whole(item))


def _value(text: str, scope: Mapping[str, Any]) -> Any:
    try:
        return eval(compile(text, "<edit>", "eval", dont_inherit=True), dict(scope))
    except Exception:  # noqa: BLE001 - what is mentioned elsewhere may not exist here
        return None


def _literals(source: SourceFile) -> list[Atom]:
    """Return the fractions that the script writes down."""
    numbers = {n.value for n in ast.walk(source.tree) if isinstance(n, ast.Constant) and isinstance(n.value, float)}
    return [Atom(repr(number), 0.6, "literal") for number in sorted(numbers) if 0 < number < 1][:_MOST_LEAVES]


def _called(source: SourceFile, function: FunctionNode | None) -> set[str]:
    """Return the calls of the script's own functions, with names as arguments, that it makes anywhere."""
    own = "" if function is None else function.name
    pure = {
        name
        for name, f in source.functions.items()
        if f.owner is None and f.returns and name != own and own not in f.calls and _is_pure(f.node)
    }
    found = set()
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(ast.Name(name), arguments, []) if name in pure and len(text := ast.unparse(node)) < _LONGEST:
                if all(isinstance(argument, ast.Name) for argument in arguments):
                    found.add(text)
    return found


def _lengths(plain: list[Atom], scope: Mapping[str, Any]) -> Iterator[Atom]:
    seen: set[int] = set()
    for atom in plain:
        value = _value(atom.text, scope)
        if isinstance(value, int) and value > 1:
            seen.add(value)
    for atom in plain:
        if atom.is_array and atom.rank < 1 and not atom.text.endswith((".T", ")")):
            value = _value(atom.text, scope)
            for axis, length in enumerate(np.shape(value)):
                if length > 1 and length not in seen:
                    seen.add(length)
                    is_first = axis == 0
                    text = f"len({atom.text})" if is_first else f"{atom.text}.shape[{axis}]"
                    if is_first or isinstance(value, np.ndarray):
                        yield Atom(text, 0.8 + atom.rank, "length")


def _callables(source: SourceFile, function: FunctionNode | None) -> list[str]:
    """Return what takes one number or array: functions of the script without side effects, and what is called here."""
    found: dict[str, None] = {}
    for name, own in source.functions.items():
        arguments = [a for a in own.required_arguments if a != "self"]
        itself = function is not None and (own.node is function or function.name in own.calls)
        if len(arguments) == 1 and own.returns and not itself and _is_pure(own.node):
            if own.owner is None and own.outer is None:
                found[name] = None
            elif function is not None and own.owner and "self" in {a.arg for a in function.args.args}:
                found[f"self.{own.short_name}"] = None
    for node in ast.walk(function or source.tree):
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            text = ast.unparse(node.func)
            own_name = called_name(node)
            is_table = isinstance(node.func, ast.Subscript | ast.Attribute) and own_name not in _NOT_CALLED
            if is_table and isinstance(node.func, ast.Subscript):
                found[text] = None
    found |= dict.fromkeys(_clean_in(source.tree))
    return list(found)[:_MOST_LEAVES]


@lru_cache(maxsize=256)
def _is_pure(node: FunctionNode) -> bool:
    for part in ast.walk(node):
        match part:
            case ast.Global() | ast.Nonlocal() | ast.For() | ast.While() | ast.Yield() | ast.With():
                return False
            case ast.Attribute(_, _, ast.Store()):
                return False
            case ast.Call() if called_name(part) in ("print", "append", "open", "input", "shuffle", "seed"):
                return False
            case ast.Attribute(ast.Attribute(_, "random") | ast.Name("random")):
                return False
    return True
