"""Every name that a script gives is another one; those of libraries stay."""

from __future__ import annotations

import ast
import builtins
import random
import re
from collections.abc import Iterator

import numpy as np

from benchmarks.rewrites.made import Made
from benchmarks.rewrites.scopes import all_names

# of these types, an attribute may be meant that the script gives to a class of its own, too
_TYPES = (np.ndarray, np.random.Generator, np.random.RandomState, np, dict, list, str, set, tuple, int, float)
OF_LIBRARIES = {name for one in _TYPES for name in dir(one)} - {"T"}
# with one of them, a text may be a name
_REFLECTIVE = {
    *("getattr", "setattr", "hasattr", "delattr", "vars", "globals", "locals", "eval", "exec", "namedtuple"),
    *("make_dataclass", "asdict", "fields", "attrgetter", "methodcaller", "add_argument", "SimpleNamespace"),
    *("__dict__", "__slots__", "_fields", "_asdict", "signature", "Model", "Parameters"),
}
# calls whose keywords are names of the script
_HANDING_ON = {"partial", "replace", "_replace"}
_PLACED = (ast.expr, ast.stmt, ast.arg, ast.ExceptHandler)
_WORDS = re.compile(r"[^\W\d]\w*")
_LONG_TEXT = 200
_SYNONYMS = {
    "loss": ("badness", "misery", "gap_size"),
    "cost": ("price", "toll", "burden"),
    "grad": ("pull", "lean", "tilt"),
    "gradient": ("incline", "downhill", "steepness"),
    "lr": ("pace", "stride", "tempo"),
    "rate": ("pace", "tempo", "briskness"),
    "w": ("coef", "knob", "mult"),
    "W": ("Coef", "Knob", "Mult"),
    "b": ("shift", "start", "lift"),
    "train": ("improve", "run_all", "practise"),
    "forward": ("answer", "evaluate", "outcome"),
    "backward": ("unwind", "trace_back", "reverse"),
    "epoch": ("pass_no", "sweep", "tour"),
    "X": ("inputs", "Rows", "Given"),
    "y": ("wanted", "seen", "truth"),
    "params": ("knobs", "settings", "state"),
    "self": ("this", "me", "it"),
}
_FOREIGN = (
    *("kaskada", "wurzel", "poids", "peso", "waga", "sesgo", "hoehe", "breite", "neige", "lumiere", "rivière", "größe"),
    *("żaba", "krok", "pendiente", "cuesta", "ombra", "strada", "vento", "kivi", "talo", "joki", "metsä", "hana"),
    *("sora", "yama", "kawa", "mizu", "hoshi", "bulut", "deniz", "rüzgar", "dağ", "felt", "skov", "himmel"),
    *("lluvia", "arena", "piedra", "fuego", "plume", "verre", "cuivre", "sable", "stein", "blatt", "zweig", "kiesel"),
)


def rename_numbered(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Call everything v1, v2 and so on."""
    del rng
    names = _own(tree)
    taken = all_names(tree) - set(names)
    numbered = (f"v{number}" for number in range(1, 10_000))
    yield from _renamed(tree, names, (name for name in numbered if name not in taken))


def rename_words(tree: ast.Module, rng: random.Random) -> Iterator[Made]:
    """Call everything by a synonym, or by a word of another language."""
    names = _own(tree)
    taken = {*all_names(tree), *dir(builtins)}
    words = rng.sample(_FOREIGN, len(_FOREIGN))
    new = []
    for number, name in enumerate(names):
        foreign, synonyms = words[number % len(words)], _SYNONYMS.get(name, ())
        wanted = [*rng.sample(synonyms, len(synonyms)), foreign, *(f"{foreign}{again}" for again in range(2, 100))]
        new.append(next(word for word in wanted if word not in taken))
        taken.add(new[-1])
    yield from _renamed(tree, names, iter(new))


def _renamed(tree: ast.Module, names: list[str], new: Iterator[str]) -> Iterator[Made]:
    if not names:
        return
    table = dict(zip(names, new, strict=False))
    _Renamer(table, _attributes(tree)).visit(tree)
    yield Made(tree, names={after: before for before, after in table.items()})


def _own(tree: ast.Module) -> list[str]:
    """Return what a script itself gives names to, in the order in which it does."""
    found: dict[str, None] = {}
    fixed = {*dir(builtins)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, _PLACED)]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ClassDef(name=name):
                found.setdefault(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ExceptHandler(name=str(name)):
                found.setdefault(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.setdefault(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                fixed |= {part for alias in names for part in (alias.asname or alias.name).split(".")}
    fixed |= _attributes(tree) & OF_LIBRARIES
    if all_names(tree) & _REFLECTIVE or _has_stars(tree):
        fixed |= _in_texts(tree)
    return [name for name in found if name not in fixed and not name.startswith("__")]


def _attributes(tree: ast.Module) -> set[str]:
    """Return the names that a script gives to attributes."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    stored = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return stored | {name for node in classes for part in node.body for name in _given(part)}


def _given(statement: ast.stmt) -> list[str]:
    """Return the names that a statement of a class gives to attributes."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    return [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def _has_stars(tree: ast.Module) -> bool:
    return any(node.arg is None for node in ast.walk(tree) if isinstance(node, ast.keyword))


def _in_texts(tree: ast.Module) -> set[str]:
    """Return the words of short texts that are not just printed."""
    printed = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        for argument in node.args
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in printed
    ]
    return {word for text in texts if len(text) < _LONG_TEXT for word in _WORDS.findall(text)}


class _Renamer(ast.NodeTransformer):
    """Renames the names of a script, and keywords where it is the script that is called."""

    def __init__(self, table: dict[str, str], attributes: set[str]) -> None:
        self._table = table
        self._attributes = {name: new for name, new in table.items() if name in attributes}

    def generic_visit(self, node: ast.AST) -> ast.AST:
        # a call is seen before the name of what is called
        if isinstance(node, ast.Call) and self._is_own(node):
            for keyword in node.keywords:
                keyword.arg = keyword.arg and self._table.get(keyword.arg, keyword.arg)
        for key, table in (("id", self._table), ("name", self._table), ("attr", self._attributes)):
            value = getattr(node, key, None)
            if isinstance(value, str) and not isinstance(node, ast.alias):
                setattr(node, key, table.get(value, value))
        if isinstance(node, ast.arg):
            node.arg = self._table.get(node.arg, node.arg)
        if isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self._table.get(name, name) for name in node.names]
        return super().generic_visit(node)

    def _is_own(self, call: ast.Call) -> bool:
        match call.func:
            case ast.Name(id=name):
                return name in self._table or name in _HANDING_ON
            case ast.Attribute(attr=name):
                return name in self._attributes or name in _HANDING_ON
        return True
