"""A derivative that an optimizer is handed, and its function: what both are called with, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from gradcheck.script.record.handed import Handed, Target
from gradcheck.script.record.leaves import Leaf, Path, Step, follow, is_numeric
from gradcheck.script.record.projected import Projection
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.outputs import RESULT, Output, element
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.source.syntax import Function

PLAIN = (int, float, str, bool, type(None))
# of the recorded calls of a derivative
_MOST_MOMENTS = 8
# the numbers by which the values are multiplied, among what a derivative is handed
FACTORS = "factors"


class Refused(Exception):
    """A pair that cannot be checked; the text says why."""


@dataclass(frozen=True)
class Given:
    """What an argument is given: the point, what the optimizer hands on, or what was bound before.

    `token` tells arguments of the two calls apart that are handed the same, `value` what is bound.
    """

    token: object
    value: Any = None

    @property
    def is_point(self) -> bool:
        """Whether it is the point, or an entry of it."""
        return isinstance(self.token, tuple) and self.token[0] == "point"


@dataclass(frozen=True)
class Place:
    """Where a parameter lies in the arguments of the derivative."""

    variable: str
    path: Path
    name: str


@dataclass(frozen=True)
class Moment:
    """A recorded call of the derivative, and which of the times that the pair was handed over it belongs to."""

    call: Call
    numbers: tuple[int, ...]


class HandedPair:
    """A derivative and its objective.

    Attributes
    ----------
    function : Function
        The derivative, as the script writes it.
    numbers : sequence of int
        Which of all that was handed over is this pair, perhaps with other data each time.
    """

    def __init__(self, recording: Recording, function: Function, numbers: Sequence[int]) -> None:
        self.recording, self.function, self.numbers = recording, function, numbers
        self.handed: Handed = recording.recorder.handed[numbers[0]]

    def of(self, number: int) -> Handed:
        """Return what was handed over one of the times."""
        return self.recording.recorder.handed[number]

    # -- moments ------------------------------------------------------------------------------------------------------

    def moments(self) -> tuple[Moment, ...]:
        """Return the calls that the optimizer has made, if any of them was recorded.

        Of several times that it was handed the same pair, with other data perhaps, each has its turn.
        """
        calls, name = self.recording.of(self.function.name), self.function.name
        own: dict[int, list[Call]] = {}
        for number in self.numbers:
            windows = self.of(number).windows
            inside = [c for c in calls if any(b.get(name, 0) < c.number <= a.get(name, 0) for b, a in windows)]
            known = self._known(number)
            # of several closures in one call of an optimizer, each is known by what it has from around it
            own[number] = [call for call in inside if _is_same_as(call, known)]
        in_turn = [call for turn in zip_longest(*own.values()) for call in turn if call is not None]
        found: dict[int, Moment] = {}
        for call in in_turn or calls:
            of = tuple(number for number, mine in own.items() if any(call is one for one in mine))
            found.setdefault(id(call), Moment(_opened(call, self.function), of or tuple(self.numbers)))
        try:
            return tuple(moment for moment in found.values() if all(self._are_numbers(moment.call)))[:_MOST_MOMENTS]
        except (KeyError, IndexError, TypeError, AttributeError):
            return ()

    def _known(self, number: int) -> dict[str, Any]:
        """Return what the derivative sees in every call of one of the times."""
        bound = self.own_arguments(number)
        known = {name: given.value for name, path, given in bound if given.token is None and not path}
        return {**Target.of(self.of(number).derivative).captured, **known}

    def _are_numbers(self, call: Call) -> Iterator[bool]:
        for place in self.places(call):
            yield is_numeric(follow(call.arguments[place.variable], place.path))

    # -- arguments ----------------------------------------------------------------------------------------------------

    def arguments(
        self, number: int, target: Target, *, is_derivative: bool = False
    ) -> tuple[list[Given], dict[str, Given]]:
        """Return what one of the two functions is called with by the optimizer, one of the times."""
        handed = self.of(number)
        given = [Given(None, value) for value in target.bound]
        given += [Given(("leading", i), value) for i, value in enumerate(handed.leading)]
        given += [Given(("point", i)) for i in range(self._count_of_points(handed))]
        given += [Given(FACTORS)] if handed.times and is_derivative else []
        given += [Given(("args", i), value) for i, value in enumerate(handed.args)]
        keywords = {name: Given(None, value) for name, value in target.keywords.items()}
        keywords |= {name: Given(("keyword", name), value) for name, value in handed.keywords.items()}
        missing = target.defaults(len(given)).items()
        return given, {name: Given(None, value) for name, value in missing if name not in keywords} | keywords

    def _count_of_points(self, handed: Handed) -> int:
        if not handed.is_spread:
            return 1
        if handed.point is not None:
            return int(np.size(handed.point))
        # as many as the derivative takes
        return len(self.function.arguments) - len(Target.of(handed.derivative).bound) - len(handed.leading)

    def own_arguments(self, number: int) -> list[tuple[str, Path, Given]]:
        """Return the derivative's arguments with what each is given."""
        return list(self._bound(number))

    def _bound(self, number: int) -> Iterator[tuple[str, Path, Given]]:
        positional, keywords = self.arguments(number, Target.of(self.of(number).derivative), is_derivative=True)
        written = self.function.node.args
        names = [a.arg for a in (*written.posonlyargs, *written.args)]
        yield from ((name, (), given) for name, given in zip(names, positional, strict=False))
        if written.vararg is not None:
            rest = enumerate(positional[len(names) :])
            yield from ((written.vararg.arg, (Step(i, attribute=False),), given) for i, given in rest)
        elif len(positional) > len(names):
            raise Refused("it is called with more arguments than it has")
        own = {*names, *(a.arg for a in written.kwonlyargs)}
        for name, given in keywords.items():
            if name in own:
                yield name, (), given
            elif written.kwarg is not None:
                yield written.kwarg.arg, (Step(name, attribute=False),), given

    def texts(self, number: int) -> dict[object, str]:
        """Return how the derivative's own code names what it is called with, by token and by identity."""
        found: dict[object, str] = {}
        for name, path, given in self.own_arguments(number):
            text = name + "".join(step.text for step in path)
            if given.token is not None:
                found.setdefault(given.token, text)
            if not isinstance(given.value, PLAIN):
                found.setdefault(id(given.value), text)
        return found

    def places(self, call: Call) -> list[Place]:
        """Return where in the arguments of a call the parameters lie."""
        points = [(name, path) for name, path, given in self.own_arguments(self.numbers[0]) if given.is_point]
        if not points:
            raise Refused("it has no argument for the point")
        if self.handed.is_named:
            ((variable, path),) = points
            return list(_varying(variable, path, follow(call.arguments[variable], path)))
        # `*p` is one parameter
        points = points if all(not path for _, path in points) else [(points[0][0], ())]
        return [Place(name, path, name + "".join(step.text for step in path)) for name, path in points]

    # -- gradients ----------------------------------------------------------------------------------------------------

    def gradients(self, moment: Call) -> Iterator[GradientMap]:
        """Return the parameters and their gradients."""
        handed, output = self.handed, self._output(moment)
        leaves = []
        for place in self.places(moment):
            value = follow(moment.arguments[place.variable], place.path)
            leaves.append((place.variable, Leaf(place.name, place.path, value, replaceable=True)))
        count = sum(leaf.size for _, leaf in leaves)
        evidence = f"being what `{handed.optimizer}` hands to `{self.function.short_name}`"
        for number, (variable, leaf) in enumerate(leaves):
            project = self._projection(output.leaf.value, count, number if len(leaves) > 1 else None)
            yield GradientMap(Slot(leaf, variable, is_argument=True), output, None, evidence, project=project)

    def _projection(self, derivative: Any, count: int, entry: int | None) -> Projection | None:
        handed = self.handed
        # a sparse matrix is no array
        shape = tuple(derivative.shape) if hasattr(derivative, "shape") else np.shape(derivative)
        if handed.by_entry:
            return Projection(count, by_entry=True)
        # of a single value, the derivative is the gradient already
        if entry is None and (not handed.of_several or np.prod(shape) == count):
            return None
        if shape != (count,) and (len(shape) != 2 or shape[0 if handed.by_parameter else 1] != count):
            wanted = f"({count}, number of values)" if handed.by_parameter else f"(number of values, {count})"
            raise Refused(f"expected is a matrix of shape {wanted}, received is one of shape {shape}")
        return Projection(count, handed.by_parameter, entry)

    def _output(self, moment: Call) -> Output:
        at = self.handed.slope_at
        path = () if at is None else (Step(at, attribute=False),)
        try:
            leaf = Leaf(RESULT + "".join(s.text for s in path), path, follow(moment.result, path), replaceable=False)
        except (TypeError, KeyError, IndexError):
            raise Refused("it does not return a value and its derivative") from None
        returns = self.function.returns
        expression = element(returns[-1].value, leaf) if returns and returns[-1].value is not None else None
        return Output(leaf, (f"{self.function.short_name}()",), expression)


