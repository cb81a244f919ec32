"""What a checker is for the benchmark, and how gradcheck is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

import gradcheck
from benchmarks.problems import CountedLoss, Problem

Verdict = Literal["match", "mismatch", "inconclusive", "error"]


@dataclass(frozen=True)
class Answer:
    """What a checker says of one gradient.

    Parameters
    ----------
    verdict : {"match", "mismatch", "inconclusive", "error"}
        ``error`` where it raised.
    evaluations : int
        How often it called the loss.
    named : frozenset of str or None
        The parameters that it calls wrong; None if it names none.
    message : str
        What was raised.
    """

    verdict: Verdict
    evaluations: int
    named: frozenset[str] | None = None
    message: str = ""


def raised(error: Exception, evaluations: int) -> Answer:
    """Return the answer of a checker that raised.

    Parameters
    ----------
    error : Exception
        What it raised.
    evaluations : int
        How often it had called the loss.
    """
    return Answer("error", evaluations, message=f"{type(error).__name__}: {error}".split("\n")[0])


class Checker(Protocol):
    """Something that tells right gradients from wrong ones, with the settings that it has by default.

    Attributes
    ----------
    name, version : str
        As the tables call it.
    rule : str
        One line: what is called, and when that counts as a match.
    """

    name: str
    version: str
    rule: str

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        ...


class GradcheckChecker:
    """The checker of this project."""

    name = "gradcheck"
    version = gradcheck.__version__
    rule = "check_grad(loss, gradient, params): its verdict"

    def check(self, problem: Problem) -> list[Answer]:
        """Return an answer to every candidate of a problem."""
        answers = []
        for candidate in problem.candidates:
            loss = CountedLoss(problem)
            with np.errstate(all="ignore"):
                result = gradcheck.check_grad(lambda params: loss(params), candidate.grad, problem.params)
            named = frozenset(p.name for p in result.parameters if p.verdict is gradcheck.Verdict.MISMATCH)
            answers.append(Answer(result.verdict.value, loss.calls, named))
        return answers
