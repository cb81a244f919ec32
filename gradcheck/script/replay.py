"""Play a recorded moment of the script again: with other parameters, the same data, and the same random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, cast

import numpy as np

from gradcheck.arrays import same_bits
from gradcheck.random_state import RandomState
from gradcheck.script.backward import Backward
from gradcheck.script.leaves import Leaf, follow
from gradcheck.script.outputs import RESULT
from gradcheck.script.pairing import Slot
from gradcheck.script.record import Call, Recording
from gradcheck.script.region import body_of
from gradcheck.script.state import Undo
from gradcheck.script.widen import widened


@dataclass(frozen=True)
class LossExpression:
    """A scalar that is taken for the loss: an expression over what is in sight when the backward function returns.

    Attributes
    ----------
    text : str
        The expression, over the function's variables, those of the loop or function that calls it, the module's, and
        ``result``, what the function returned.
    shown : str
        How it is shown to the user.
    line : int
        Where it stands in the script.
    name : str
        The name that makes it a loss: of the variable or of the called function.
    evidence : str
        How it was seen.
    near : bool
        Whether it is of the same data for sure: computed with the gradients, or from all that the function is given.
        Another loss has to agree with a gradient, up to a factor, to be taken.
    """

    text: str
    shown: str
    line: int
    name: str
    evidence: str
    near: bool = True


# the first replays, and now and then a later one, are looked at for what they change
_LEARNING, _LEARNING_AGAIN = 4, 64


class NotReachedError(Exception):
    """A replayed moment ended without a call of the backward function."""


class _Reached(BaseException):
    """Ends a replay when the backward function has returned; what follows would only move the parameters."""


class Stage:
    """A recorded moment, set up to be played again and again, up to the return of the backward function.

    Parameters
    ----------
    recording : Recording
        What the script's run showed.
    backward : Backward
        The backward function, its parameters, and where a replay starts.
    moment : Call
        One of the backward function's moments.

    Attributes
    ----------
    parameters : dict
        The parameters by name, ready to be perturbed: arrays and lists are those that the script's code sees.
    evaluations : int
        How often the moment was played.
    """

    def __init__(self, recording: Recording, backward: Backward, moment: Call) -> None:
        self.evaluations = 0
        self._random_state = moment.random_state
        self._pairs = backward.pairs
        self._watched = backward.function.name
        self._recorder = recording.recorder
        self._namespace = recording.module.__dict__
        # the recorded variables themselves: what a replay changes in them is undone after each
        self._arguments = dict(moment.arguments)
        self._namespace.update(moment.variables)
        self._body = body_of(recording.source, backward.region, self._namespace, self._arguments)
        self._draws = False
        self._random_state.restore()
        self._bind()

    def _bind(self) -> None:
        """Take the parameters, and what has to be undone after a replay, from where they lie now."""
        self.parameters: dict[str, Any] = {}
        for pair in self._pairs:
            value = _differentiable(self._value(pair.slot))
            self.parameters[pair.slot.name] = value
            self._put(pair.slot, value)
        keep = {id(self._recorder), *_containers(self.parameters.values())}
        self._undo = Undo([self._arguments, self._namespace], keep)

    @contextmanager
    def in_double_precision(self) -> Iterator[None]:
        """Play in float64 for the time of the block, from the parameters as they are now."""
        try:
            with widened([self._arguments, self._namespace], keep=[self._recorder]):
                self._bind()
                yield
        finally:
            self._bind()

    def loss(self, expression: LossExpression) -> Callable[[Mapping[str, Any]], Any]:
        """Return the loss as a function of the parameters."""
        code = compile(expression.text, "<loss>", "eval")
        return lambda parameters: self._play(
            parameters, lambda variables, result: eval(code, {**variables, RESULT: result})
        )

    def gradient(self) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """Return the script's own gradients, by parameter, as a function of the parameters."""

        def gradients(_: object, result: Any) -> dict[str, Any]:
            return {p.slot.name: shaped(follow(result, p.output.leaf.path), p.slot.leaf) for p in self._pairs}

        return lambda parameters: cast(dict[str, Any], self._play(parameters, gradients))

    def _play(self, parameters: Mapping[str, Any], read: Callable[[dict[str, Any], Any], Any]) -> Any:
        """Run the moment with these parameters; return what `read` makes of the variables and the result."""
        self.evaluations += 1
        for pair in self._pairs:
            self._put(pair.slot, parameters[pair.slot.name])
        before = {name: np.array(value) for name, value in parameters.items()}
        found: list[Any] = []

        def returned(local_variables: dict[str, Any], result: Any) -> None:
            if not found:  # once more where the script has swallowed the end of an earlier replay
                self._recorder.watched = None
                found.append(read({**self._namespace, **self._body.variables(), **local_variables}, result))
            raise _Reached

        self._recorder.watched, self._recorder.returned = self._watched, returned
        try:
            with redirect_stdout(StringIO()), np.errstate(all="ignore"):
                self._body.run()
        except _Reached:
            pass
        finally:
            self._recorder.watched = self._recorder.returned = None
            self._draws = self._draws or (self._learning() and self._random_state != RandomState.capture())
            if self._draws:
                self._random_state.restore()
            self._undo.restore()
            for name, value in parameters.items():
                _write_back(value, before[name])
        if not found:
            raise NotReachedError(f"`{self._watched}` was not called again")
        return found[0]

    def _learning(self) -> bool:
        """Whether to look if this replay has drawn random numbers; looking costs as much as a small network."""
        return self.evaluations <= _LEARNING or self.evaluations % _LEARNING_AGAIN == 0

    def _value(self, slot: Slot) -> Any:
        return follow(self._root(slot)[slot.variable], slot.path)

    def _root(self, slot: Slot) -> dict[str, Any]:
        return self._arguments if slot.is_argument else self._namespace

    def _put(self, slot: Slot, value: Any) -> None:
        root = self._root(slot)
        if not slot.path:
            root[slot.variable] = value
            return
        container = follow(root[slot.variable], slot.path[:-1])
        if slot.path[-1].of(container) is not value:
            slot.path[-1].put(container, value)


def _differentiable(value: Any) -> Any:
    """Return a parameter's value with floats for integers, because a derivative needs room on both sides."""
    if isinstance(value, np.ndarray):
        return value if value.dtype.kind == "f" else value.astype(float)
    if isinstance(value, list):
        for index, item in enumerate(value):
            value[index] = _differentiable(item)
        return value
    return float(value)


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


def _containers(values: Iterable[Any]) -> set[int]:
    """Return the identities of the parameters' arrays and lists: the checker perturbs them, so they are not undone."""
    found: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if isinstance(value, np.ndarray | list):
            found.add(id(value))
            pending.extend(item for item in value if isinstance(item, list))
    return found


def _write_back(value: Any, before: np.ndarray[Any, Any]) -> None:
    """Give a parameter that a replay has changed in place its values back."""
    if isinstance(value, np.ndarray):
        if not same_bits(value, before):
            np.copyto(value, before)
    elif isinstance(value, list):
        for index, row in enumerate(before):
            if isinstance(value[index], list):
                _write_back(value[index], row)
            elif value[index] != row:
                value[index] = float(row)
