"""One layer: which outputs of its backward function are the gradients of which inputs, and which cannot be judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import follow, is_numeric, leaves
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.layer import Layer, Spot, Upstream
from gradcheck.script.replay.outputs import Kind, Output, outputs
from gradcheck.script.replay.pairing import GradientMap, Slot, map_gradients, slots
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.syntax import Function
from gradcheck.script.understand.candidates import read_variables
from gradcheck.script.understand.layer_factors import Pairing, Times, factors_of, is_multiple, rate_of
from gradcheck.script.understand.layer_slopes import Slopes
from gradcheck.script.understand.partners import Partners, partners
from gradcheck.script.understand.scale import Scale
from gradcheck.script.understand.subject import Subject
from gradcheck.script.understand.unchecked import Unchecked

# of the calls of a layer
_MOST_MOMENTS = 6
# of the forward function in a replay: what computes gradients by differences is no backward function
_MOST_CALLS = 2


@dataclass(frozen=True)
class Reading:
    """A layer with what its backward function was seen to compute."""

    partners: Partners
    subject: Subject
    right: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be explained."""
        return len(self.right) == len(self.subject.backward.pairs) and not self.subject.unchecked

    @property
    def rank(self) -> tuple[int, bool, int, int]:
        """How well it explains what the backward function computes, and how plainly."""
        return len(self.right), self.partners.is_final, -self.depth, len(self.subject.backward.pairs)

    @property
    def depth(self) -> int:
        """How deep in what is returned the outputs lie."""
        return max(len(upstream.output.path) for upstream in self.partners.layer.upstreams)


class DifferencesError(Exception):
    """A function computes differences: it is no backward function."""


class DoubtError(Exception):
    """None of the gradients of a layer can be judged; the text says why."""


def read_layer(recording: Recording, one: Partners) -> Reading | None:
    """Return what the backward function of a layer computes; None where that is nothing of the kind."""
    layer, call = one.layer, one.call
    read = read_variables(recording.source)
    places = [p for p in slots(layer.forward, one.moment, read) if not p.is_argument or p.variable in layer.arguments]
    returned = [o for o in outputs(recording.source, layer.backward, call) if not _is_whole(o.leaf.value)]
    stored = list(_stored(one))
    shapes = {_plain(np.shape(o.leaf.value)) for o in [*returned, *stored]}
    places = [place for place in places if _plain(place.leaf.shape) in shapes]
    if not places:
        return None
    blank = Backward(layer.backward, call, (), (), layer, (one.moment,), handed=True)
    slopes = Slopes(recording, blank, layer, places)
    places = [place for place in places if place.name in slopes.inputs]
    moved = [output for place in places if (output := _moved(one, place)) is not None]
    changed = {output.labels for output in moved}
    found = [*returned, *(output for output in stored if output.labels not in changed), *moved]
    slopes.look(found)
    if slopes.calls_of_forward() > _MOST_CALLS:
        raise DifferencesError
    blank = replace(blank, outputs=tuple(found))
    pairings = _paired(layer, slopes, places, found)
    if not pairings or not slopes.linear & {found.index(pairing.output) for pairing in pairings}:
        return None
    return _judged(recording, one, blank, slopes, pairings)


def _judged(
    recording: Recording, one: Partners, blank: Backward, slopes: Slopes, pairings: Sequence[Pairing]
) -> Reading | None:
    """Return a layer with those of its gradients that can be judged."""
    found, layer = list(blank.outputs), one.layer
    unchecked: list[Unchecked] = []
    judged: list[Pairing] = []
    for pairing in pairings:
        reason = _doubt(
            one, slopes, pairing, found.index(pairing.output), any(is_multiple(p.ratio, 1) for p in pairings)
        )
        if reason is None:
            judged.append(pairing)
        else:
            unchecked.append(Unchecked(pairing.name, pairing.slot.leaf.shape, reason))
    if not judged:
        raise DoubtError(unchecked[0].reason)
    factors, remark = factors_of(one, judged)
    pairs = tuple(
        GradientMap(p.slot, p.output, None, p.evidence, project=Times(factors[p.name]) if p.name in factors else None)
        for p in judged
    )
    right = frozenset(p.name for p in judged if is_multiple(p.ratio * factors.get(p.name, 1.0), 1))
    numbers = {found.index(pairing.output) for pairing in judged}
    moments = tuple(m for m in _moments(recording, one, judged) if numbers <= slopes.vanish_at(m))
    if not moments:
        return None
    known = {id(pairing.output) for pairing in pairings}
    rest = [o.shown for o in found if o.kind is Kind.RETURNED and id(o) not in known]
    left = tuple(
        f"not checked: `{shown}`, also returned by {layer.backward.name}, was not recognised as the gradient of an "
        f"input of {layer.forward.name}"
        for shown in rest
    )
    left += _other_objects(recording, one, judged, moments)
    backward = replace(blank, outputs=tuple(p.output for p in judged), pairs=pairs, moments=moments)
    subject = Subject(
        backward,
        _loss(one),
        Scale(),
        layer.forward.name,
        agreement=len(right),
        unchecked=tuple(unchecked),
        remark=remark,
        seen=right,
        left_out=left,
    )
    return Reading(one, subject, right)


