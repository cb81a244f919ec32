"""Counts of answers: what was accepted, rejected and left open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from benchmarks.checkers import Answer, Checker
from benchmarks.problems import Candidate, Problem

CORRECT = "correct"
Key = tuple[str, str, str, str]  # checker, group, label, verdict


class Tally:
    """Answers of checkers, counted by checker, group, label and verdict.

    Attributes
    ----------
    checkers, groups, labels : dict
        Their names in the order in which they were seen, as keys.
    errors : dict of str
        The first message of each checker that raised.
    mistakes : dict of lists of str
        For each checker what it got wrong: false alarms, misses, and wrong names.
    """

    def __init__(self) -> None:
        self.checkers: dict[str, None] = {}
        self.groups: dict[str, None] = {}
        self.labels: dict[str, None] = {}
        self.errors: dict[str, str] = {}
        self.mistakes: dict[str, list[str]] = {}
        self._counts: Counter[Key] = Counter()
        self._named: Counter[str] = Counter()
        self._evaluations: Counter[tuple[str, bool]] = Counter()

    def add(self, checker: str, problem: Problem, candidate: Candidate, answer: Answer) -> None:
        """Count one answer.

        Parameters
        ----------
        checker : str
            Whose it is.
        problem, candidate : Problem, Candidate
            What it is about.
        answer : Answer
            What was said.
        """
        for names, name in ((self.checkers, checker), (self.groups, problem.group), (self.labels, candidate.label)):
            names.setdefault(name)
        self._counts[checker, problem.group, candidate.label, answer.verdict] += 1
        self._evaluations[checker, bool(candidate.wrong)] += answer.evaluations
        rejected_by_name = answer.verdict == "mismatch" and bool(candidate.wrong) and answer.named == candidate.wrong
        self._named[checker] += rejected_by_name
        if answer.message:
            self.errors.setdefault(checker, answer.message)
        if mistake := _mistake(candidate, answer):
            what = ", ".join(filter(None, (problem.group, problem.variant, f"seed {problem.seed}", candidate.label)))
            self.mistakes.setdefault(checker, []).append(f"{mistake}: {what}")

    def count(
        self,
        checker: str,
        *,
        groups: Collection[str] | None = None,
        labels: Collection[str] | None = None,
        verdict: str | None = None,
    ) -> int:
        """Return how many answers of a checker there are.

        Parameters
        ----------
        checker : str
            Whose answers.
        groups, labels : collection of str, optional
            Only to these problems and gradients; by default to all.
        verdict : str, optional
            Only these; by default all.
        """
        return sum(
            number
            for (name, group, label, said), number in self._counts.items()
            if name == checker
            and (groups is None or group in groups)
            and (labels is None or label in labels)
            and (verdict is None or said == verdict)
        )

    def named(self, checker: str) -> int:
        """Return for how many wrong gradients exactly the wrong parameters were named."""
        return self._named[checker]

    def evaluations(self, checker: str, *, wrong: bool) -> float:
        """Return the mean number of evaluations of the loss for a gradient that is wrong, or for one that is not."""
        asked = self.count(checker, labels=self.wrong if wrong else [CORRECT])
        return self._evaluations[checker, wrong] / asked if asked else 0.0

    @property
    def wrong(self) -> list[str]:
        """Labels of the planted errors."""
        return [label for label in self.labels if label != CORRECT]


def _mistake(candidate: Candidate, answer: Answer) -> str:
    if answer.verdict == ("match" if candidate.wrong else "mismatch"):
        return "missed" if candidate.wrong else "false alarm"
    if answer.verdict == "mismatch" and answer.named is not None and answer.named != candidate.wrong:
        return f"named {', '.join(sorted(answer.named))} instead of {', '.join(sorted(candidate.wrong))}"
    return ""


def examine(checkers: Iterable[Checker], problems: Iterable[Problem], tally: Tally) -> None:
    """Put problems to checkers and count the answers.

    Parameters
    ----------
    checkers : iterable of Checker
        Who is asked.
    problems : iterable of Problem
        What is asked.
    tally : Tally
        Where the answers are counted.
    """
    asked = list(checkers)
    for problem in problems:
        for checker in asked:
            for candidate, answer in zip(problem.candidates, checker.check(problem), strict=True):
                tally.add(checker.name, problem, candidate, answer)
