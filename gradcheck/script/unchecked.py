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
    pairs = [pair for backward in candidates for pair in backward.pairs]
    return tuple(dict.fromkeys(pair.slot.name for pair in pairs if is_another(pair, chosen, moved)))


def is_another(pair: GradientMap, chosen: Sequence[GradientMap], moved: Set[str]) -> bool:
    """Whether something is a parameter of the script, and none of those that were chosen, as far as that shows.

    Parameters
    ----------
    pair : GradientMap
        What may be one.
    chosen : sequence of GradientMap
        The ones that were chosen.
    moved : set of str
        Base names of what the script moves by a step.
    """
    bases = {fold(base_name(own.slot.name)) for own in chosen}
    return _is_parameter(pair, bases, moved) and not any(_may_be_same(pair.slot, own.slot) for own in chosen)


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


def _may_be_same(one: Slot, other: Slot) -> bool:
    """Whether two places may be one, under two names and at two moments."""
    if one.name == other.name:
        return True
    if one.leaf.shape != other.leaf.shape:
        return False
    same = base_name(one.name) == base_name(other.name)
    value, another = (np.asarray(leaf.value, dtype=float) for leaf in (one.leaf, other.leaf))
    telling = value.size > 1 and bool(np.any(value != value.flat[0]))
    return (telling and np.array_equal(value, another)) or (same and not telling)
