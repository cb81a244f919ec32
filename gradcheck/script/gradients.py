"""Which of a function's results are gradients, and of which parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.script.leaves import Leaf, Path, leaves
from gradcheck.script.names import base_name, fold, is_gradient_function, is_gradient_word, is_step_size, parameter_of
from gradcheck.script.record import Call
from gradcheck.script.source import Function, Loop, SourceFile, called_name, flat_targets

RESULT = "result"


@dataclass(frozen=True)
class Update:
    """A statement that moves a parameter: ``w -= rate * grad`` or ``w = w - rate * grad``.

    Attributes
    ----------
    target : str
        What is moved, as written.
    sources : frozenset of str
        The names that the step is a product or sum of, step sizes left out.
    adds : bool
        Whether the step is added.
    bare : bool
        Whether the step is one name alone, with no factor.
    steps : bool
        Whether a step size or a number is in it.
    line : int
        Where it stands.
    """

    target: str
    sources: frozenset[str]
    adds: bool
    bare: bool
    steps: bool
    line: int


@dataclass(frozen=True)
class Output:
    """One number, array or list of numbers within what a function returns.

    Attributes
    ----------
    leaf : Leaf
        Its place in the returned structure.
    labels : tuple of str
        What the script calls it, in the caller and in the ``return``.
    expression : ast.expr or None
        The returned expression it is or lies in.
    """

    leaf: Leaf
    labels: tuple[str, ...]
    expression: ast.expr | None


@dataclass(frozen=True)
class Slot:
    """A place in a call's arguments or in the module's variables that can hold a parameter.

    Attributes
    ----------
    leaf : Leaf
        The numbers; its name is the script's own.
    variable : str
        The argument or module variable that it lies in.
    is_argument : bool
        Which of the two it is.
    """

    leaf: Leaf
    variable: str
    is_argument: bool

    @property
    def name(self) -> str:
        """The script's own name."""
        return self.leaf.name

    @property
    def path(self) -> Path:
        """The way from the variable."""
        return self.leaf.path


@dataclass(frozen=True)
class GradientMap:
    """A parameter, the result that is its gradient, and how this was seen."""

    slot: Slot
    output: Output
    update: Update | None
    evidence: str

    def called(self, name: str) -> GradientMap:
        """Return the same pair, with the parameter under the name that the backward function has for it."""
        return replace(self, slot=replace(self.slot, leaf=replace(self.slot.leaf, name=name)))


@dataclass(frozen=True)
class Backward:
    """A function that returns gradients, and where its replays start.

    Attributes
    ----------
    function : Function
        The function.
    example : Call
        The first recorded call of it.
    outputs : tuple of Output
        The numeric parts of what that call returned.
    pairs : tuple of GradientMap
        The gradients among them; the parameters are places in the moments.
    region : Function or Loop
        What a replay runs: the function itself, or a loop or function around its call.
    moments : tuple of Call
        Recorded calls or rounds of the region, at least one.
    updates : tuple of Update
        The statements of the script that move something by a step.
    """

    function: Function
    example: Call
    outputs: tuple[Output, ...]
    pairs: tuple[GradientMap, ...]
    region: Function | Loop
    moments: tuple[Call, ...]
    updates: tuple[Update, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(pair.slot.name for pair in self.pairs)

    @property
    def is_narrow(self) -> bool:
        """Whether a parameter is in single or half precision."""
        return any(pair.slot.leaf.is_narrow for pair in self.pairs)


def updates_in(source: SourceFile) -> tuple[Update, ...]:
    """Return all statements of the script that add a step to something, or subtract it."""
    return tuple(update for node in ast.walk(source.tree) for update in _updates(node))


def _updates(node: ast.AST) -> Iterator[Update]:
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        yield _update(node.target, node.value, isinstance(node.op, ast.Add), node.lineno)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        targets, values = [node.targets[0]], [node.value]
        if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            targets, values = node.targets[0].elts, node.value.elts
        for target, value in zip(targets, values, strict=False):
            match value:
                case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right) if ast.unparse(left) == ast.unparse(target):
                    yield _update(target, right, isinstance(sign, ast.Add), node.lineno)


