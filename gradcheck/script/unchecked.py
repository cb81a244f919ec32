"""What the script moves like a parameter, but what was not checked: a report must not pass over it in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set

import numpy as np

from gradcheck.script.backward import Backward
from gradcheck.script.names import base_name, fold, is_gradient_word, loss_rank, parameter_of
from gradcheck.script.outputs import Kind
from gradcheck.script.pairing import GradientMap, Slot

# what people call the memory of an optimizer
_STATE = re.compile(
    r"^(?:m|v|s|h)_?[A-Z0-9_]|cache|mem|state|moment|veloc|acc|hist|running|avg|mean|var|baseline", re.IGNORECASE
)


def unchecked(chosen: Sequence[GradientMap], candidates: Iterable[Backward], moved: Set[str]) -> tuple[str, ...]:
    """Return the names of parameters that other code than the chosen one has gradients of, or moves by a step.

    Parameters
    ----------
    chosen : sequence of GradientMap
        What is checked.
    candidates : iterable of Backward
        All code that was found to compute gradients.
    moved : set of str
        Base names of what the script moves by a step.
    """
    found = (pair.slot.name for backward in candidates for pair in other_parameters(backward, chosen, moved))
    return tuple(dict.fromkeys(found))


def other_parameters(backward: Backward, chosen: Sequence[GradientMap], moved: Set[str]) -> list[GradientMap]:
    """Return the parameters of a piece of code that are none of those that were chosen, as far as that shows.

    Two names and two moments may hide one place: it shows in values that no other place has. A single number or a
    constant array tells nothing; it belongs to what it stands beside.

    Parameters
    ----------
    backward : Backward
        The code.
    chosen : sequence of GradientMap
        The parameters that were chosen.
    moved : set of str
        Base names of what the script moves by a step.
    """
    names = {own.slot.name for own in chosen}
    bases = {fold(base_name(name)) for name in names}
    own = [p for p in backward.pairs if _is_parameter(p, bases, moved) and p.slot.name not in names]
    others = [p for p in own if _tells(p.slot) and not any(_is_same(p.slot, other.slot) for other in chosen)]
    known = len(others) < sum(_tells(p.slot) for p in backward.pairs)
    mute = [p for p in own if not _tells(p.slot)]
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


def _tells(slot: Slot) -> bool:
    value = np.asarray(slot.leaf.value, dtype=float)
    return value.size > 1 and bool(np.any(value != value.flat[0]))


def _is_same(one: Slot, other: Slot) -> bool:
    return one.leaf.shape == other.leaf.shape and np.array_equal(one.leaf.value, other.leaf.value)
