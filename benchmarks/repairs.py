"""How many planted mistakes the repair finds and mends, and whether what it offers is right."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.mutants.draw import TWO_MISTAKES, Mutant, doubles, singles
from benchmarks.mutants.scripts import Network
from benchmarks.mutants.trial import Trial, tried

COLUMNS = ("mutants", "mismatch", "located", "fixed", "fails elsewhere", "trains alike", "median s", "slowest s")


def drawn(networks: list[Network], *, single: int, double: int, seed: int) -> list[Mutant]:
    """Draw the mutants.

    Parameters
    ----------
    networks : list of Network
        The correct scripts.
    single, double : int
        How many have one mistake, and two.
    seed : int
        Decides which.
    """
    rng = random.Random(seed)
    pool = singles(networks, max(single, 2 * double), rng)
    return pool[:single] + doubles(pool, double, rng)


def trials(mutants: list[Mutant], jobs: int, folder: Path | None = None) -> Iterator[Trial]:
    """Check mutants, some at the same time.

    Parameters
    ----------
    mutants : list of Mutant
        What to check.
    jobs : int
        How many at the same time.
    folder : Path, optional
        Where their files are kept; by default they are not.
    """
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(jobs) as pool:
        where = folder or Path(scratch)
        paths = [where / f"{number:03d}_{mutant.network.name}.py" for number, mutant in enumerate(mutants)]
        yield from pool.map(tried, mutants, paths)


def table(results: list[Trial]) -> Iterator[str]:
    """Return the results by family and by network, as Markdown."""
    one = [trial for trial in results if trial.mutant.family != TWO_MISTAKES]
    two = [trial for trial in results if trial.mutant.family == TWO_MISTAKES]
    for title, kept, key in (
        ("family", one, lambda trial: trial.mutant.family),
        ("network", results, lambda trial: trial.mutant.network.name),
    ):
        yield f"| {' | '.join((title, *COLUMNS))} |"
        yield f"|---|{'--:|' * len(COLUMNS)}"
        yield from _groups(kept, key)
        if title == "family":
            yield from (
                _row(name, part) for name, part in (("**one mistake**", one), ("**two mistakes**", two)) if part
            )
        yield ""


def _groups(results: list[Trial], key: Callable[[Trial], str]) -> Iterator[str]:
    for name in sorted({key(trial) for trial in results}):
        yield _row(name, [trial for trial in results if key(trial) == name])


def _row(name: str, part: list[Trial]) -> str:
    seconds = [trial.seconds for trial in part]
    counts = (
        len(part),
        sum(trial.verdict == "mismatch" for trial in part),
        sum(trial.located for trial in part),
        sum(trial.fixed for trial in part),
        sum(trial.fails_elsewhere for trial in part),
        sum(trial.trains_alike for trial in part),
    )
    times = (f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}")
    return f"| {' | '.join((name, *map(str, counts), *times))} |"


def wanting(trial: Trial) -> list[str]:
    """Return what a trial leaves to be desired, the worst first."""
    return [
        name
        for name, is_so in (
            ("fix fails elsewhere", trial.fails_elsewhere),
            (f"judged {trial.verdict}", trial.verdict != "mismatch"),
            ("not located", not trial.located),
            ("not fixed", not trial.fixed),
            ("fix trains differently", trial.fixed and not trial.trains_alike),
        )
        if is_so
    ]


def failure(number: int, trial: Trial) -> Iterator[str]:
    """Return the lines that describe what was not found, not mended, or mended in another way."""
    yield f"{number:03d} {trial.mutant.network.name}: {trial.mutant.family}: {', '.join(wanting(trial))}"
    for line, old, new in trial.mutant.changes():
        yield f"    line {line}: {old}"
        yield f"      planted: {new}"
    yield from (f"      finding: {finding}" for finding in trial.findings)
    yield from (f"      fix: {line}" for line in trial.fix)
