"""What a comparison has found: plain records for every report."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

from gradcheck.errors import ScriptError
from gradcheck.script.source.finding import Finding
from gradcheck.session.result import ScriptResult


class Cause(enum.StrEnum):
    """What kept a network from learning; ``also-gradient`` stands for a wrong gradient that was not the whole of it."""

    RANGE = "range"
    CAPACITY = "capacity"
    GRADIENT = "gradient"
    SCALING = "scaling"
    STEP = "step"
    ALSO_GRADIENT = "also-gradient"
    UNFINISHED = "unfinished"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Conclusion:
    """A cause, and the sentence that says what was measured."""

    cause: Cause
    sentence: str


@dataclass(frozen=True)
class Run:
    """A training.

    Attributes
    ----------
    title : str
        How it is called in a report.
    widths : tuple of int
        Inputs, hidden units, outputs.
    steps : tuple of int
        At which calls, or after which epochs, the losses were taken.
    unit : str
        What the steps count: ``call`` or ``epoch``.
    note : str
        What else is to be known; empty for nothing.
    """

    name: str
    title: str
    widths: tuple[int, ...]
    hidden: str
    output: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    unit: str = "epoch"
    note: str = ""

    @property
    def final(self) -> float:
        """The loss at the end."""
        return self.losses[-1]

    @property
    def network(self) -> str:
        """The widths as they are shown: ``1-8-1``."""
        return "-".join(map(str, self.widths))


@dataclass(frozen=True)
class Setting:
    """What was compared.

    Attributes
    ----------
    inputs, targets, prediction : str
        What they are called in the script.
    measure : str
        What the losses are: ``squared error`` or ``cross-entropy``, a mean over the samples.
    baseline : float
        The loss of the best constant prediction.
    """

    inputs: str
    targets: str
    prediction: str
    samples: int
    measure: str
    baseline: float


@dataclass(frozen=True)
class Comparison:
    """A script beside its fix and the reference.

    Attributes
    ----------
    setting : Setting or None
        What was compared; None where there was an error.
    conclusions : tuple of Conclusion
        What follows, the cause that matters most first.
    findings : tuple of Finding
        What else is wrong with the training: no gradients.
    notes : tuple of str
        What the user should know about the comparison.
    seed : int
        Decides all that is random in it.
    """

    result: ScriptResult
    setting: Setting | None = None
    runs: tuple[Run, ...] = ()
    conclusions: tuple[Conclusion, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = field(default=())
    seed: int = 0
    seconds: float = 0.0
    error: ScriptError | None = None

    @property
    def cause(self) -> Cause:
        """The cause that matters most."""
        return self.conclusions[0].cause if self.conclusions else Cause.UNKNOWN

    def run(self, name: str) -> Run | None:
        """Return the best training of a name, if there was one."""
        found = [run for run in self.runs if run.name == name]
        return min(found, key=lambda run: run.final if math.isfinite(run.final) else math.inf, default=None)
