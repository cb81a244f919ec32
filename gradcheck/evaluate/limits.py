"""How much a check may cost; what is left undone then is said to be undecided."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

from gradcheck.errors import InputError


@dataclass(frozen=True)
class Limits:
    """A largest number of evaluations, and a time limit that begins now.

    Parameters
    ----------
    evaluations : int or None
        Largest number of evaluations of the loss; None for any.
    seconds : float or None
        Largest time; None for any.
    """

    evaluations: int | None = None
    seconds: float | None = None
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.evaluations is not None and not (isinstance(self.evaluations, int) and self.evaluations > 0):
            raise InputError(f"`max_evals` must be a positive number of evaluations or None, got {self.evaluations!r}.")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise InputError(f"`timeout` must be a positive number of seconds or None, got {self.seconds!r}.")

    def __bool__(self) -> bool:
        return self.evaluations is not None or self.seconds is not None

    def seconds_left(self) -> float:
        """Return how much time is left; infinity where it is not limited."""
        return math.inf if self.seconds is None else max(self.began + self.seconds - time.monotonic(), 0.0)

    def left(self, evaluations: int) -> float:
        """Return how many evaluations may follow so many; infinity where only the time is limited."""
        if not self.seconds_left():
            return 0
        return math.inf if self.evaluations is None else self.evaluations - evaluations
