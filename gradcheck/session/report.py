"""The report: what every output format is made from."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gradcheck.checker.presented import presenter
from gradcheck.session.result import ScriptResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# verdicts of scripts, the gravest first
GRAVITY = ("mismatch", "error", "inconclusive", "match")


class ExitCode(enum.IntEnum):
    """What the command line ends with."""

    MATCH = 0
    MISMATCH = 1
    USAGE = 2
    ERROR = 3
    NOTHING = 5
    INTERRUPTED = 130


@dataclass(frozen=True, repr=False)
class Report:
    """The examination of one or several scripts. A notebook shows it with its tables and findings.

    Attributes
    ----------
    scripts : tuple of ScriptResult
        In the order in which they were asked for.
    """

    scripts: tuple[ScriptResult, ...]

    @property
    def seed(self) -> int:
        """Seed of the perturbed points of the first script that was checked."""
        return next((script.check.seed for script in self.scripts if script.check is not None), 0)

    @property
    def passed(self) -> bool:
        """Whether there is something that was checked, and all of it was shown to match."""
        return self.exit_code(strict=True) is ExitCode.MATCH

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"<Report: {self.counts}>"

    @property
    def counts(self) -> str:
        """How many scripts there are, and how many have which verdict."""
        numbers = [f"{n} {verdict}" for verdict in GRAVITY if (n := self.count(verdict))]
        plural = "" if len(self.scripts) == 1 else "s"
        return f"{len(self.scripts)} script{plural}{': ' if numbers else ''}{', '.join(numbers)}"

    def _repr_html_(self) -> str:
        shown: str = presenter("fragment", "report_html")(self)
        return shown

    def _repr_markdown_(self) -> str:
        shown: str = presenter("fragment_markdown", "report_markdown")(self)
        return shown

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        del cycle  # a report holds no report
        printer.text(presenter("fragment_text", "report_text")(self))

    def plot(self, script: str | int | None = None, *, parameters: str | Sequence[str] | None = None) -> Figure:
        """Return a picture of one script: heat maps, analytic against numerical, and error against step.

        A notebook shows it. The error against the step is drawn where the script was checked with
        ``Options(curves=True)``.

        Parameters
        ----------
        script : str or int, optional
            Its path, the end of its path, or its place among `scripts`; by default the first that was compared.
        parameters : str or sequence of str, optional
            Names of the parameters to draw; by default the worst, six at most.

        Returns
        -------
        matplotlib.figure.Figure
            Has ``savefig``; no window is opened.

        Raises
        ------
        UsageError
            If matplotlib is missing, or there is no such script or parameter.
        """
        shown: Figure = presenter("plot", "plot_report")(self, script, parameters)
        return shown

    @cached_property
    def _times(self) -> Counter[str]:
        return Counter(script.path for script in self.scripts)

    def name(self, script: ScriptResult) -> str:
        """Return the path of a script, with the function where one script was checked for several of them."""
        points = script.entry_points
        return script.path if self._times[script.path] == 1 or points is None else f"{script.path}::{points.backward}"

    def count(self, verdict: str) -> int:
        """Return how many scripts have a verdict: ``match``, ``mismatch``, ``inconclusive`` or ``error``."""
        return sum(script.verdict == verdict for script in self.scripts)

    def exit_code(self, *, strict: bool = False, exit_zero: bool = False) -> ExitCode:
        """Return the exit code: a mismatch beats an error beats a match.

        Parameters
        ----------
        strict : bool
            Count what is inconclusive as a mismatch.
        exit_zero : bool
            End with 0 although there are mismatches; errors keep their code.
        """
        if not self.scripts:
            return ExitCode.NOTHING
        wrong = self.count("mismatch") + (self.count("inconclusive") if strict else 0)
        if wrong and not exit_zero:
            return ExitCode.MISMATCH
        return ExitCode.ERROR if self.count("error") else ExitCode.MATCH
