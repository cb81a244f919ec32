"""All random numbers that the user's functions draw: from the global generators, and from those that they can reach."""

from __future__ import annotations

from collections.abc import Iterable

from gradcheck.evaluate.generators import Generators
from gradcheck.evaluate.random_state import RandomState


class Randomness:
    """The generators as they were at the beginning.

    Attributes
    ----------
    is_frozen : bool
        Whether the functions are to draw the same numbers in every call.
    """

    def __init__(self) -> None:
        self.is_frozen = False
        self._globals = RandomState.capture()
        self._reached = Generators()

    def reach(self, roots: Iterable[object]) -> None:
        """Take in the generators that functions and objects can reach, in their present states."""
        self._reached = Generators.reached_by(roots)

    def has_drawn(self) -> bool:
        """Whether any generator is in another state than at the beginning."""
        return bool(self._reached.moved()) or self._globals != RandomState.capture()

    def rewind(self) -> None:
        """Bring all of them back to the beginning."""
        self._globals.restore()
        self._reached.restore()
