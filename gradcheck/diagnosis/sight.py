"""The numbers in sight where a gradient is computed: what its errors are compared with, under the user's own names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from gradcheck.checker.result import FloatArray
from gradcheck.diagnosis.step import vanishing
from gradcheck.script.check.point import Point, staged
from gradcheck.script.record.leaves import leaves
from gradcheck.script.record.run import Recording
from gradcheck.script.source.names import loss_rank
from gradcheck.script.understand.subject import Subject

# of a variable that holds many
_MOST_LEAVES, _MOST_INDICES = 60, 100_000
# how far-fetched a number is: not read by the code, or nowhere, inside of something, made on the way, of another axis
# than the first, all entries of an array, of a parameter, without a name
_ELSEWHERE, _NOWHERE, _INSIDE, _MADE, _OTHER_AXIS, _ALL, _OWN, _WRITTEN = 0.2, 1.0, 0.1, 0.3, 0.4, 0.6, 1.0, 0.35
# an error is seldom a factor of anything but itself
_LOSS = 0.2


@dataclass(frozen=True)
class Number:
    """A number in sight.

    Attributes
    ----------
    text : str
        As the user would write it: ``LEARNING_RATE``, ``len(X)``, ``X.shape[1]``.
    values : float array, shape (points,)
        What it is at each point.
    line : int or None
        For a number that the script writes without a name: where it stands.
    """

    text: str
    values: FloatArray
    rank: float = 0.0
    line: int | None = None

    @property
    def shown(self) -> str:
        """What the user knows it by."""
        return self.text if self.line is not None or self.text == "2" else f"`{self.text}`"

    @property
    def is_length(self) -> bool:
        """Whether it is the length of an axis."""
        return self.text.startswith("len(") or self.text.endswith(".size") or ".shape[" in self.text


@dataclass(frozen=True)
class Sight:
    """What is in sight at several points.

    Attributes
    ----------
    parameters : dict
        The values of each parameter, flat, at each point.
    indices : dict
        Arrays of whole numbers by their names, flat, at each point.
    vanishing : frozenset of str
        The parameters whose gradients become right when the script's step is made small.
    """

    numbers: tuple[Number, ...] = ()
    parameters: Mapping[str, Sequence[FloatArray]] = field(default_factory=dict)
    indices: Mapping[str, Sequence[np.ndarray[Any, Any]]] = field(default_factory=dict)
    vanishing: frozenset[str] = frozenset()
    step: str = ""


def sight(recording: Recording, subject: Subject, points: Sequence[Point]) -> Sight:
    """Return what is in sight when the gradients have been computed."""
    tree = recording.source.tree
    here = _read_in(subject.backward.function.statements)
    ranks = {**dict.fromkeys(_read_in([tree]), _ELSEWHERE), **dict.fromkeys(here, 0.0)}
    looks = [_look(recording, subject, point, ranks) for point in points]
    first = looks[0]
    numbers = [
        Number(text, np.array([look.numbers[text] for look in looks]), first.ranks[text])
        for text in first.numbers
        if all(text in look.numbers for look in looks)
    ]
    indices = {
        text: [look.indices[text] for look in looks]
        for text in first.indices
        if all(text in look.indices for look in looks)
    }
    parameters = {name: [look.parameters[name] for look in looks] for name in first.parameters}
    step = subject.scale.text.lstrip("-")
    late = vanishing(recording, subject, points)
    return Sight((*numbers, *_literals(tree, len(looks))), parameters, indices, late, step)


def _read_in(code: Sequence[ast.AST]) -> set[str]:
    """Return the names that are read in code, also those of items and attributes."""
    kinds = ast.Name | ast.Attribute | ast.Subscript
    nodes = (node for part in code for node in ast.walk(part))
    return {ast.unparse(node) for node in nodes if isinstance(node, kinds) and isinstance(node.ctx, ast.Load)}


def _literals(tree: ast.Module, points: int) -> Iterator[Number]:
    """Return the numbers with a decimal point that stand in the script without a name."""
    named = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign)}
    seen: set[float] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in named:
            if node.value not in seen:
                yield Number(f"{node.value:.6g}", np.full(points, node.value), _WRITTEN, node.lineno)
            seen.add(node.value)


def _look(recording: Recording, subject: Subject, point: Point, ranks: Mapping[str, float]) -> _Look:
    backward = subject.backward
    given = {*point.moment.arguments, *point.moment.variables, *getattr(backward.function, "arguments", ())}
    with staged(recording, backward, point) as stage:
        look = _Look({n: np.array(v, dtype=float).reshape(-1) for n, v in stage.parameters.items()})

        def read(variables: dict[str, Any], _: Any) -> None:
            for name, value in variables.items():
                if not name.startswith("__"):
                    look.take(name, value, 0.0 if name in given else _MADE, ranks)

        stage.look(read)
    return look


@dataclass(frozen=True)
class _Look:
    """What is in sight at one point."""

    parameters: dict[str, FloatArray]
    numbers: dict[str, float] = field(default_factory=dict)
    ranks: dict[str, float] = field(default_factory=dict)
    indices: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    def take(self, name: str, value: Any, made: float, ranks: Mapping[str, float]) -> None:
        """Add what lies in a variable."""
        if isinstance(value, list | tuple) and len(value) > 1:
            self._add(f"len({name})", len(value), made + ranks.get(name, _NOWHERE))
        for leaf in islice(leaves(name, value), _MOST_LEAVES):
            rank = made + (_INSIDE if leaf.path else 0.0) + ranks.get(leaf.name, _NOWHERE)
            if not leaf.shape:
                # a parameter may have moved on by now
                own = self.parameters.get(leaf.name)
                rank += _LOSS if loss_rank(leaf.name) else 0.0
                self._add(leaf.name, leaf.value if own is None else own[0], rank)
                continue
            rank += _OWN if leaf.name in self.parameters else 0.0
            for text, length, more in _lengths(leaf.name, leaf.value):
                self._add(text, length, rank + more)
            array = np.asarray(leaf.value)
            if array.dtype.kind in "iu" and array.size <= _MOST_INDICES:
                self.indices[leaf.name] = array.reshape(-1).copy()

    def _add(self, text: str, value: float, rank: float) -> None:
        self.numbers[text], self.ranks[text] = float(value), rank


def _lengths(name: str, value: Any) -> Iterator[tuple[str, int, float]]:
    shape = np.shape(value)
    yield f"len({name})", shape[0], 0.0
    for axis, length in enumerate(shape[1:], 1):
        is_list = isinstance(value, list)
        yield f"len({name}{'[0]' * axis})" if is_list else f"{name}.shape[{axis}]", length, _OTHER_AXIS
    if len(shape) > 1 and not isinstance(value, list):
        yield f"{name}.size", int(np.prod(shape)), _ALL