def _update(target: ast.expr, step: ast.expr, adds: bool, line: int) -> Update:
    terms = set(_terms(step))
    sources = frozenset(name for name in terms if not is_step_size(name))
    bare = isinstance(step, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    steps = terms != sources or any(isinstance(part, ast.Constant) for part in _factors(step))
    return Update(ast.unparse(target), sources, adds, bare, steps, line)


def _terms(step: ast.expr) -> Iterator[str]:
    """Return the names that a step is a product, quotient or sum of; what is inside dot products is not."""
    for factor in _factors(step):
        if isinstance(factor, ast.Name | ast.Attribute | ast.Subscript):
            yield ast.unparse(factor)
        elif isinstance(factor, ast.Call):
            yield f"{called_name(factor)}()"


def _factors(step: ast.expr) -> Iterator[ast.expr]:
    """Return what a step is a product, quotient or sum of."""
    if isinstance(step, ast.BinOp) and isinstance(step.op, ast.Mult | ast.Div | ast.Add | ast.Sub):
        yield from _factors(step.left)
        yield from _factors(step.right)
    elif isinstance(step, ast.UnaryOp):
        yield from _factors(step.operand)
    else:
        yield step


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
        found.append(Output(leaf, named, _element(expressions[-1], leaf) if expressions else None))
    return found


def _call_targets(source: SourceFile, function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Assign([target, *_], ast.Call() as call) if called_name(call) == function.short_name:
                yield target


def possible_labels(source: SourceFile, function: Function) -> set[str]:
    """Return the names that parts of a function's result may have, as far as the text shows them."""
    expressions = [*_call_targets(source, function), *(s.value for s in function.returns if s.value is not None)]
    parts = [part for expression in expressions for part in flat_targets(expression)]
    keys = [key for part in parts if isinstance(part, ast.Dict) for key in part.keys]
    labels = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
    return labels | {ast.unparse(part) for part in parts if isinstance(part, ast.Name | ast.Attribute | ast.Subscript)}


def _element(expression: ast.expr, leaf: Leaf) -> ast.expr:
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


def slots(region: Function | Loop, moment: Call, read: Set[str]) -> list[Slot]:
    """Return every place that could hold a parameter: the moment's own variables, then the module's.

    What is reached on two ways (a network that is an argument and a module variable) is listed once.

    Parameters
    ----------
    region : Function or Loop
        Whose moment it is.
    moment : Call
        The recorded variables.
    read : set of str
        The module variables that functions of the script read; a loop may use others too.
    """
    roots = [(name, value, True) for name, value in moment.arguments.items()]
    for name, value in moment.variables.items():
        if name not in moment.arguments and (name in read or isinstance(region, Loop)):
            roots.append((name, value, False))
    found: list[Slot] = []
    seen: set[int] = set()
    for variable, value, is_argument in roots:
        for leaf in leaves(variable, value):
            mutable = isinstance(leaf.value, np.ndarray | list)
            if not (mutable and id(leaf.value) in seen):
                seen.add(id(leaf.value))
                found.append(Slot(leaf, variable, is_argument))
    return found


def map_gradients(
    function: Function, found: Sequence[Output], places: list[Slot], updates: tuple[Update, ...]
) -> list[GradientMap]:
    """Pair the outputs of a function with parameters.

    The script's own update statement (``w1 -= delta_w1``) decides; then names (``dW1`` for ``W1``); last, a function
    named after a derivative that returns one array of the shape of its first such argument.
    """
    pairs: list[GradientMap] = []
    for output in found:
        pair = _by_update(output, places, updates) or _by_name(function, output, places, updates)
        if pair is not None and all(pair.slot != other.slot for other in pairs):
            pairs.append(pair)
    whole = [output for output in found if np.size(output.leaf.value) > 1] if len(found) > 1 else list(found)
    if not pairs and len(whole) == 1:
        words = (function.short_name, *whole[0].labels) if len(found) > 1 else (function.short_name,)
        if any(is_gradient_function(word) for word in words):
            return _by_position(whole[0], places, updates)
    return pairs


def pair_in_order(found: Sequence[Output], places: list[Slot], names: Sequence[str]) -> list[GradientMap]:
    """Pair the outputs of a function, in their order, with the parameters that the user named, in theirs.

    Scalars that the function returns beside the gradients are passed over where there are more outputs than names.
    """
    chosen = [next((p for p in places if name in (p.name, base_name(p.name))), None) for name in names]
    extra = len(found) - len(names)
    pairs: list[GradientMap] = []
    for output in found:
        slot = chosen[len(pairs)] if len(pairs) < len(chosen) else None
        if slot is None or not fits(output.leaf.value, slot.leaf.shape):
            extra -= 1
        else:
            pairs.append(GradientMap(slot, output, None, "the order in which you named them"))
    return pairs if extra >= 0 and len(pairs) == len(names) else []


def _by_update(output: Output, places: list[Slot], updates: tuple[Update, ...]) -> GradientMap | None:
    for update in updates:
        for label in output.labels:
            if label in update.sources and label != update.target:
                slot = _named(update.target, output, places)
                if slot is not None:
                    sign = "+" if update.adds else "-"
                    return GradientMap(slot, output, update, f"line {update.line}: {update.target} {sign}= ... {label}")
    return None


def _by_name(function: Function, output: Output, places: list[Slot], updates: tuple[Update, ...]) -> GradientMap | None:
    for label in output.labels:
        for name in [*parameter_of(label), *_own_name(function, output, label)]:
            slot = _named(name, output, places)
            if slot is not None:
                return GradientMap(slot, output, _update_of(slot, updates), f"the name {label}")
    return None


def _own_name(function: Function, output: Output, label: str) -> list[str]:
    """Return the key of a gradient that is stored under its parameter's own name: ``grads['W1']``."""
    last = output.leaf.path[-1] if output.leaf.path else None
    if last is None or not (last.attribute or isinstance(last.key, str)):
        return []
    container = label.removesuffix(last.text)
    return [str(last.key)] if is_gradient_word(function.short_name) or is_gradient_word(container) else []


def _update_of(slot: Slot, updates: tuple[Update, ...]) -> Update | None:
    same = [u for u in updates if fold(base_name(u.target)) == fold(base_name(slot.name))]
    return same[0] if same else None


def _by_position(output: Output, places: list[Slot], updates: tuple[Update, ...]) -> list[GradientMap]:
    """Pair with the first argument of the same shape, unless the script moves other things than that."""
    moved = any(update.steps for update in updates)
    for slot in places:
        if slot.is_argument and slot.leaf.shape == output.leaf.shape:
            if moved and _update_of(slot, updates) is None:
                return []
            evidence = f"one gradient of the shape of `{slot.name}`, the first such argument"
            return [GradientMap(slot, output, None, evidence)]
    return []


def _named(name: str, output: Output, places: list[Slot]) -> Slot | None:
    """Return the place that a name stands for: the same text, the same last part, then the same letters."""
    for same in (
        lambda slot: slot.name == name,
        lambda slot: base_name(slot.name) == base_name(name),
        lambda slot: fold(base_name(slot.name)) == fold(base_name(name)),
        lambda slot: _same_list(slot.name, name),
    ):
        fitting = [slot for slot in places if same(slot)]
        fitting.sort(key=lambda slot: not fits(output.leaf.value, slot.leaf.shape))
        if fitting:
            return fitting[0]
    return None


def _same_list(slot: str, name: str) -> bool:
    """Whether two list elements have one index and one name begins with the other: ``weights[1]`` and ``w[1]``."""
    base, _, index = base_name(slot).partition("[")
    short, _, position = base_name(name).partition("[")
    return bool(index) and index == position and bool(short) and fold(base).startswith(fold(short))


def fits(gradient: Any, shape: tuple[int, ...]) -> bool:
    """Whether a gradient has the shape of its parameter, axes of length one aside, or is broadcast to it."""
    own = np.shape(gradient)
    if [n for n in own if n != 1] == [n for n in shape if n != 1]:
        return True
    return np.size(gradient) == 1
