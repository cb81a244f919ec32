"""What a script compares with the differences of ``approx_fprime``: it says itself what it takes for the derivative."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.script.record.handed import Handed, Target
from gradcheck.script.record.leaves import Path, is_numeric
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.source.syntax import Function, called_name, own_statements, walk
from gradcheck.script.understand.handed_pair import Given, HandedPair
from gradcheck.script.understand.whose import own_function

_NUMERICAL = "differences"


def compared_pairs(recording: Recording, number: int) -> Iterator[HandedPair]:
    """Return the script's functions whose values it compares with differences of a function, at the same point."""
    handed = recording.recorder.handed[number]
    objective = Target.of(handed.objective).code
    for name in sorted(_Comparison(recording, handed).partners()):
        function = recording.source.functions[name]
        if objective is not None and objective.co_qualname == name:
            continue
        calls = [call for call in recording.of(name) if _point_of(function, call, handed) is not None]
        count = np.size(handed.point)
        for at in (None, 1):
            fitting = [call for call in calls if _size(call.result, at) >= count > 0]
            # of a value and its derivative, the second is meant
            fitting = [call for call in fitting if at is not None or not isinstance(call.result, tuple)]
            if fitting:
                yield _ComparedPair(recording, function, number, fitting, at)
                break


class _ComparedPair(HandedPair):
    """A function that is compared with differences: what it is called with is known by its values."""

    def __init__(
        self, recording: Recording, function: Function, number: int, calls: Sequence[Call], at: int | None
    ) -> None:
        super().__init__(recording, function, [number])
        self.handed = replace(self.handed, slope_at=at, of_several=True, windows=[])
        self.recording = replace(recording, calls=tuple(calls))
        self._example = calls[0]

    def of(self, number: int) -> Handed:  # noqa: ARG002 - there is one
        """Return what was handed over, with where the derivative stands in what is returned."""
        return self.handed

    def own_arguments(self, number: int) -> list[tuple[str, Path, Given]]:  # noqa: ARG002
        """Return which arguments have the values of those that the differences are handed."""
        point = _point_of(self.function, self._example, self.handed)
        left = dict(enumerate(self.handed.args))
        found: list[tuple[str, Path, Given]] = []
        for name in self.function.arguments:
            value = self._example.arguments.get(name)
            same = next((i for i, own in left.items() if _is_equal(value, own)), None)
            if name == point:
                found.append((name, (), Given(("point", 0))))
            elif same is not None:
                found.append((name, (), Given(("args", same), left.pop(same))))
        return found


def _point_of(function: Function, call: Call, handed: Handed) -> str | None:
    return next((n for n in function.arguments if _is_equal(call.arguments.get(n), handed.point)), None)


def _is_equal(one: Any, other: Any) -> bool:
    if is_numeric(one) and is_numeric(other):
        return np.shape(one) == np.shape(other) and np.array_equal(np.asarray(one), np.asarray(other))
    return False


def _size(result: Any, at: int | None) -> int:
    if at is not None:
        result = result[at] if isinstance(result, tuple) and len(result) > at else None
    return int(np.size(result)) if is_numeric(result) else 0


class _Comparison:
    """Follows, in the code around a call of ``approx_fprime``, its value and those of the script's functions."""

    def __init__(self, recording: Recording, handed: Handed) -> None:
        self._source, self._handed = recording.source, handed
        self._short = {f.short_name: name for name, f in self._source.functions.items()}
        self._tags: dict[str, set[str]] = {}
        self._found: set[str] = set()

    def partners(self) -> set[str]:
        """Return the names of the functions that stand beside the differences in an expression."""
        own = [place for place in self._handed.around if place[0] == str(self._source.path)]
        if not own:
            return set()
        scope = self._source.functions.get(own[0][1])
        body = self._source.tree.body if scope is None else scope.node.body
        for statement in own_statements(body):
            self._follow(statement)
        return self._found

    def _follow(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
                for target, value in zip(targets, values, strict=True):
                    self._bind(target, self._of(value))
            case ast.Assign(targets, value):
                tags = self._compare(self._of(value))
                for target in targets:
                    self._bind(target, tags)
            case _:
                for child in ast.iter_child_nodes(statement):
                    if isinstance(child, ast.expr):
                        self._compare(self._of(child))

    def _bind(self, target: ast.expr, tags: set[str]) -> None:
        for node in walk(target):
            if isinstance(node, ast.Name):
                self._tags[node.id] = tags

    def _compare(self, tags: set[str]) -> set[str]:
        if _NUMERICAL in tags:
            self._found |= tags - {_NUMERICAL}
        return tags

    def _of(self, expression: ast.AST) -> set[str]:
        """Return what a value is made of."""
        if isinstance(expression, ast.Name):
            return self._tags.get(expression.id, set())
        parts = set[str]().union(*(self._of(child) for child in ast.iter_child_nodes(expression)))
        if not isinstance(expression, ast.Call):
            return parts
        name = called_name(expression)
        if name == self._handed.optimizer:
            return {_NUMERICAL}
        if (function := self._function(name)) is not None:
            self._compare(parts)
            return {function}
        return parts

    def _function(self, name: str) -> str | None:
        if name in self._handed.callables:
            function = own_function(self._source, self._handed.callables[name])
            return function.name if isinstance(function, Function) else None
        return self._short.get(name)
