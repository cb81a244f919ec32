"""How a script uses what is checked in it: what names it, and what it takes to call it from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.script.record.instrument import HOOK
from gradcheck.script.record.leaves import Leaf, leaves
from gradcheck.script.record.run import Call
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.source.syntax import Function
from gradcheck.script.understand.subject import Subject
from gradcheck.session.samples import Sample, sample_of

_ROUND = 1e-9


@dataclass(frozen=True)
class Place:
    """Where a gradient lies in what is returned, and its parameter in an argument.

    Attributes
    ----------
    inside : tuple of str
        The steps from it to the parameter, as Python writes them.
    returned : tuple of str
        The steps from the result to the gradient.
    """

    argument: str
    inside: tuple[str, ...]
    returned: tuple[str, ...]


@dataclass(frozen=True)
class Signature:
    """What it takes to call a plain function that returns gradients by its arguments.

    Attributes
    ----------
    arguments : tuple of (str, Sample)
        Its arguments as they were at a recorded call; those that keep their defaults, too.
    width : int
        How many parts it returns; 0 where that is no tuple or list.
    """

    arguments: tuple[tuple[str, Sample], ...]
    places: tuple[Place, ...]
    width: int


@dataclass(frozen=True)
class Usage:
    """What one model of a script was understood by.

    Attributes
    ----------
    backward : str or None
        The function that computes the gradients; None for a loop, which has no name.
    loss : str or None
        The loss as an expression over what the backward function sees; None where the script does not write it down.
    signature : Signature or None
        How to call the backward function; None where it is no plain function of arguments that can be drawn.
    """

    backward: str | None
    loss: str | None
    parameters: tuple[str, ...]
    signature: Signature | None


def usage_of(subject: Subject) -> Usage:
    """Return how a script uses what is checked in it."""
    backward, loss = subject.backward, subject.loss
    function = backward.function
    return Usage(
        backward=function.name if isinstance(function, Function) else None,
        loss=None if loss.is_implied or HOOK in loss.text else loss.text,
        parameters=backward.names,
        signature=_signature(function, backward.example, subject) if isinstance(function, Function) else None,
    )


def _signature(function: Function, call: Call, subject: Subject) -> Signature | None:
    backward, written = subject.backward, function.node.args
    is_plain = function.owner is None and function.outer is None and backward.kind is Kind.RETURNED
    if any(pair.project is not None for pair in backward.pairs):
        return None
    if not is_plain or function.decorators or written.vararg or written.kwarg or written.kwonlyargs:
        return None
    if abs(subject.scale.value - 1) > _ROUND or set(call.arguments) != set(function.arguments):
        return None
    places = [_place(call, pair) for pair in backward.pairs]
    moved = {place.argument for place in places if place is not None}
    samples = [(name, sample_of(call.arguments[name], is_parameter=name in moved)) for name in function.arguments]
    known = tuple((name, sample) for name, sample in samples if sample is not None)
    whole = tuple(place for place in places if place is not None)
    if len(known) < len(samples) or len(whole) < len(places):
        return None
    return Signature(known, whole, _width(call.result))


def _width(result: Any) -> int:
    return len(result) if isinstance(result, list | tuple) else 0


def _place(call: Call, pair: GradientMap) -> Place | None:
    """Return the argument of the function in which a parameter lies; a replay may have found it further up."""
    for name, value in call.arguments.items():
        for leaf in leaves(name, value):
            if leaf.name == pair.slot.name and np.shape(leaf.value) == pair.slot.leaf.shape:
                return Place(name, _steps(leaf), _steps(pair.output.leaf))
    return None


def _steps(leaf: Leaf) -> tuple[str, ...]:
    return tuple(step.text for step in leaf.path)
