"""Which functions are a layer: one is given what another has returned or kept, and random numbers in place of the rest.

What a function was given is known by identity: it is the very object that the other one returned, was given, or left in
an object that both have. Where somebody has made a copy, equal numbers do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.script.record.instrument import can_be_replayed
from gradcheck.script.record.leaves import Leaf, Path, Step, follow, is_numeric, leaves
from gradcheck.script.record.objects import own_attributes
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.layer import Given, Kept, Layer, Rebuilt, Spot, Upstream
from gradcheck.script.replay.outputs import RESULT
from gradcheck.script.source.syntax import Function

# of the outputs to which what is taken back may belong
_MOST_READINGS = 4
# of a value, that somebody moves an entry by who takes finite differences
_ASIDE = 1e-4
_ANY: Any = object()


@dataclass(frozen=True)
class Partners:
    """A call of a forward function and one of a backward function that belong together, and how.

    Attributes
    ----------
    moment : Call
        The call of the forward function, with what else the backward function was given.
    call : Call
        The call of the backward function.
    is_final : bool
        Whether what is taken back belongs to what the forward function returned, and to nothing on the way there.
    """

    layer: Layer
    moment: Call
    call: Call
    is_final: bool

    @property
    def taken_back(self) -> list[str]:
        """The arguments of the backward function that are random numbers in a replay."""
        return [name for name, given in self.layer.given if isinstance(given, Upstream)]


def partners(recording: Recording, backward: Function) -> Iterator[Partners]:
    """Return the layers that a function may be the backward function of, the likeliest first."""
    for call in recording.of(backward.name)[:_MOST_READINGS]:
        yield from partners_of(recording, backward, call)


def partners_of(recording: Recording, backward: Function, call: Call) -> Iterator[Partners]:
    """Return the layers that one call of a function may belong to: what was called last before it comes first."""
    functions = recording.source.functions
    before = [c for c in recording.calls if c.left and c.left < call.entered and c.function != call.function]
    for first in sorted(before, key=lambda c: -c.left):
        forward = functions.get(first.function)
        if forward is not None and can_be_replayed(forward) and forward.outer is None:
            found = _Links(forward, backward, first, call)
            for given, is_final in found.readings():
                layer = Layer.of(forward, backward, given)
                moment = replace(first, function=layer.name, arguments={**first.arguments, **found.kept})
                yield Partners(layer, moment, call, is_final)


class _Links:
    """What the arguments of a call are, as far as an earlier call shows."""

    def __init__(self, forward: Function, backward: Function, first: Call, call: Call) -> None:
        self._forward, self._backward = forward, backward
        self._first, self._call = first, call
        self._read = {name: value for name, value in first.variables.items() if name in forward.names}
        self._spots: dict[int, Spot] = {}
        for (name, path), identity in first.identities.items():
            self._spots.setdefault(identity, Spot(name, path))
        for (_, path), identity in reversed(first.result_identities.items()):
            self._spots[identity] = Spot(None, path)
        self.kept: dict[str, Any] = {}
        self._open: dict[str, Any] = {}
        self._is_linked = False
        self._is_stale = False

    def readings(self) -> Iterator[tuple[Mapping[str, Given], bool]]:
        """Return what each argument may be, and whether what is taken back belongs to what was returned."""
        given = {name: self._given((name, ()), value, name) for name, value in self._call.arguments.items()}
        if self._is_stale or not (self._is_linked or self._shared()):
            return
        opened = list(self._open)
        if not opened:
            # somebody who tries a layer out takes its own output back
            opened = [name for name, link in given.items() if isinstance(link, Spot) and self._is_output(link)][:1]
        values = [self._call.arguments[name] for name in opened]
        if not opened or not all(is_numeric(value) and np.size(value) > 1 for value in values):
            return
        returned = [[spot for spot in self._computed() if self._fits(spot, value)] for value in values]
        inside = [[spot for spot in self._inside() if self._fits(spot, value)] for value in values]
        for is_final, spots in ((True, returned), (False, inside)):
            ways = (way for way in itertools.product(*spots) if len(set(way)) == len(way))
            for way in itertools.islice(ways, _MOST_READINGS):
                numbered = enumerate(zip(opened, way, strict=True))
                yield {**given, **{name: Upstream(spot, number) for number, (name, spot) in numbered}}, is_final

    def _shared(self) -> list[str]:
        """Return the module's variables that both functions mention, and in which something can be left."""
        mentioned = self._forward.names & self._backward.names
        return [name for name, value in self._first.variables.items() if name in mentioned and _holds(value)]

    def _given(self, key: tuple[str, Path], value: Any, shown: str) -> Given:
        """Return what an argument, or a part of one, is."""
        spot = self._spots.get(self._call.identities.get(key, 0))
        if spot is not None:
            self._is_linked = True
            return spot
        if isinstance(value, tuple | list | dict) and value and not is_numeric(value):
            return self._rebuilt(key, value, shown)
        is_array = is_numeric(value) and np.ndim(value) > 0
        if is_array or isinstance(value, np.ndarray):
            if is_array and (spot := self._equal(np.asarray(value))) is not None:
                self._is_linked = True
                return spot
            if is_array and not key[1] and any(self._fits(spot, value) for spot in self._returned()):
                self._open[shown] = value
            elif np.asarray(value).dtype.kind not in "iu":
                # computed between the two, it would have to follow what is changed
                self._is_stale = True
        elif is_numeric(value) and (same := self._same_number(value, shown)) is not None:
            return same
        elif own_attributes(value) is not None and any(leaf.shape for leaf in leaves("", value)):
            self._is_stale = True
        name = f"{shown} of {self._call.function}"
        self.kept[name] = value
        return Kept(name)

    def _rebuilt(self, key: tuple[str, Path], value: Any, shown: str) -> Given:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        name, path = key
        parts = tuple(
            (at, self._given((name, (*path, Step(at, attribute=False))), part, f"{shown}[{at!r}]"))
            for at, part in items
        )
        return Rebuilt(dict if isinstance(value, dict) else _as_list if isinstance(value, list) else _as_tuple, parts)

    def _equal(self, value: np.ndarray[Any, Any]) -> Spot | None:
        """Return what has the same numbers, if these are no constant; a step of finite differences aside."""
        if value.size < 2 or np.all(value == value.flat[0]):
            return None
        spots = [*self._returned(), *(Spot(n, leaf.path) for n, leaf in _all_leaves(self._first.arguments))]
        places = [*spots, *(Spot(n, leaf.path, False) for n, leaf in _all_leaves(self._read))]
        return next((spot for spot in places if _is_equal(np.asarray(self._now(spot)), value)), None)

    def _same_number(self, value: Any, shown: str) -> Spot | None:
        """Return the one number among the arguments that is the same; of several, the one of the same name."""
        numbers = [(n, leaf) for n, v in self._first.arguments.items() for leaf in leaves(n, v) if not leaf.shape]
        same = [Spot(name, leaf.path) for name, leaf in numbers if leaf.value == value]
        named = [spot for spot in same if spot == Spot(shown)]
        return (named or same)[0] if named or len(same) == 1 else None

    def _returned(self) -> Iterator[Spot]:
        for leaf in leaves(RESULT, self._first.result):
            yield Spot(None, leaf.path)

    def _computed(self) -> Iterator[Spot]:
        """Return what the first call has returned, but for what it was given."""
        first = self._first
        given = {identity for (_, path), identity in first.identities.items() if not path}
        return (s for s in self._returned() if first.result_identities.get((RESULT, s.path)) not in given)

    def _inside(self) -> Iterator[Spot]:
        """Return what the first call has left in the objects that it was given, and has not returned."""
        own = {n: v for n, v in self._first.local_variables.items() if n in self._first.arguments}
        result = [np.asarray(self._now(spot)) for spot in self._returned()]
        for name, leaf in _all_leaves(own):
            if not leaf.path or any(np.array_equal(np.asarray(leaf.value), other) for other in result):
                continue
            try:
                before = follow(self._first.arguments[name], leaf.path)
            except (AttributeError, IndexError, KeyError, TypeError):
                before = _ANY
            if before is _ANY or not np.array_equal(np.asarray(before), np.asarray(leaf.value)):
                yield Spot(name, leaf.path)

    def _now(self, spot: Spot) -> Any:
        """Return what lay there when the first call had returned, or had begun."""
        if spot.name is None:
            return follow(self._first.result, spot.path)
        if not spot.is_argument:
            return follow(self._first.variables[spot.name], spot.path)
        if spot.path and spot.name in self._first.local_variables:
            # an argument's name may stand for something else by then
            with suppress(AttributeError, IndexError, KeyError, TypeError):
                return follow(self._first.local_variables[spot.name], spot.path)
        return follow(self._first.arguments[spot.name], spot.path)

    def _fits(self, spot: Spot, value: Any) -> bool:
        own = np.asarray(self._now(spot))
        return own.dtype.kind in "fiu" and own.shape == np.shape(value)

    def _is_output(self, spot: Spot) -> bool:
        return spot.name is None and is_numeric(follow(self._first.result, spot.path))


def _is_equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    if one.shape != other.shape or one.dtype.kind != "f" or other.dtype.kind != "f":
        return np.array_equal(one, other)
    return bool(np.allclose(one, other, rtol=0.0, atol=_ASIDE * float(np.max(np.abs(other), initial=0.0))))


def _all_leaves(variables: Mapping[str, Any]) -> list[tuple[str, Leaf]]:
    return [(name, leaf) for name, value in variables.items() for leaf in leaves(name, value) if leaf.shape]


def _holds(value: Any) -> bool:
    return isinstance(value, np.ndarray | list | dict) or own_attributes(value) is not None


def _as_tuple(items: Sequence[tuple[Any, Any]]) -> tuple[Any, ...]:
    return tuple(value for _, value in items)


def _as_list(items: Sequence[tuple[Any, Any]]) -> list[Any]:
    return [value for _, value in items]