def _moments(recording: Recording, one: Partners, pairings: Sequence[Pairing]) -> list[Call]:
    """Return the calls of the same two functions, bound together in the same way, that belong together."""
    layer = one.layer
    same = {o.moment.number: o.moment for o in partners(recording, layer.backward) if o.layer == layer}
    alike = [m for m in same.values() if _shapes(m, pairings) == [pairing.slot.leaf.shape for pairing in pairings]]
    return sorted(alike, key=lambda m: m.number != one.moment.number)[:_MOST_MOMENTS]


def _other_objects(
    recording: Recording, one: Partners, pairings: Sequence[Pairing], moments: Sequence[Call]
) -> tuple[str, ...]:
    """Say how many more objects with parameters share a method, whose calls are not among those that are looked at."""
    layer = one.layer
    if not (layer.backward.owner and layer.forward.owner and layer.backward.arguments and layer.forward.arguments):
        return ()
    first, own = layer.backward.arguments[0], layer.forward.arguments[0]
    if not any(p.slot.variable == own and p.slot.path for p in pairings):
        return ()
    known = {moment.identities.get((own, ())) for moment in moments}
    every = {call.identities.get((first, ())) for call in recording.of(layer.backward.name)}
    if not (others := every - known):
        return ()
    what = f"{len(others)} more objects" if len(others) > 1 else "one more object"
    return (f"not checked: {what} of `{layer.backward.owner}`, beside those that the table is of",)


def _shapes(moment: Call, pairings: Sequence[Pairing]) -> list[tuple[int, ...]] | None:
    try:
        return [np.shape(pairing.slot.at(moment)) for pairing in pairings]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _loss(one: Partners) -> LossExpression:
    layer = one.layer
    method = layer.forward.owner is not None
    given = ", ".join(layer.arguments[method:])
    called = f"{layer.forward.name}({given})"
    parts = []
    for name, spot in ((name, given.output) for name, given in layer.given if isinstance(given, Upstream)):
        path = "".join(step.text for step in spot.path)
        parts.append(f"sum({name} * {called}{path})" if spot.name is None else f"sum({name} * {spot.name}{path})")
    shown = " + ".join(parts)
    evidence = "as the script takes random numbers back through its outputs"
    return LossExpression(layer.loss, shown, layer.forward.line, layer.forward.short_name, evidence, at_entry=True)


# -- which output is the gradient of which input -----------------------------------------------------------------------


def _stored(one: Partners) -> Iterator[Output]:
    """Return what a call has changed or added in the objects that it was given."""
    call = one.call
    taken = [np.asarray(call.arguments[name]) for name in one.taken_back]
    for name, value in call.local_variables.items():
        if name not in call.arguments or is_numeric(value):
            continue
        for leaf in leaves(name, value):
            if _is_whole(leaf.value) or any(np.array_equal(np.asarray(leaf.value), other) for other in taken):
                continue
            try:
                before = np.asarray(follow(call.arguments[name], leaf.path))
            except (AttributeError, IndexError, KeyError, TypeError):
                before = np.zeros(0)
            if not np.array_equal(before, np.asarray(leaf.value)):
                yield Output(leaf, (leaf.name,), None, variable=name, kind=Kind.KEPT)


