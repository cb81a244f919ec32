"""Which of a function's results are gradients, and of which parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.script.record.leaves import Leaf, Path, follow, is_object, leaves
from gradcheck.script.record.run import Call
from gradcheck.script.replay.outputs import Output
from gradcheck.script.source.names import base_name, fold, is_gradient_function, is_gradient_word, parameter_of
from gradcheck.script.source.syntax import Code, Function, Loop
from gradcheck.script.source.updates import Motion, Update

# keys that are so large are the identities of objects: what an optimizer remembers of each parameter
_IDENTITIES = 2**32


@dataclass(frozen=True)
class Slot:
    """A place in a call's arguments or in the module's variables that can hold a parameter.

    Attributes
    ----------
    leaf : Leaf
        The numbers; its name is the script's own.
    variable : str
        The argument or module variable that it lies in.
    """

    leaf: Leaf
    variable: str
    is_argument: bool

    @property
    def name(self) -> str:
        """The script's own name."""
        return self.leaf.name

    @property
    def path(self) -> Path:
        """The way from the variable."""
        return self.leaf.path

    @property
    def is_lasting(self) -> bool:
        """Whether it lies there at other moments, too: a key that is the identity of an object is another one then."""
        return not any(isinstance(step.key, int) and step.key >= _IDENTITIES for step in self.path)

    def root(self, moment: Call) -> dict[str, Any]:
        """Return the variables of a moment that it lies in."""
        return moment.arguments if self.is_argument else moment.variables

    def at(self, moment: Call) -> Any:
        """Return what lies there at a moment; raises what looking it up does where there is no such place."""
        return follow(self.root(moment)[self.variable], self.path)


@dataclass(frozen=True)
class GradientMap:
    """A parameter, what is its gradient, and how this was seen.

    `decay` is what part of its change is none of it; `project` makes the gradient of a matrix of derivatives;
    `stretch` makes a change by a step size of its own, written as `own_step`, as long as those of the others.
    """

    slot: Slot
    output: Output
    update: Update | None
    evidence: str
    motion: Motion = field(default_factory=Motion)
    decay: str | None = None
    project: Callable[[Any], Any] | None = None
    own_step: str = ""
    stretch: float = 1.0

    @property
    def adds(self) -> bool | None:
        """Whether the script moves the parameter along what was returned; None where that was not to be seen."""
        if self.motion.sign:
            return self.motion.sign > 0
        return None if self.update is None else self.update.adds

    @property
    def is_bare(self) -> bool:
        """Whether the script moves the parameter by just what was returned."""
        if self.motion.factor is not None:
            return self.motion.is_bare
        return self.update is not None and self.update.bare

    def called(self, name: str) -> GradientMap:
        """Return the same pair, with the parameter under the name that the backward function has for it."""
        return replace(self, slot=replace(self.slot, leaf=replace(self.slot.leaf, name=name)))


def slots(region: Code, moment: Call, read: Set[str]) -> list[Slot]:
    """Return every place that could hold a parameter: the moment's own variables, then the module's.

    What is reached on two ways (a network that is an argument and a module variable) is listed once.
    """
    roots = [(name, value, True) for name, value in moment.arguments.items()]
    for name, value in moment.variables.items():
        if name not in moment.arguments and (name in read or isinstance(region, Loop)):
            roots.append((name, value, False))
    found: list[Slot] = []
    seen: set[object] = set()
    for variable, value, is_argument in roots:
        for leaf in leaves(variable, value):
            # a number in an object is the same one on every way to that object
            place: object = id(leaf.value)
            if not is_object(leaf.value):
                place = (id(follow(value, leaf.path[:-1])), leaf.path[-1].key) if leaf.path else None
            if place is None or place not in seen:
                seen.add(place)
                found.append(Slot(leaf, variable, is_argument))
    return found


def map_gradients(
    function: Function,
    found: Sequence[Output],
    places: list[Slot],
    updates: tuple[Update, ...],
    derivatives: Set[str] = frozenset(),
) -> list[GradientMap]:
    """Pair the outputs of a function with parameters.

    The script's own update statement (``w1 -= delta_w1``) decides; then names (``dW1`` for ``W1``); last, a function
    named after a derivative that returns one array of the shape of its first such argument.
    """
    pairs: list[GradientMap] = []
    for output in found:
        free = [place for place in places if all(place != pair.slot for pair in pairs)]
        pair = _by_update(output, free, updates) or _by_name(function, output, free, updates)
        if pair is not None and not _is_of_a_part(pair, updates):
            pairs.append(pair)
    if pairs or not found:
        return pairs
    # one gradient, or a value and its gradient
    last, words = found[-1], [function.short_name] if len(found) == 1 else found[-1].labels
    alone = len(found) == 1 or (len(found) == 2 and np.size(found[0].leaf.value) == 1 < np.size(last.leaf.value))
    if alone and (function.short_name in derivatives or any(is_gradient_function(word) for word in words)):
        own = range(function.node.lineno, (function.node.end_lineno or function.node.lineno) + 1)
        return _by_position(last, places, tuple(update for update in updates if update.line not in own))
    return []


