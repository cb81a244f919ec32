"""What a search may cost: counted, so that what is found does not depend on how busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Sized
from typing import Any

import numpy as np

# a replay, as a multiple of the evaluation of an expression, before its statements and its numbers are counted
_REPLAY, _STATEMENTS, _NUMBERS, _TEXT = 10, 5, 1_000, 100


class Budget:
    """How many evaluations a search may spend. The clock ends it, too, but as a last resort only.

    One unit is the evaluation of an expression; a replay costs more, and more still if it runs many statements on
    large arrays.

    Parameters
    ----------
    limit : int
        How many units there are.
    deadline : float
        When there is no time left, on the clock of ``time.monotonic``.

    Attributes
    ----------
    was_short : bool
        Whether something was left undone because there was no more to spend.
    """

    def __init__(self, limit: int, deadline: float) -> None:
        self.limit, self.spent, self.was_short = limit, 0, False
        self._deadline = deadline
        self._replay = _REPLAY

    def replay_is_worth(self, statements: int, numbers: int) -> None:
        """Take what a replay costs from how many statements it runs, and how many numbers these compute."""
        self._replay = _REPLAY + statements // _STATEMENTS + numbers // _NUMBERS

    def evaluated(self, count: int = 1) -> None:
        """Count evaluations of an expression."""
        self.spent += count

    def replayed(self) -> None:
        """Count a replay."""
        self.spent += self._replay

    def set_up(self) -> None:
        """Count a text that was set up."""
        self.spent += _TEXT

    def share(self, part: float) -> Share:
        """Return a part of what is left now."""
        return Share(self, self.spent + int(part * max(self.limit - self.spent, 0)))

    def rest(self) -> Share:
        """Return all that is left."""
        return Share(self, self.limit)

    @property
    def is_late(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() > self._deadline


class Share:
    """A part of a budget.

    Parameters
    ----------
    until : int
        How much of it may have been spent when this part is.
    is_extra : bool
        Whether nothing is missing when it ends.
    """

    def __init__(self, budget: Budget, until: int, *, is_extra: bool = False) -> None:
        self.budget = budget
        self._until, self._is_extra = min(until, budget.limit), is_extra

    @property
    def is_spent(self) -> bool:
        """Whether to stop; asked only where something is left to do."""
        spent = self.budget.spent >= self._until or self.budget.is_late
        if spent and not self._is_extra:
            self.budget.was_short = True
        return spent


def numbers_in(value: Any) -> int:
    """Return how many numbers a value holds, about."""
    if isinstance(value, np.ndarray):
        return value.size
    return len(value) if isinstance(value, Sized) and not isinstance(value, str) else 1
