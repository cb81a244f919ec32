"""Call a recorded function again: with other parameters, the same data, and the same random numbers."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from gradcheck.script.gradients import RESULT, GradientMap, Slot
from gradcheck.script.leaves import Leaf, follow
from gradcheck.script.record import Call, Recording
from gradcheck.script.source import Function
from gradcheck.script.state import Undo, copy_variables


@dataclass(frozen=True)
class LossExpression:
    """A scalar that is taken for the loss: a Python expression over what the backward function sees.

    Attributes
    ----------
    text : str
        The expression, over the function's variables, the module's, and ``result``, what the function returned.
    shown : str
        How it is shown to the user.
    line : int
        Where it stands in the script.
    name : str
        The name that makes it a loss: of the variable or of the called function.
    after : bool
        Whether the backward function has to run first, because the expression needs its local variables or result.
    evidence : str
        How it was seen.
    """

    text: str
    shown: str
    line: int
    name: str
    after: bool
    evidence: str


class Stage:
    """A recorded call, set up to be played again and again.

    Parameters
    ----------
    recording : Recording
        What the script's run showed.
    function : Function
        The function of the call.
    call : Call
        Its arguments, variables and random state; they are copied.
    """

    def __init__(self, recording: Recording, function: Function, call: Call) -> None:
        self.function = function
        self.call = call
        self.evaluations = 0
        self._recorder = recording.recorder
        self._namespace = recording.module.__dict__
        self.arguments, self._variables = copy_variables(call.arguments, call.variables)
        self._namespace.update(self._variables)
        self._callable = _find(function, self._namespace, self.arguments)
        self._parameters: dict[str, Any] = {}
        self._undo: Undo | None = None

    def parameters(self, slots: list[Slot]) -> dict[str, Any]:
        """Return the parameters by name, ready to be perturbed: arrays and lists are those that the function sees.

        Integers become floats, also in place, because a derivative needs room on both sides.
        """
        self._slots = slots
        for slot in slots:
            value = self.value(slot)
            if isinstance(value, np.ndarray) and value.dtype.kind != "f":
                value = value.astype(float)
            elif isinstance(value, list):
                _floats_in_place(value)
            elif not isinstance(value, np.ndarray):
                value = float(value)
            self._parameters[slot.name] = value
            self._put(slot, value)
        self._undo = Undo([self.arguments, self._namespace], keep=self._own_objects())
        return self._parameters

    def value(self, slot: Slot) -> Any:
        """Return what lies in a slot now."""
        return follow(self._root(slot)[slot.variable], slot.path)

    def loss(self, expression: LossExpression) -> Callable[[Mapping[str, Any]], float]:
        """Return the loss as a function of the parameters."""
        code = compile(expression.text, "<loss>", "eval")

        def loss(parameters: Mapping[str, Any]) -> float:
            return self._play(parameters, lambda: self._evaluate(code, expression.after))

        return loss

    def gradient(self, pairs: Sequence[GradientMap]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """Return the function's own gradients, by parameter, as a function of the parameters."""

        def gradient(parameters: Mapping[str, Any]) -> dict[str, Any]:
            result = self._play(parameters, lambda: self._call()[0])
            return {pair.slot.name: shaped(follow(result, pair.output.leaf.path), pair.slot.leaf) for pair in pairs}

        return gradient

    def _play(self, parameters: Mapping[str, Any], action: Callable[[], Any]) -> Any:
        if self._undo is None:
            raise RuntimeError("the parameters of a stage are named before it is played")
        self.evaluations += 1
        for slot in self._slots:
            if parameters[slot.name] is not self._parameters[slot.name] or np.isscalar(parameters[slot.name]):
                self._put(slot, parameters[slot.name])
        before = {name: np.array(value) for name, value in parameters.items()}
        self.call.random_state.restore()
        try:
            with redirect_stdout(StringIO()), np.errstate(all="ignore"):
                return action()
        finally:
            self._undo.restore()
            for slot in self._slots:
                _write_back(parameters[slot.name], before[slot.name])

    def _evaluate(self, code: types.CodeType, after: bool) -> Any:
        if not after:
            return eval(code, self._namespace, dict(self.arguments))
        result, local_variables = self._call()
        return eval(code, self._namespace, {**local_variables, RESULT: result})

    def _call(self) -> tuple[Any, dict[str, Any]]:
        recorder = self._recorder
        recorder.watched, recorder.seen = self.function.name, None
        try:
            result = self._callable()
        finally:
            recorder.watched = None
        return result, recorder.seen or {}

    def _root(self, slot: Slot) -> dict[str, Any]:
        return self.arguments if slot.is_argument else self._namespace

    def _put(self, slot: Slot, value: Any) -> None:
        root = self._root(slot)
        if not slot.path:
            root[slot.variable] = value
            return
        slot.path[-1].put(follow(root[slot.variable], slot.path[:-1]), value)

    def _own_objects(self) -> set[int]:
        """Identities of the parameters' own containers: the checker perturbs them, so they are not undone."""
        found: set[int] = set()
        pending = list(self._parameters.values())
        while pending:
            value = pending.pop()
            if isinstance(value, np.ndarray | list):
                found.add(id(value))
                pending.extend(item for item in value if isinstance(item, list))
        return found


def shaped(gradient: Any, leaf: Leaf) -> Any:
    """Return a gradient as a float array in its parameter's shape, as the script's own update would use it.

    Axes of length one are dropped or added, and a single number is broadcast; other shapes come back unchanged, for
    the checker to refuse.
    """
    array = np.array(gradient, dtype=np.result_type(np.asarray(gradient).dtype, np.float16))
    if array.shape == leaf.shape:
        return array
    if array.size == 1:
        return np.full(leaf.shape, array.reshape(-1)[0])
    if [n for n in array.shape if n != 1] == [n for n in leaf.shape if n != 1]:
        return array.reshape(leaf.shape)
    return array


def _find(function: Function, namespace: dict[str, Any], arguments: dict[str, Any]) -> Callable[[], Any]:
    """Return a call of the function with the stage's arguments."""
    values = dict(arguments)
    if function.owner is None:
        target = namespace[function.short_name]
    else:
        first = values.get(function.arguments[0]) if function.arguments else None
        owner = namespace.get(function.owner)
        if isinstance(first, type) and "classmethod" in function.decorators:
            target = getattr(first, function.short_name)
            values.pop(function.arguments[0])
        else:
            holder = owner if isinstance(owner, type) else type(first)
            target = getattr(holder, function.short_name)
    signature = inspect.signature(target)

    def call() -> Any:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for name, parameter in signature.parameters.items():
            value = arguments.get(name, values.get(name))
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional.extend(value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                keywords |= value
            elif parameter.kind is parameter.KEYWORD_ONLY:
                keywords[name] = value
            else:
                positional.append(value)
        return target(*positional, **keywords)

    return call


def _floats_in_place(value: list[Any]) -> None:
    for index, item in enumerate(value):
        if isinstance(item, list):
            _floats_in_place(item)
        else:
            value[index] = float(item)


def _write_back(value: Any, before: np.ndarray) -> None:
    """Give a parameter that a call changed in place its values back."""
    if isinstance(value, np.ndarray):
        if value.tobytes() != before.tobytes():
            np.copyto(value, before)
    elif isinstance(value, list):
        for index, row in enumerate(before):
            if isinstance(value[index], list):
                _write_back(value[index], row)
            elif value[index] != row:
                value[index] = float(row)
