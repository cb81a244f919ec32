"""How far a check has come, and how long it will still take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gradcheck.errors import InputError
from gradcheck.evaluate.limits import Limits

# a check that is done by then needs no line
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Progress:
    """How far a check has come.

    Parameters
    ----------
    evaluations : int
        How often the loss was evaluated.
    expected : int
        How often it will have been in the end, by what is known; it grows where entries have to be looked at closer.
    elapsed : float
        Seconds since the first comparison.
    remaining : float
        Seconds that the rest will take, at the pace so far.
    """

    evaluations: int
    expected: int
    elapsed: float
    remaining: float

    def __str__(self) -> str:
        left = f", about {_duration(self.remaining)} left" if self.remaining else ""
        return f"{self.evaluations:,} of {self.expected:,} evaluations{left}"


def _duration(seconds: float) -> str:
    """Return a time in words of the size that matters."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class ProgressLine:
    """A bar on standard error, where that is a terminal, once a check has taken a while."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if progress.elapsed < _PATIENCE_SECONDS:
            return
        if self._bar is None:
            self._start()
        self._bar.update(
            self._task, completed=progress.evaluations, total=progress.expected, description=str(progress), refresh=True
        )

    def close(self) -> None:
        """Take the line away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self) -> None:
        # who asks for no line does not wait for this import
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("")
        self._bar.start()


class Tracker:
    """Tells somebody how far a check has come, after each share of the evaluations.

    Parameters
    ----------
    progress : bool or callable
        Who is told: a function that takes a `Progress`; True for a line on a terminal, False for nobody.
    """

    def __init__(self, progress: Any, points: int, limits: Limits) -> None:
        if not callable(progress) and progress not in (True, False):
            raise InputError(f"`progress` must be True, False or a function of a Progress, got {progress!r}.")
        self._line = ProgressLine() if progress is True else None
        self._told: Callable[[Progress], object] | None = progress if callable(progress) else self._line
        self._points, self._limits = points, limits
        self._began = 0.0
        # evaluations at the beginning of each point
        self._starts: list[int] = []

    def __bool__(self) -> bool:
        return self._told is not None

    def begin(self, evaluations: int) -> None:
        """Take note that the comparison at a point begins after so many evaluations."""
        self._began = self._began or time.perf_counter()
        self._starts.append(evaluations)

    def tell(self, evaluations: int, left: int) -> None:
        """Tell of so many evaluations, with those that are left as far as they are planned."""
        if self._told is None:
            return
        here = evaluations - self._starts[-1]
        finished = len(self._starts) - 1
        earlier = (self._starts[-1] - self._starts[0]) // finished if finished else 0
        of_point = max(here + left, earlier)
        expected = self._starts[-1] + of_point * max(self._points - finished, 1)
        if self._limits.evaluations is not None:
            expected = max(min(expected, self._limits.evaluations), evaluations)
        elapsed = time.perf_counter() - self._began
        pace = elapsed / max(evaluations - self._starts[0], 1)
        remaining = min((expected - evaluations) * pace, self._limits.seconds_left())
        self._told(Progress(evaluations, expected, elapsed, remaining))

    def close(self) -> None:
        """Take the line away, if there is one."""
        if self._line is not None:
            self._line.close()
