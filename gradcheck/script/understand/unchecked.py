"""What the script moves like a parameter, but what was not checked: a report must not pass over it in silence."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from gradcheck.script.record.leaves import follow, leaves
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.pairing import GradientMap, Slot, slots
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import base_name, fold, is_gradient_word, loss_rank, parameter_of
from gradcheck.script.source.syntax import Function, flat_targets, loaded_names
from gradcheck.script.understand.applied import inside
from gradcheck.script.understand.loss_choice import Rejected, dependences
from gradcheck.script.understand.losses import loss_candidates, over_calls, reached
from gradcheck.script.understand.observe import meant_to_move
from gradcheck.script.understand.same_place import Places

# what people call the memory of an optimizer
_STATE = re.compile(
    r"^(?-i:[mvs](?:_|[A-Z]))|cache|mem|state|moment|veloc|accum|hist|running|avg|baseline", re.IGNORECASE
)


# entries of an array; single numbers in a list may be anything
_MANY = 2


@dataclass(frozen=True)
class Unchecked:
    """What the training of a script moves, and what could not be checked.

    Attributes
    ----------
    reason : str
        Why it was not checked, as a sentence without a full stop.
    """

    name: str
    shape: tuple[int, ...]
    reason: str


def left_out(
    recording: Recording, chosen: Sequence[tuple[Backward, LossExpression]], moving: Iterable[Backward]
) -> tuple[Unchecked, ...]:
    """Return what else the script moves that a loss depends on and that decides how things move.

    Parameters
    ----------
    chosen : sequence of (Backward, LossExpression)
        What is checked, with its loss.
    """
    known = [pair for backward, _ in chosen for pair in backward.pairs]
    kept = {pair.output.leaf.name for pair in known if pair.output.kind is Kind.KEPT}
    # what is added up over a round is of that round alone
    losses = [loss for _, loss in chosen if not loss.over]
    found, places = [], Places()
    for backward in moving:
        new = [
            pair
            for pair in backward.pairs
            if (pair.slot.name in backward.driving or _is_stepped(pair))
            # a sum of gradients that is checked is no parameter
            and pair.slot.name not in kept
            and not _is_known(backward.moments[0], pair, known)
            and not any(places.is_one(backward, pair.slot, b, p.slot) for b, _ in chosen for p in b.pairs)
            and not _is_state(pair.slot.name)
            and not _is_shifted(recording.source, backward, pair)
        ]
        if not new:
            continue
        # a function that is applied to anything depends on it
        written = [*losses, *(loss for loss in loss_candidates(recording.source, backward) if not loss.is_tried)]
        blank = replace(backward, pairs=tuple(new))
        by: dict[str, str] = {}
        # a loss may only be computed where its own gradients are
        own = [(replace(b, pairs=blank.pairs), [loss]) for b, loss in chosen if b.region is backward.region]
        own += [(code, over) for b, loss in chosen for code, over in _inside(recording, blank, b, loss)]
        for code, tried in [(blank, written), *own]:
            for names, loss in dependences(recording, code, tried, Rejected()):
                by |= {name: loss.shown for name in names if name not in by}
        for pair in new:
            if pair.slot.name in by and not _is_known(backward.moments[0], pair, known):
                known.append(pair)
                shown = by[pair.slot.name]
                reason = f"the script moves it, and `{shown}` depends on it, but no gradient of it was recognised"
                found.append(Unchecked(pair.slot.name, pair.slot.leaf.shape, reason))
        # what drives something, and no loss depends on, is a step size or the memory of an optimizer
        for pair in new:
            if pair.slot.name not in backward.driving and not _is_known(backward.moments[0], pair, known):
                known.append(pair)
                reason = "the script moves it by a step, but no loss that was found depends on it"
                found.append(Unchecked(pair.slot.name, pair.slot.leaf.shape, reason))
    return tuple(found)


def _inside(
    recording: Recording, way: Backward, checked: Backward, loss: LossExpression
) -> Iterator[tuple[Backward, list[LossExpression]]]:
    """Return a round as the function that is checked sees it, where that is called for one sample after the other."""
    function = checked.function
    if loss.over or not isinstance(function, Function) or function.name not in reached(recording.source, way.function):
        return
    found = inside(recording, way, function)
    if found is not None and found.is_repeated:
        yield found, [replace(over, shown=loss.shown) for over in over_calls([loss])]


def _is_shifted(source: SourceFile, backward: Backward, pair: GradientMap) -> bool:
    """Whether a function makes something else of an argument by itself, for itself only: `x = x - np.max(x)`."""
    function, name = backward.function, pair.slot.name
    if not isinstance(function, Function) or pair.slot.path or name not in function.arguments:
        return False
    steps = function.assignments(name)
    parts = [part for s in function.returns if s.value is not None for part in flat_targets(s.value)]
    known = {name, *source.imported, *dir(builtins), *(f.short_name for f in source.functions.values())}
    is_handed_back = any(isinstance(part, ast.Name) and part.id == name for part in parts)
    return (
        bool(steps)
        and not is_handed_back
        and all(
            isinstance(s, ast.Assign)
            and all(isinstance(target, ast.Name) for target in s.targets)
            and {read.partition(".")[0] for read in loaded_names(s.value)} <= known
            for s in steps
        )
    )


def _is_stepped(pair: GradientMap) -> bool:
    """Whether an update takes a step off something, which is no gradient that is summed up."""
    name = pair.slot.name
    is_gradient = is_gradient_word(name) or bool(parameter_of(name))
    return pair.update is not None and pair.update.exact and not pair.update.adds and not is_gradient


def standing_still(recording: Recording, backward: Backward, loss: LossExpression) -> Iterator[Unchecked]:
    """Return what is not moved in the lists and dictionaries that hold parameters, though the loss depends on it."""
    known = {(pair.slot.variable, pair.slot.path) for pair in backward.pairs}
    moment = backward.moments[0]
    containers = {}
    for pair in backward.pairs:
        # objects may hold anything
        depth = max((n + 1 for n, step in enumerate(pair.slot.path) if step.attribute), default=0)
        if depth < len(pair.slot.path):
            containers[pair.slot.variable, pair.slot.path[:depth]] = pair
    for (variable, path), pair in containers.items():
        root = pair.slot.root(moment)[variable]
        beside = "".join([variable, *(step.text for step in path)])
        for leaf in leaves(beside, follow(root, path)):
            whole = (variable, (*path, *leaf.path))
            if any(step.attribute for step in leaf.path) or whole in known or leaf.size < _MANY:
                continue
            slot = Slot(replace(leaf, path=whole[1]), variable, pair.slot.is_argument)
            blank = replace(backward, pairs=(replace(pair, slot=slot),))
            if dependences(recording, blank, [loss], Rejected()):
                reason = (
                    f"the script does not move it, though `{loss.shown}` depends on it, as on what stands beside it"
                )
                yield Unchecked(leaf.name, leaf.shape, reason)


def declared_and_left(recording: Recording, backward: Backward, loss: LossExpression) -> Iterator[Unchecked]:
    """Return the single numbers that some code declares as what it assigns, and never does, though the loss needs them.

    Of arrays, which may be data, this says nothing.
    """
    moment, known = backward.moments[0], {pair.slot.name for pair in backward.pairs}
    wanted = meant_to_move(backward.function) - known
    for slot in slots(backward.region, moment, frozenset(wanted)) if wanted and backward.pairs else ():
        if slot.name not in wanted or slot.leaf.shape != () or not isinstance(slot.leaf.value, float):
            continue
        blank = replace(backward, pairs=(replace(backward.pairs[0], slot=slot),))
        if dependences(recording, blank, [loss], Rejected()):
            reason = (
                f"`{backward.function.name}` declares it as what it assigns, and never does, though `{loss.shown}` "
                "depends on it"
            )
            yield Unchecked(slot.name, (), reason)


def _is_state(name: str) -> bool:
    """Whether a name says that something is remembered from step to step, as a loss may depend on that, too."""
    return any(_STATE.search(part) for part in (base_name(name), re.split(r"[.\[]", name)[0]))


def _is_known(moment: Call, pair: GradientMap, known: Sequence[GradientMap]) -> bool:
    """Whether a place is one of those that are known, perhaps under another name.

    That shows by its value, by the object that it is an attribute of, or else by its name.
    """
    name = fold(base_name(pair.slot.name))
    for other in known:
        if pair.slot.name == other.slot.name:
            return True
        if tells(pair.slot):
            if is_same(pair.slot, other.slot):
                return True
            continue
        here, there = (_holder(moment, one.slot) for one in (pair, other))
        if here is not None and there is not None:
            if here is there and pair.slot.path[-1:] == other.slot.path[-1:]:
                return True
        elif fold(base_name(other.slot.name)) == name:
            return True
    return False


def _holder(moment: Call, slot: Slot) -> object:
    """Return the object that a number is an attribute of at a moment; None where there is none."""
    if not slot.path or not slot.path[-1].attribute:
        return None
    try:
        return follow(slot.root(moment)[slot.variable], slot.path[:-1])
    except (AttributeError, IndexError, KeyError, TypeError):
        return None


def other_parameters(backward: Backward, chosen: Sequence[GradientMap], moved: Set[str]) -> list[GradientMap]:
    """Return the parameters of a piece of code that are none of those that were chosen, as far as that shows.

    Two names and two moments may hide one place: it shows in values that no other place has. A single number or a
    constant array tells nothing; it belongs to what it stands beside.
    """
    names = {own.slot.name for own in chosen}
    bases = {fold(base_name(name)) for name in names}
    own = [p for p in backward.pairs if _is_parameter(p, bases, moved) and p.slot.name not in names]
    others = [p for p in own if tells(p.slot) and not any(is_same(p.slot, other.slot) for other in chosen)]
    known = len(others) < sum(tells(p.slot) for p in backward.pairs)
    mute = [p for p in own if not tells(p.slot)]
    apart = [p for p in mute if fold(base_name(p.slot.name)) not in bases]
    return [*others, *(mute if others and not known else apart)]


def _is_parameter(pair: GradientMap, bases: set[str], moved: Set[str]) -> bool:
    name, base = pair.slot.name, base_name(pair.slot.name)
    # a local variable that is moved is a parameter only by what it holds
    passing = pair.output.kind is Kind.CHANGE and pair.slot.is_argument and not pair.slot.path
    is_gradient = any(is_gradient_word(word) for word in re.findall(r"\w+", name))
    is_gradient = is_gradient or any(fold(parameter) in bases for parameter in parameter_of(base))
    other = loss_rank(base) or _STATE.search(base) or is_gradient
    if pair.update is None:
        own = bool(moved & {fold(word) for word in re.findall(r"\w+", name)})
    else:
        own = pair.update.exact and not pair.update.counts
    return own and not passing and not other


def tells(slot: Slot) -> bool:
    """Whether values tell one place from others: no constant, and no single number."""
    value = np.asarray(slot.leaf.value, dtype=float)
    return value.size > 1 and bool(np.any(value != value.flat[0]))


def is_same(one: Slot, other: Slot) -> bool:
    """Whether two places held the same numbers."""
    return one.leaf.shape == other.leaf.shape and np.array_equal(one.leaf.value, other.leaf.value)
