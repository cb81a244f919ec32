"""The report: what every output format is made from."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from gradcheck.script.result import ScriptResult


class ExitCode(enum.IntEnum):
    """What the command line ends with."""

    MATCH = 0
    MISMATCH = 1
    USAGE = 2
    ERROR = 3
    NOTHING = 5
    INTERRUPTED = 130


@dataclass(frozen=True)
class Report:
    """The examination of one or several scripts.

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
        """Whether there is something that was checked, and all of it matches."""
        return self.exit_code() is ExitCode.MATCH

    def __bool__(self) -> bool:
        return self.passed

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
