"""The step that is applied: gradients that are right are of no use where the parameters are moved along something else.

What moves the parameters in a complete round of training is what counts. A step that is made of the right gradients is
of one multiple of them for all parameters, whatever the round has done with them in between.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.errors import ScriptError
from gradcheck.numerics.arrays import FloatArray
from gradcheck.script.record.instrument import can_be_replayed
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.record.wrapped import plain
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind, Output
from gradcheck.script.replay.pairing import GradientMap, Slot
from gradcheck.script.replay.stage import LossExpression, Stage
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold
from gradcheck.script.source.syntax import Function, called_name, walk
from gradcheck.script.understand.agreement import agreement, common_sign, own_ratio, proportional_at_each
from gradcheck.script.understand.clipping import may_be_clipped
from gradcheck.script.understand.followed import following
from gradcheck.script.understand.loss_choice import Choice, Rejected, choose_loss
from gradcheck.script.understand.losses import implied_in_loops, loss_candidates, over_calls, reached, unique_losses
from gradcheck.script.understand.motion import slot_value
from gradcheck.script.understand.probing import Prober
from gradcheck.script.understand.scale import Scale

# by which share of them factors of one step size differ, of rounding
_SAME_FACTOR = 1e-6
# of what is left, that the parameter does not explain
_LEFT_OVER = 1e-3


@dataclass(frozen=True)
class Applied:
    """A reading of a whole round, in which some steps are not along gradients that are right by themselves."""

    choice: Choice
    scale: Scale
    astray: frozenset[str]


def steps_astray(
    recording: Recording,
    backward: Backward,
    loss: LossExpression,
    scale: Scale,
    right: Set[str],
    moving: Sequence[Backward],
) -> Applied | None:
    """Return a reading of a round that moves parameters by something else than their gradients, if there is one.

    Parameters
    ----------
    backward : Backward
        What computes gradients, which belong to `loss` up to `scale`.
    right : set of str
        The names of the parameters whose gradients agree with the loss.
    """
    if backward.kind is Kind.CHANGE or backward.handed or not right or may_be_clipped(recording, backward):
        return None
    if all(pair.motion.factor is not None for pair in backward.pairs) and not any(way.unmoved for way in moving):
        # the recorded steps were multiples of the very gradients, and nothing else was to be moved
        return None
    for way in _rounds(recording, backward, moving):
        for reading, losses in _readings(recording, backward, loss, way):
            try:
                choice = choose_loss(recording, reading, losses, Rejected())
            except ScriptError:
                continue
            if choice is None:
                continue
            choice = _as_seen(choice, backward, scale, right)
            if choice.scale is None or not choice.agreement:
                continue
            same = _same(backward, way)
            known = {name for name, other in same.items() if other in right} | way.unmoved
            names = [name for name in choice.backward.names if name in known]
            astray = frozenset(name for name in names if _is_astray(choice, choice.scale, name))
            return Applied(choice, choice.scale, astray) if astray else None
    return None


def _as_seen(choice: Choice, backward: Backward, scale: Scale, right: Set[str]) -> Choice:
    """Return a reading of steps with the multiple of right gradients that recorded steps were, if it has none."""
    seen = [pair.motion.factor for pair in backward.pairs if pair.slot.name in right]
    factors = [factor for factor in seen if factor is not None]
    if choice.agreement or not factors or not np.allclose(factors, factors[0], rtol=_SAME_FACTOR):
        return choice
    found = Scale(scale.value * factors[0], applied=True)
    return replace(choice, scale=found, seen=agreement(choice.backward, found.value, choice.probes))


def never_moved(
    recording: Recording, backward: Backward, right: Set[str], moving: Sequence[Backward]
) -> frozenset[str]:
    """Return the parameters with right gradients that rounds are to move, and leave as they were from first to last."""
    if backward.kind is Kind.CHANGE or backward.handed:
        return frozenset()
    found: set[str] = set()
    for way in _rounds(recording, backward, [way for way in moving if way.unmoved]):
        same = _same(backward, way)
        for pair in way.pairs:
            name = same.get(pair.slot.name, "")
            if name in right and pair.slot.name in way.unmoved and _is_as_it_was(way, pair):
                found.add(name)
    return frozenset(found)


def _is_as_it_was(way: Backward, pair: GradientMap) -> bool:
    before, now = (slot_value(way.moments[number], pair.slot) for number in (0, -1))
    return len(way.moments) > 1 and np.array_equal(before, now)


def as_change(pair: GradientMap) -> GradientMap:
    """Return the same parameter with what it is moved by as its gradient."""
    output = Output(pair.slot.leaf, (pair.slot.name,), None, pair.slot.variable, Kind.CHANGE)
    return replace(pair, output=output)


def set_to_steps(
    recording: Recording, backward: Backward, loss: LossExpression, scale: Scale, moving: Sequence[Backward]
) -> tuple[Backward, GradientMap] | None:
    """Return a parameter that a round sets to what it is to add to it: ``b = -rate * db`` for ``b += -rate * db``.

    Its new value is that multiple of the slopes of the loss which the steps of the others are. It comes with the round
    that shows this.
    """
    if backward.kind is not Kind.CHANGE:
        return None
    for way in moving:
        if not way.remade or not (way.region is backward.region or _contains(recording, way, backward)):
            continue
        for pair in way.remade:
            own = way.function is backward.function and way.region is backward.region
            pairs = (*backward.pairs, pair) if own else (*way.pairs, pair)
            whole = replace(backward, pairs=pairs) if own else _from_inside(backward, way, pairs, way.beside)
            if _is_set_to_step(
                recording, replace(whole, pairs=(pair,), beside=(*whole.beside, *pairs[:-1])), loss, scale
            ):
                return whole, pair
    return None


def _is_set_to_step(recording: Recording, alone: Backward, loss: LossExpression, scale: Scale) -> bool:
    try:
        probes = Prober(recording, alone, [loss]).probe(alone, loss)
    except Exception:  # noqa: BLE001 - the user's functions may raise anything at other parameters
        return False
    slopes = [one for probe in probes for one in probe.parameters]
    new = np.concatenate([one.analytic + one.decays[0] for one in slopes])
    steps = scale.value * np.concatenate([one.numerical for one in slopes])
    size = float(np.max(np.abs(steps), initial=0.0))
    return size > 0 and np.allclose(new, steps, rtol=_LEFT_OVER, atol=_LEFT_OVER * size)


def more_of_round(
    recording: Recording, backward: Backward, loss: LossExpression, agreement: int, moving: Sequence[Backward]
) -> Choice | None:
    """Return a reading of the round around some code in which it has gradients of more parameters than by their names.

    Those that are known, and as many as agree with the loss, are among them.
    """
    if backward.handed or backward.is_round:
        return None
    own = [way for way in moving if way.function is backward.function and way.region is backward.region]
    for way in (*own, *_rounds(recording, backward, moving)):
        if len(way.pairs) > len(backward.pairs):
            for reading, losses in _wider(recording, backward, loss, way):
                try:
                    choice = choose_loss(recording, reading, losses, Rejected())
                except ScriptError:
                    continue
                if choice is not None and choice.scale is not None and choice.agreement >= max(agreement, 1):
                    return choice
    return None


def _wider(
    recording: Recording, backward: Backward, loss: LossExpression, way: Backward
) -> Iterator[tuple[Backward, list[LossExpression]]]:
    """Return the ways to read a round with gradients of more parameters than some code in it has, and their losses."""
    found = following(recording, way)
    if found is not None and len(found.pairs) <= len(backward.pairs):
        found = None
    if found is not None and len(_same(backward, found)) < len(backward.pairs):
        found = None
    if way.function is backward.function:
        if found is not None:
            yield found, [loss]
    elif _is_called_once(recording, backward, way):
        if found is not None:
            yield _from_inside(backward, way, found.pairs, found.beside), [loss]
    elif isinstance(backward.function, Function) and not loss.over:
        # for one sample after the other; a step that is the same at all parameters follows nothing
        for whole in (found, way):
            if whole is not None and (reading := inside(recording, whole, backward.function)) is not None:
                yield reading, over_calls([loss])


def insides(recording: Recording, way: Backward) -> Iterator[Backward]:
    """Return a round as it is seen by each function that it calls, in which the loss may be.

    Where it is called several times, the loss is the sum, or the mean, of what it is in each call.
    """
    for name in sorted(reached(recording.source, way.function)):
        if (found := inside(recording, way, recording.source.functions[name])) is not None:
            yield found


def inside(recording: Recording, way: Backward, function: Function) -> Backward | None:
    """Return a round as one of the functions that it calls sees it; None where that cannot be replayed."""
    often, count = (recording.counts.get(name, 0) for name in (way.function.name, function.name))
    calls = recording.of(function.name)
    if not calls or not can_be_replayed(function) or often > count:
        return None
    inner = replace(way, function=function, example=calls[0], outputs=(), is_repeated=often < count)
    found = _from_inside(inner, way, way.pairs, way.beside)
    if not found.is_repeated:
        return found
    if _is_called_in_one_place(recording.source, function) and (moments := _repeating(recording, found)):
        return replace(found, moments=moments)
    return None


def _is_called_in_one_place(source: SourceFile, function: Function) -> bool:
    """Whether all calls of a function are of one kind: elsewhere, it may be called for data that are only looked at."""
    calls = [n for n in walk(source.tree) if isinstance(n, ast.Call) and called_name(n) == function.short_name]
    return len(calls) == 1


def _repeating(recording: Recording, backward: Backward) -> tuple[Call, ...]:
    """Return the rounds in which a function is called at one point, soon one in which it is called less or more often.

    There, a sum is no multiple of a mean.
    """
    try:
        counts = [Stage(recording, backward, moment).calls_at_one_point() for moment in backward.moments]
    except Exception:  # noqa: BLE001 - a round that cannot be replayed may fail in any way
        return ()
    like_first = [moment for moment, count in zip(backward.moments, counts, strict=True) if count == counts[0]]
    others = [moment for moment, count in zip(backward.moments, counts, strict=True) if count != counts[0]]
    return (like_first[0], *others, *like_first[1:]) if all(counts) else ()


def _rounds(recording: Recording, backward: Backward, moving: Sequence[Backward]) -> list[Backward]:
    """Return the rounds that call some code and move all of its parameters, the shortest first."""
    found = [
        way
        for way in moving
        if (way.function is not backward.function or way.unmoved)
        and way.function is way.region
        and _contains(recording, way, backward)
        and len(_same(backward, way)) == len(backward.pairs)
    ]
    return sorted(found, key=lambda way: (way.function.node.end_lineno or 0) - way.function.line)


def _contains(recording: Recording, way: Backward, backward: Backward) -> bool:
    node, inner = way.function.node, backward.function.node
    inside = node.lineno <= inner.lineno and (inner.end_lineno or 0) <= (node.end_lineno or 0)
    return inside or backward.function.name in reached(recording.source, way.function)


def _readings(
    recording: Recording, backward: Backward, loss: LossExpression, way: Backward
) -> Iterator[tuple[Backward, list[LossExpression]]]:
    """Return the ways to look at a round: with the losses that it sees, and with the loss in what it calls."""
    wanted = {*_same(backward, way), *way.unmoved}
    pairs = tuple(pair for pair in way.pairs if pair.slot.name in wanted)
    beside = (*way.beside, *(pair for pair in way.pairs if pair.slot.name not in wanted))
    if _is_called_once(recording, backward, way):
        yield _from_inside(backward, way, pairs, beside), [loss]
    else:
        whole = replace(way, pairs=pairs, beside=beside)
        yield whole, unique_losses(loss_candidates(recording.source, whole))
        if loss.is_implied:
            # what is inferred for one round of an inner loop is so for all of them
            yield from ((whole, losses) for losses in implied_in_loops(recording.source, whole))


def _is_called_once(recording: Recording, backward: Backward, way: Backward) -> bool:
    return recording.counts.get(backward.function.name) == recording.counts.get(way.function.name)


def _from_inside(
    backward: Backward, way: Backward, pairs: tuple[GradientMap, ...], beside: tuple[GradientMap, ...]
) -> Backward:
    """Return a round, of which the loss is computed by what it calls."""
    return replace(
        backward,
        pairs=pairs,
        beside=beside,
        region=way.region,
        moments=way.moments,
        is_round=True,
        driving=way.driving,
        unmoved=way.unmoved,
    )


def _is_astray(choice: Choice, scale: Scale, name: str) -> bool:
    """Whether a step is no multiple of the gradient, and neither clipped, nor with momentum or decay.

    Momentum is none yet in the first step, and what is clipped has another factor at each point.
    """
    if name in choice.seen.names | choice.seen.silent:
        return False
    if own_ratio(name, choice.probes):
        # a step size of its own is none that goes the other way
        return common_sign(name, choice.probes) * scale.value < 0
    first = [probe for probe in choice.probes if probe.is_first]
    begins = bool(first) and name in agreement(choice.backward, scale.value, first).names
    return not (begins or proportional_at_each(name, choice.probes) or _decays(choice, scale, name))


def _decays(choice: Choice, scale: Scale, name: str) -> bool:
    """Whether what is left of a step beside the gradient is a multiple of the parameter, or of its signs."""
    slopes = [one for probe in choice.probes for one in probe.parameters if one.name == name]
    left = np.concatenate([one.analytic - scale.value * one.numerical for one in slopes])
    decays = np.concatenate([one.decays for one in slopes], axis=1)
    return any(_is_multiple(left, decay) for decay in decays)


def _is_multiple(value: FloatArray, of: FloatArray) -> bool:
    size = float(of @ of)
    if size == 0:
        return False
    rest = value - float(value @ of) / size * of
    return float(np.linalg.norm(rest)) <= _LEFT_OVER * float(np.linalg.norm(value))


def _same(backward: Backward, way: Backward) -> dict[str, str]:
    """Return the parameters of a round that some code inside of it has as well, with the names that it has for them."""
    found: dict[str, str] = {}
    for pair in backward.pairs:
        alike = [other.slot for other in way.pairs if other.slot.name not in found and _is_same(pair.slot, other.slot)]
        if alike:
            found[alike[0].name] = pair.slot.name
    return found


def _is_same(one: Slot, other: Slot) -> bool:
    """Whether two places hold one parameter: by what lies there, or by their names where that tells nothing."""
    here, there = (np.asarray(plain(slot.leaf.value), dtype=float) for slot in (one, other))
    if here.size > 1 and (np.ptp(here) > 0 or np.ptp(there) > 0):
        return np.array_equal(here, there)
    return _within(one.name) == _within(other.name) and here.shape == there.shape


def _within(name: str) -> str:
    """Return a name without the object that it begins with, which each function has its own name for."""
    return fold(name.partition(".")[2] or base_name(name))