def _is_of_a_part(pair: GradientMap, updates: Sequence[Update]) -> bool:
    """Whether a gradient belongs to one row or entry of a parameter, as the script moves these one at a time."""
    smaller = np.size(pair.output.leaf.value) < pair.slot.leaf.size
    return smaller and any(update.target.startswith(f"{pair.slot.name}[") for update in updates)


def pair_in_order(found: Sequence[Output], places: list[Slot], names: Sequence[str]) -> list[GradientMap]:
    """Pair the outputs of a function, in their order, with the parameters that the user named, in theirs.

    Scalars that the function returns beside the gradients are passed over where there are more outputs than names.
    """
    chosen = [next((p for p in places if name in (p.name, base_name(p.name))), None) for name in names]
    extra = len(found) - len(names)
    pairs: list[GradientMap] = []
    for output in found:
        slot = chosen[len(pairs)] if len(pairs) < len(chosen) else None
        scalar = np.size(output.leaf.value) == 1
        value = slot is not None and scalar and slot.leaf.shape != () and extra > 0
        if slot is None or value or not fits(output.leaf.value, slot.leaf.shape):
            extra -= 1
        else:
            pairs.append(GradientMap(slot, output, None, "the order in which you named them"))
    return pairs if extra >= 0 and len(pairs) == len(names) else []


def _by_update(output: Output, places: list[Slot], updates: tuple[Update, ...]) -> GradientMap | None:
    for label in output.labels:  # the caller's names come first
        for update in updates:
            if label in update.sources and label != update.target:
                slot = _named(update.target, output, places)
                if slot is not None:
                    sign = "+" if update.adds else "-"
                    return GradientMap(slot, output, update, f"line {update.line}: {update.target} {sign}= ... {label}")
    return None


def _by_name(function: Function, output: Output, places: list[Slot], updates: tuple[Update, ...]) -> GradientMap | None:
    for label in output.labels:
        for name in [*parameter_of(label), *_own_name(function, output, label)]:
            slot = _named(name, output, places)
            if slot is not None:
                return GradientMap(slot, output, _update_of(slot, updates), f"the name {label}")
    return None


def _own_name(function: Function, output: Output, label: str) -> list[str]:
    """Return the key of a gradient that is stored under its parameter's own name: ``grads['W1']``."""
    last = output.leaf.path[-1] if output.leaf.path else None
    if last is None or not (last.attribute or isinstance(last.key, str)):
        return []
    container = label.removesuffix(last.text)
    return [str(last.key)] if is_gradient_word(function.short_name) or is_gradient_word(container) else []


def _update_of(slot: Slot, updates: tuple[Update, ...]) -> Update | None:
    same = [u for u in updates if fold(base_name(u.target)) == fold(base_name(slot.name))]
    return same[0] if same else None


def _by_position(output: Output, places: list[Slot], updates: tuple[Update, ...]) -> list[GradientMap]:
    """Pair with the first argument of the same shape, unless the script moves other things than that.

    What a step size alone is added to, by its name, is no parameter: it may be a mean (``X -= mu``).
    """
    moved = any(update.steps and update.sources for update in updates)
    for slot in places:
        if slot.is_argument and slot.leaf.shape == output.leaf.shape:
            if moved and _update_of(slot, updates) is None:
                return []
            evidence = f"one gradient of the shape of `{slot.name}`, the first such argument"
            return [GradientMap(slot, output, None, evidence)]
    return []


def _named(name: str, output: Output, places: list[Slot]) -> Slot | None:
    """Return the place that a name stands for: the same text, the same last part, then the same letters."""
    for same in (
        lambda slot: slot.name == name,
        lambda slot: base_name(slot.name) == base_name(name),
        lambda slot: fold(base_name(slot.name)) == fold(base_name(name)),
        lambda slot: _same_list(slot.name, name),
    ):
        fitting = [slot for slot in places if same(slot)]
        fitting.sort(key=lambda slot: not fits(output.leaf.value, slot.leaf.shape))
        if fitting:
            return fitting[0]
    return None


def _same_list(slot: str, name: str) -> bool:
    """Whether two list elements have one index and one name begins with the other: ``weights[1]`` and ``w[1]``."""
    base, _, index = base_name(slot).partition("[")
    short, _, position = base_name(name).partition("[")
    return bool(index) and index == position and bool(short) and fold(base).startswith(fold(short))


def fits(gradient: Any, shape: tuple[int, ...]) -> bool:
    """Whether a gradient has the shape of its parameter, axes of length one aside, or is broadcast to it."""
    own = np.shape(gradient)
    if [n for n in own if n != 1] == [n for n in shape if n != 1]:
        return True
    return np.size(gradient) == 1
