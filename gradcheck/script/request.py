"""What is asked of an examination: the script, what the user said about it, and how to check it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# what is told while the script itself runs
RUNNING = "running it"


@dataclass(frozen=True)
class Overrides:
    """What the user said about his script.

    Attributes
    ----------
    loss, backward : str or None
        A variable, function or expression; a function.
    params : tuple of str
        Names of parameters, empty for all that were found.
    strict : bool
        Whether a constant factor that all gradients have in common is a mistake whatever becomes of the training.
    """

    loss: str | None = None
    backward: str | None = None
    params: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True)
class Request:
    """What to examine, and how.

    Attributes
    ----------
    rtol, atol : float or None
        Tolerances; None for the defaults.
    memory : int or None
        Limit of the address space in MiB.
    fix : bool
        Whether to look for the causes of wrong gradients.
    curves : bool
        Whether to sweep the steps of the worst entries, for pictures.
    content : str or None
        What the file holds, where there is none: it is run as if it lay at `path`.
    workers : int
        In how many processes to evaluate the loss.
    max_evals : int or None
        Largest number of evaluations of the loss at a point.
    resume : str or None
        The file that evaluations are written into, and taken from.
    call : tuple of str
        What is run when the file has been run, as if it stood at its end.
    cwd : str or None
        The folder in which the script is started; None for its own.
    deadline : float or None
        When the check has to end with what is known, on the clock of ``time.monotonic``.
    usages : bool
        Whether to tell how the script uses what is checked, for a test that does the same.
    told : callable or None
        Is told in words what is being done; it stays in this process.
    kept : callable or None
        Receives the result as soon as the verdict stands, for the case that the search for causes does not come to
        its end; it stays in this process.
    """

    path: str
    argv: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    points: int = 4
    seed: int = 0
    rtol: float | None = None
    atol: float | None = None
    method: str = "auto"
    seconds: float = 60.0
    memory: int | None = None
    fix: bool = True
    curves: bool = False
    content: str | None = None
    workers: int = 1
    max_evals: int | None = None
    resume: str | None = None
    call: tuple[str, ...] = ()
    cwd: str | None = None
    deadline: float | None = None
    usages: bool = False
    told: Callable[[str], object] | None = None
    kept: Callable[[Any], object] | None = None

    @property
    def left(self) -> float:
        """How many seconds there are until the deadline."""
        return math.inf if self.deadline is None else self.deadline - time.monotonic()

    def tell(self, what: str) -> None:
        """Tell what is being done, if anybody wants to know."""
        if self.told is not None:
            self.told(what)
