"""How checkers grow with the network: evaluations, time, and whether a mistake in one entry is found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.checkers import Answer, Checker, GradcheckChecker
from benchmarks.peers import load_peers
from benchmarks.problems import Candidate, Params, Problem
from benchmarks.speed import network, one_entry_wrong, seconds
from benchmarks.tables import markdown
from gradcheck import check_grad

SIZES = ((20, 30, 10), (50, 100, 45, 10), (784, 115, 10), (1000, 900, 100))
# a loss that takes long, as a bare loop of Python does
SLOW_SECONDS, SLOW_ENTRIES = 0.02, 200


_SAID = {"match": "accepted", "mismatch": "rejected", "inconclusive": "undecided", "error": "error"}


@dataclass(frozen=True)
class Measurement:
    """One checker on one network.

    Parameters
    ----------
    checker : str
        Its name.
    parameters : int
        Number of entries of all parameters.
    seconds : float
        Time for the right gradient.
    right : Answer
        What it says of the right gradient.
    wrong : tuple of Answer
        What it says of the wrong ones; empty where it was not asked.
    longest : float
        Time for the gradient that took longest.
    """

    checker: str
    parameters: int
    seconds: float
    right: Answer
    wrong: tuple[Answer, ...]
    longest: float

    def is_too_long(self, limit: float) -> bool:
        """Tell whether a network ten times as large would take longer than a limit."""
        most = max(answer.evaluations for answer in (self.right, *self.wrong))
        # ten times the evaluations, and each of them takes longer
        return self.longest > limit / 30 and most > self.parameters


def problem(sizes: tuple[int, ...]) -> Problem:
    """Return a tanh network with its gradient: right, with one wrong entry, without a factor, with a wrong sign."""
    loss, grad, params = network(sizes)
    found = grad(params)
    correct = {name: found[name] for name in params}
    first, last = next(iter(correct)), list(correct)[-1]
    doubled = {**correct, last: 2 * correct[last]}
    turned = {**correct, first: -correct[first]}

    def candidate(label: str, found: Params, *wrong: str) -> Candidate:
        return Candidate(label, found, frozenset(wrong))

    candidates = (
        candidate("correct", correct),
        candidate("one entry 1 % too large", one_entry_wrong(correct), first),
        candidate("last bias twice too large", doubled, last),
        candidate("sign of the first weights", turned, first),
    )
    return Problem("tanh network", "", 0, params, lambda: loss, candidates)


def measured(peers: Sequence[str], limit: float) -> tuple[list[Measurement], list[str]]:
    """Measure all checkers on all networks, but for what takes one of them longer than the limit.

    Parameters
    ----------
    peers : sequence of str
        Others to ask.
    limit : float
        Seconds for one gradient.

    Returns
    -------
    list of Measurement, list of str
        What was measured, and what was left out.
    """
    others, notes = load_peers(peers)
    found = []
    for checker in (GradcheckChecker(), *others):
        asked = problem(SIZES[0]).candidates
        for sizes in SIZES:
            one = measure(checker, problem(sizes), len(asked))
            found.append(one)
            if one.is_too_long(limit):
                # some go through all entries of a wrong gradient only
                asked = asked[:1] if one.right.evaluations <= one.parameters else ()
                what = "wrong gradients of more" if asked else "more"
                notes.append(f"{checker.name} is not asked about {what} than {one.parameters:,} parameters: too long")
            if not asked:
                break
    return found, notes


def measure(checker: Checker, asked: Problem, number: int) -> Measurement:
    """Ask a checker about so many gradients of a problem, the right one first, and time them."""
    answers, took = [], []
    for candidate in asked.candidates[:number]:
        alone = Problem(asked.group, asked.variant, asked.seed, asked.params, asked.make_loss, (candidate,))
        began = time.perf_counter()
        answers += checker.check(alone)
        took.append(time.perf_counter() - began)
    count = sum(value.size for value in asked.params.values())
    return Measurement(checker.name, count, took[0], answers[0], tuple(answers[1:]), max(took))


def rows(found: Sequence[Measurement]) -> Iterator[str]:
    """Return the table, and by what power of the number of parameters the time grows."""
    labels = [candidate.label for candidate in problem(SIZES[0]).candidates[1:]]
    header = ["checker", "parameters", "evaluations", "seconds", "correct", *labels]
    body = [
        [
            one.checker,
            f"{one.parameters:,}",
            f"{one.right.evaluations:,}",
            f"{one.seconds:.3g}",
            _SAID[one.right.verdict],
            *([f"{_SAID[answer.verdict]} ({answer.evaluations:,})" for answer in one.wrong] or [""] * len(labels)),
        ]
        for one in found
    ]
    yield markdown(header, body)
    yield ""
    for name in dict.fromkeys(one.checker for one in found):
        mine = [one for one in found if one.checker == name]
        if len(mine) > 1:
            yield f"{name}: evaluations grow as parameters^{exponent(mine):.2f}"


def exponent(mine: Sequence[Measurement]) -> float:
    """Return the slope of evaluations against parameters on logarithmic scales."""
    sizes, counts = np.array([[one.parameters, one.right.evaluations] for one in mine], dtype=float).T
    return float(np.polyfit(np.log(sizes), np.log(counts), 1)[0])


def rows_of_workers(most: int) -> Iterator[str]:
    """Check an expensive loss in one process and in several; return the ratio of the times.

    Parameters
    ----------
    most : int
        Largest number of processes.
    """
    rng = np.random.default_rng(0)
    A, w = rng.normal(size=(10, SLOW_ENTRIES)), rng.normal(size=SLOW_ENTRIES)

    def loss(w: np.ndarray) -> float:
        end = time.perf_counter() + SLOW_SECONDS
        while time.perf_counter() < end:
            pass
        return float(np.sum(np.tanh(A @ w) ** 2))

    def grad(w: np.ndarray) -> np.ndarray:
        h = np.tanh(A @ w)
        return A.T @ (2 * h * (1 - h * h))

    alone = seconds(lambda: check_grad(loss, grad, w))
    body = [["1", f"{alone:.2f}", "1.00", "1.00"]]
    for count in range(2, most + 1):
        # the first check starts the processes
        first, second = (seconds(lambda count=count: check_grad(loss, grad, w, workers=count)) for _ in range(2))
        body.append([str(count), f"{second:.2f}", f"{alone / second:.2f}", f"{alone / first:.2f}"])
    yield markdown(["workers", "seconds", "times faster", "with their start"], body)


def draw(found: Sequence[Measurement], target: Path) -> None:
    """Draw evaluations and seconds against parameters into a file.

    Parameters
    ----------
    found : sequence of Measurement
        What was measured.
    target : Path
        The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    names = list(dict.fromkeys(one.checker for one in found))
    for name, marker in zip(names, "osDv^<>phX", strict=False):
        mine = [one for one in found if one.checker == name]
        sizes = [one.parameters for one in mine]
        axes[0].loglog(sizes, [one.right.evaluations for one in mine], marker=marker, label=name)
        axes[1].loglog(sizes, [one.seconds for one in mine], marker=marker, label=name)
    axes[0].set(xlabel="parameters", ylabel="evaluations of the loss", title="a right gradient: evaluations")
    axes[1].set(xlabel="parameters", ylabel="seconds", title="a right gradient: time")
    axes[0].legend(fontsize="small")
    figure.savefig(target, metadata={"Date": None} if target.suffix == ".svg" else None)