def _varying(variable: str, path: Path, parameters: Mapping[str, Any]) -> Iterator[Place]:
    """Return the parameters in a mapping of objects that are varied by the optimizer."""
    for name, parameter in parameters.items():
        if parameter.vary and not parameter.expr:
            item = Step(name, attribute=False)
            shown = variable + "".join(step.text for step in (*path, item))
            yield Place(variable, (*path, item, Step("value", attribute=True)), shown)


def _opened(call: Call, function: Function) -> Call:
    """Return a call in which the values of `*p` lie in a list, where each can be changed."""
    extra = function.node.args.vararg
    if extra is None or not isinstance(call.arguments.get(extra.arg), tuple):
        return call
    return replace(call, arguments={**call.arguments, extra.arg: list(call.arguments[extra.arg])})


def _is_same_as(call: Call, known: Mapping[str, Any]) -> bool:
    return all(_is_same(call.arguments[name], value) for name, value in known.items() if name in call.arguments)


def _is_same(one: Any, other: Any) -> bool:
    """Whether a recorded value is another one, as far as numbers and texts tell."""
    if isinstance(other, str) or other is None:
        return bool(one == other) if isinstance(one, str) else one is other
    if is_numeric(one) and is_numeric(other):
        return np.shape(one) == np.shape(other) and np.array_equal(one, other, equal_nan=True)
    return True