def _moved(one: Partners, place: Slot) -> Output | None:
    """Return how an input was moved by the backward function, if it was."""
    for name, given in one.layer.given:
        if isinstance(given, Spot) and given.name == place.variable and place.is_argument and place.path:
            path = place.path[len(given.path) :]
            if place.path[: len(given.path)] != given.path or not path:
                continue
            try:
                before, after = (follow(root[name], path) for root in (one.call.arguments, one.call.local_variables))
            except (AttributeError, IndexError, KeyError, TypeError):
                continue
            if not np.array_equal(np.asarray(before), np.asarray(after)):
                leaf = replace(place.leaf, path=path)
                return Output(leaf, (place.name,), None, variable=name, kind=Kind.CHANGE)
    return None


def _paired(layer: Layer, slopes: Slopes, places: Sequence[Slot], found: Sequence[Output]) -> list[Pairing]:
    """Pair outputs with inputs: by their numbers, then by names, then by shapes and their order."""
    free, rest = list(places), list(range(len(found)))
    pairs: list[Pairing] = []
    by_name = dict(_named(layer.backward, found, free))

    def pair(place: Slot, number: int, evidence: str) -> None:
        named = by_name.get(number, place)
        claimed = None if named == place or is_multiple(slopes.ratio(named, number), 1) else named.name
        pairs.append(Pairing(place, found[number], slopes.ratio(place, number), evidence, claimed))
        free.remove(place)
        rest.remove(number)

    moved = {place.name: n for n in rest for place in free if found[n].kind is Kind.CHANGE and _is_of(found[n], place)}
    for place in list(free):
        if place.name in moved:
            pair(place, moved[place.name], "how it is moved")
    rest = [number for number in rest if found[number].kind is not Kind.CHANGE]
    for only_right in (True, False):
        for number in list(rest):
            ratios = {place.name: slopes.ratio(place, number) for place in free}
            known = {name for name, ratio in ratios.items() if not math.isnan(ratio)}
            known = {name for name in known if is_multiple(ratios[name], 1)} if only_right else known
            fitting = [place for place in free if place.name in known]
            if fitting:
                named = by_name.get(number)
                pair(named if named in fitting else fitting[0], number, "its values")
    for number in list(rest):
        named = by_name.get(number)
        if named in free and named is not None and number in rest:
            pair(named, number, f"the name {found[number].shown}")
    for number in list(rest):
        same = [place for place in free if place.leaf.shape == np.shape(found[number].leaf.value)]
        if found[number].kind is Kind.RETURNED and same and number in slopes.vanishing:
            pair(same[0], number, "its shape")
    return sorted(pairs, key=lambda p: [place.name for place in places].index(p.name))


def _is_of(output: Output, place: Slot) -> bool:
    return output.labels == (place.name,)


def _named(function: Function, found: Sequence[Output], places: Sequence[Slot]) -> Iterator[tuple[int, Slot]]:
    for number, output in enumerate(found):
        fitting = [place for place in places if _plain(place.leaf.shape) == _plain(np.shape(output.leaf.value))]
        for pair in map_gradients(function, [output], fitting, ()):
            if pair.evidence.startswith("the name"):
                yield number, pair.slot


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without axes of length one."""
    return tuple(length for length in shape if length != 1)


def _is_whole(value: Any) -> bool:
    return np.asarray(value).dtype.kind not in "f" and np.ndim(value) == 0


# -- doubts ------------------------------------------------------------------------------------------------------------


def _doubt(one: Partners, slopes: Slopes, pairing: Pairing, number: int, some_are_right: bool) -> str | None:
    """Return why a gradient cannot be judged, if so."""
    upstream = " and ".join(f"`{name}`" for name in one.taken_back)
    if number not in slopes.vanishing:
        return f"`{pairing.output.shown}` is not zero where {upstream} is: something is added to the gradient"
    if pairing.claimed is not None:
        return (
            f"`{pairing.output.shown}` is its gradient, and not that of `{pairing.claimed}`: its name is wrong, or the "
            "order of what is returned"
        )
    if pairing.is_moved and rate_of(one, [pairing]) is None:
        return f"{one.layer.backward.name} moves it itself, by steps of a size that is not to be seen"
    if not math.isnan(pairing.ratio):
        return None
    if not one.is_final:
        return f"{upstream} seems to be the gradient of something within `{one.layer.forward.name}`"
    if some_are_right and slopes.follows_by_entry(pairing.slot, number):
        return (
            f"`{pairing.output.shown}` is the gradient, but each entry times a number that its own input decides: "
            "that may be the slope of the layer before"
        )
    return None
