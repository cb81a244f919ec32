"""What the backward function of a layer computes, beside the slopes of what its forward function does: in numbers."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import follow
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.layer import WEIGHTED_SUM, WEIGHTS, Layer
from gradcheck.script.replay.outputs import RESULT, Kind, Output
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.replay.perturb import along, assign, moved
from gradcheck.script.replay.stage import Stage

# how far inputs are moved for a look, and in how many directions slopes are taken, and at how many entries
_MOVE, _DIRECTIONS, _ENTRIES = 0.3, 2, 6
# the step of a difference, and what a slope may be off, in double and in single precision
_STEPS, _OFF = {False: 1e-4, True: 1e-2}, {False: 1e-3, True: 3e-2}
_NOTHING, _TIMES = 0.0, -2.0

Array = np.ndarray[Any, Any]
# the name of an input, and what is added to its entries
Shift = tuple[str, Array]


class Slopes:
    """A layer at a moment, with its inputs moved a little.

    Parameters
    ----------
    places : sequence of Slot
        What may be inputs of the forward function.
    """

    def __init__(self, recording: Recording, backward: Backward, layer: Layer, places: Sequence[Slot]) -> None:
        self._recording, self._layer = recording, layer
        blank = Output(places[0].leaf, (), None)
        self._backward = replace(backward, pairs=tuple(GradientMap(place, blank, None, "") for place in places))
        self._moment = backward.moments[0]
        self._is_narrow = any(place.leaf.is_narrow for place in places)
        self._slopes = {place.name: self._taken(place) for place in places}
        # what else an object holds, sums of gradients for instance, stays as it is
        inputs = tuple(pair for pair in self._backward.pairs if pair.slot.name in self.inputs)
        self._backward = replace(self._backward, pairs=inputs)
        self._outputs: Sequence[Output] = ()
        self._values: Mapping[int, Array] = {}
        self.vanishing = self.linear = frozenset[int]()

    def look(self, found: Sequence[Output]) -> None:
        """See what may be gradients: which vanish where nothing is taken back, and which follow it."""
        self._outputs = found
        self._values = self._computed(self._moment, self._layer)
        nothing = self._computed(self._moment, replace(self._layer, times=_NOTHING))
        several = self._computed(self._moment, replace(self._layer, times=_TIMES))
        self.vanishing = frozenset(k for k, value in nothing.items() if not np.any(value))
        self.linear = frozenset(
            k for k in self.vanishing if _is_close(several[k], _TIMES * self._values[k], self._is_narrow)
        )

    @property
    def inputs(self) -> frozenset[str]:
        """The names of the places on which the outputs of the forward function depend."""
        return frozenset(name for name, taken in self._slopes.items() if any(slope for _, slope in taken))

    def ratio(self, place: Slot, number: int) -> float:
        """Return an output as a multiple of the gradient of a place; NaN where it is none."""
        value = np.asarray(self._values[number], dtype=float)
        if not np.all(np.isfinite(value)) or value.size != place.leaf.size:
            return math.nan
        taken = self._slopes[place.name]
        slopes = np.array([slope for _, slope in taken])
        along = np.array([value.reshape(-1) @ way for way, _ in taken])
        sizes = np.array([np.linalg.norm(value.reshape(-1) * way) for way, _ in taken])
        norm = float(slopes @ slopes)
        factor = float(along @ slopes) / norm if norm else math.nan
        off = _OFF[self._is_narrow] * np.maximum(np.maximum(np.abs(along), np.abs(factor * slopes)), sizes)
        return factor if factor and np.all(np.abs(along - factor * slopes) <= off) else math.nan

    def vanish_at(self, moment: Call) -> frozenset[int]:
        """Return the numbers of the outputs that are zero at a moment when nothing is taken back."""
        try:
            nothing = self._computed(moment, replace(self._layer, times=_NOTHING))
        except Exception:  # noqa: BLE001 - the user's functions may fail in any way
            return frozenset()
        return frozenset(k for k, value in nothing.items() if not np.any(value))

    def calls_of_forward(self) -> int:
        """Return how often a replay calls the forward function: whoever computes differences calls it often."""
        forward, calls = self._layer.forward, 0

        def profile(frame: types.FrameType, event: str, _: Any) -> None:
            nonlocal calls
            code = frame.f_code
            own = code.co_name == forward.short_name and code.co_firstlineno == forward.line
            calls += event == "call" and own

        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            self._computed(self._moment, self._layer)
        finally:
            sys.setprofile(before)
        return calls

    def follows_by_entry(self, place: Slot, number: int) -> bool:
        """Whether an output is the gradient, but each entry times a number that only its own input decides.

        The slope of the layer before is such a number. Where each output depends on its own input alone, any mistake is
        one, so that says nothing there.
        """
        rng = np.random.default_rng(0)
        chosen = rng.permutation(place.leaf.size)[:_ENTRIES]
        others = rng.standard_normal(place.leaf.size)
        others[chosen] = 0
        seen = []
        for draw, aside in ((0, 0 * others), (1, others)):
            layer, shift = replace(self._layer, draw=draw), (place.name, aside)
            value = np.asarray(self._computed(self._moment, layer, shift)[number], dtype=float).reshape(-1)
            slopes = np.array([slope for _, slope in self._taken(place, layer, chosen, shift)])
            weights = self._weights(layer)
            with np.errstate(all="ignore"):
                own = weights[chosen] / slopes if weights.size == place.leaf.size else np.full(slopes.shape, np.nan)
                seen.append((value[chosen] / slopes, own))
        (one, own), (other, further) = seen
        if not np.all(np.isfinite(one)) or _is_close(own, further, self._is_narrow):
            return False
        return _is_close(one, other, self._is_narrow) and not _is_close(
            one, np.full(one.shape, one[0]), self._is_narrow
        )

    def _weights(self, layer: Layer) -> Array:
        stage = self._stage(self._moment, layer)
        found: list[Array] = stage.look_at_entry(stage.parameters, lambda variables, _: variables[WEIGHTS])
        return np.concatenate([weights.reshape(-1) for weights in found])

    def _stage(self, moment: Call, layer: Layer) -> Stage:
        return Stage(self._recording, replace(self._backward, region=layer), moment)

    @contextmanager
    def _staged(self, moment: Call, layer: Layer, shift: Shift | None) -> Iterator[Stage]:
        """Return a moment with its inputs moved, and one of them shifted by a number for each entry."""
        stage = self._stage(moment, layer)
        with moved(stage.parameters, self._backward.names, np.random.default_rng(0), size=_MOVE):
            if shift is not None:
                name, by = shift
                now = np.array(stage.parameters[name], dtype=float)
                assign(stage.parameters, name, now + by.reshape(now.shape))
            yield stage

    def _computed(self, moment: Call, layer: Layer, shift: Shift | None = None) -> Mapping[int, Array]:
        """Return the outputs, by their numbers."""
        with self._staged(moment, layer, shift) as stage:
            before = {name: np.array(value, dtype=float) for name, value in stage.parameters.items()}

            def read(variables: dict[str, Any], result: Any) -> dict[int, Array]:
                found = {}
                roots = {**variables, RESULT: result}
                for number, output in enumerate(self._outputs):
                    value = np.array(follow(roots[output.variable], output.leaf.path), dtype=float)
                    found[number] = value - before[output.leaf.name] if output.kind is Kind.CHANGE else value
                return found

            computed: Mapping[int, Array] = stage.look(read)
            return computed

    def _taken(
        self,
        place: Slot,
        layer: Layer | None = None,
        entries: Sequence[int] | Array | None = None,
        shift: Shift | None = None,
    ) -> list[tuple[Array, float]]:
        """Return slopes of the weighted sum: along random directions, or along entries."""
        name = place.name
        rng = np.random.default_rng(1)
        if entries is None:
            ways = [rng.standard_normal(place.leaf.size) for _ in range(_DIRECTIONS)]
        else:
            ways = [np.eye(1, place.leaf.size, int(k)).reshape(-1) for k in entries]
        with self._staged(self._moment, layer or self._layer, shift) as stage:
            own = np.asarray(stage.parameters[name], dtype=float)
            step = _STEPS[self._is_narrow] * max(float(np.abs(own).max()), 0.1)
            units = step * np.eye(len(ways))
            with along(stage.parameters, [(name, way.reshape(own.shape)) for way in ways]) as move:

                def weighted_sum(shifts: Array) -> float:
                    move(shifts)
                    return float(
                        stage.look_at_entry(
                            stage.parameters, lambda variables, _: variables[WEIGHTED_SUM][self._layer.name]
                        )
                    )

                return [
                    (way, _slope(weighted_sum(unit), weighted_sum(-unit), step))
                    for way, unit in zip(ways, units, strict=True)
                ]


def _slope(upper: float, lower: float, step: float) -> float:
    """Return a central difference; zero where it is no more than round-off."""
    return 0.0 if abs(upper - lower) <= 1e-13 * (abs(upper) + abs(lower)) else (upper - lower) / (2 * step)


def _is_close(one: Array, other: Array, is_narrow: bool) -> bool:
    size = np.max(np.abs(other), initial=0.0)
    return bool(np.all(np.abs(one - other) <= _OFF[is_narrow] * size)) and bool(np.all(np.isfinite(one)))
