"""Where a gradient is found: in what a function returns, in what it leaves behind, or in how a parameter moves."""

from __future__ import annotations

import ast
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from gradcheck.script.record.leaves import Leaf, leaves
from gradcheck.script.record.run import Call
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.syntax import Function, called_name, flat_targets, walk

RESULT = "result"


class Kind(enum.Enum):
    """In what way a unit hands a gradient over."""

    RETURNED = "returns"
    KEPT = "computes"
    CHANGE = "applies"


@dataclass(frozen=True)
class Output:
    """One number, array or list of numbers that is, or may be, a gradient.

    Attributes
    ----------
    leaf : Leaf
        Its place in the returned structure, in a variable, or in the parameter that it changes.
    labels : tuple of str
        What the script calls it, in the caller and in the ``return``.
    expression : ast.expr or None
        The returned expression it is or lies in.
    variable : str
        The variable that it lies in, if it is not returned.
    """

    leaf: Leaf
    labels: tuple[str, ...]
    expression: ast.expr | None
    variable: str = RESULT
    kind: Kind = Kind.RETURNED

    @property
    def shown(self) -> str:
        """The script's first name for it."""
        return self.labels[0] if self.labels else self.leaf.name


def outputs(source: SourceFile, function: Function, call: Call) -> list[Output]:
    """Return the numeric parts of what a call returned, with their names."""
    if call.result is None:
        return []
    expressions = [s.value for s in function.returns if s.value is not None]
    targets = list(_call_targets(source, function))
    found = []
    for leaf in leaves(RESULT, call.result):
        labels = [_label(target, leaf) for target in [*targets, *expressions]]
        if not leaf.path:
            labels.append(f"{function.short_name}()")
        named = tuple(dict.fromkeys(label for label in labels if label))
        found.append(Output(leaf, named, element(expressions[-1], leaf) if expressions else None))
    return found


def _call_targets(source: SourceFile, function: Function) -> Sequence[ast.expr]:
    return _targets_of_calls(source.tree).get(function.short_name, ())


@cache
def _targets_of_calls(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """Return what the results of calls are assigned to, by the name of what is called."""
    found: dict[str, list[ast.expr]] = {}
    for node in walk(tree):
        match node:
            case ast.Assign([target, *_], ast.Call() as call):
                found.setdefault(called_name(call), []).append(target)
    return found


def possible_labels(source: SourceFile, function: Function) -> set[str]:
    """Return the names that parts of a function's result may have, as far as the text shows them."""
    expressions = [*_call_targets(source, function), *(s.value for s in function.returns if s.value is not None)]
    parts = [part for expression in expressions for part in flat_targets(expression)]
    keys = [key for part in parts if isinstance(part, ast.Dict) for key in part.keys]
    labels = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return labels | {ast.unparse(part) for part in parts if isinstance(part, ast.Name | ast.Attribute | ast.Subscript)}


def element(expression: ast.expr, leaf: Leaf) -> ast.expr:
    """Return the part of a returned expression that the leaf lies in."""
    if not leaf.path or leaf.path[0].attribute:
        return expression
    key = leaf.path[0].key
    if isinstance(expression, ast.Tuple | ast.List) and isinstance(key, int) and key < len(expression.elts):
        return expression.elts[key]
    if isinstance(expression, ast.Dict):
        for name, value in zip(expression.keys, expression.values, strict=True):
            if isinstance(name, ast.Constant) and name.value == key:
                return value
    return expression


def _label(expression: ast.expr, leaf: Leaf) -> str:
    """Return the name of a leaf in terms of the tuple or the name that holds the result."""
    parts = flat_targets(expression)
    path = leaf.path
    if isinstance(expression, ast.Tuple | ast.List):
        if not path or not isinstance(path[0].key, int) or path[0].key >= len(parts):
            return ""
        expression, path = parts[path[0].key], path[1:]
    if isinstance(expression, ast.Dict) and path:
        return str(path[0].key) + "".join(step.text for step in path[1:])
    if not isinstance(expression, ast.Name | ast.Attribute | ast.Subscript):
        return ""
    return ast.unparse(expression) + "".join(step.text for step in path)
