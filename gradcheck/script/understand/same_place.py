"""Whether two names are of one array or list, which its numbers need not tell: zeros, or a single one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gradcheck.script.record.leaves import Path, leaves
from gradcheck.script.record.run import Call
from gradcheck.script.replay.backward import Backward
from gradcheck.script.replay.pairing import Slot

# what keeps its identity while its numbers change
_HELD = np.ndarray, list
# of an array or a list: its identity among the script's objects, or where it lies in the module's variables
Token = int | tuple[str, Path]


class Places:
    """What was seen to lie in several places at once."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[int, set[Token]]] = {}

    def is_one(self, one: Backward, slot: Slot, other: Backward, known: Slot) -> bool:
        """Whether an array, or a list, was seen in two places, in moments of which one lies within the other.

        Parameters
        ----------
        one, other : Backward
            The code whose moments show the places.
        """
        if slot.leaf.shape != known.leaf.shape:
            return False
        pairs = [*_within(one.moments, other.moments)]
        pairs += [(inner, outer) for outer, inner in _within(other.moments, one.moments)]
        return any(self._tokens(own, slot) & self._tokens(its, known) for own, its in pairs)

    def _tokens(self, moment: Call, slot: Slot) -> set[Token]:
        """Return what an array or a list is known by at a moment; nothing where there is none."""
        try:
            value = slot.at(moment)
        except (AttributeError, IndexError, KeyError, TypeError):
            return set()
        if not isinstance(value, _HELD):
            return set()
        found = set(self._of_module(moment).get(id(value), ()))
        if slot.is_argument and (identity := moment.identities.get((slot.variable, slot.path))) is not None:
            found.add(identity)
        return found

    def _of_module(self, moment: Call) -> dict[int, set[Token]]:
        """Return where in the module's variables each array and list lies, by what identifies its copy."""
        found = self._seen.get(id(moment))
        if found is None:
            found = self._seen[id(moment)] = {}
            for variable, root in moment.variables.items():
                for leaf in leaves(variable, root):
                    if isinstance(leaf.value, _HELD):
                        found.setdefault(id(leaf.value), set()).add((variable, leaf.path))
        return found


def _within(outer: Sequence[Call], inner: Sequence[Call]) -> Iterator[tuple[Call, Call]]:
    """Return the moments of one code that lie within those of another, or are the same."""
    ends = {moment.number: moment.entered for moment in outer}
    for moment in outer:
        # a round ends where the next one begins
        end = moment.left or ends.get(moment.number + 1, 0)
        for other in inner:
            if other is moment or (moment.entered and moment.entered < other.entered < end):
                yield moment, other
