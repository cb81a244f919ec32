"""All rewrites: tried, some at the same time, counted by kind, and the differences one by one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.rewrites.answers import Answer
from benchmarks.rewrites.fixtures import Fixture
from benchmarks.rewrites.forks import Forks
from benchmarks.rewrites.kinds import KINDS
from benchmarks.rewrites.trial import Draw, Original, Trial, original, tried
from benchmarks.tables import markdown

COLUMNS = ("same", "verdict", "set", "line", "no answer", "not applicable")


def trials(
    draws: list[Draw], found: list[Fixture], jobs: int, *, causes: bool = False, kept: Path | None = None
) -> Iterator[Trial]:
    """Try rewrites, some at the same time.

    Parameters
    ----------
    draws : list of Draw
        What to try.
    found : list of Fixture
        The scripts that they are about.
    jobs : int
        How many at the same time.
    causes : bool
        Whether the causes of wrong gradients are looked for, which takes several times as long: then their lines are
        compared, in place of those in which the wrong gradients are computed.
    kept : Path, optional
        Where the files of the rewrites stay.
    """
    by_name = {fixture.name: fixture for fixture in found}
    originals: dict[str, Original | None] = {}
    locks = {draw.fixture: threading.Lock() for draw in draws}
    processes: list[Forks] = []
    own = threading.local()

    def begin() -> None:
        own.forks = Forks()
        processes.append(own.forks)

    def asked(name: str) -> Original | None:
        with locks[name]:
            if name not in originals:
                originals[name] = original(by_name[name], own.forks, causes=causes)
        return originals[name]

    def judged(draw: Draw) -> Trial:
        before = asked(draw.fixture)
        if before is None:
            return Trial(draw)
        return tried(draw, KINDS[draw.kind], before, own.forks, causes=causes, kept=kept)

    with ThreadPoolExecutor(jobs, initializer=begin) as pool:
        try:
            yield from pool.map(judged, draws)
        finally:
            pool.shutdown(cancel_futures=True)
            for process in processes:
                process.stop()


def table(results: list[Trial]) -> str:
    """Return a table of the kinds, as Markdown."""
    kinds = [name for name in KINDS if any(trial.draw.kind == name for trial in results)]
    rows = [_row(name, [trial for trial in results if trial.draw.kind == name]) for name in kinds]
    return markdown(("rewrite", "tried", *COLUMNS), [*rows, _row("**all**", results)])


def _row(name: str, part: list[Trial]) -> list[str]:
    counts = [sum(trial.outcome == column for trial in part) for column in COLUMNS]
    return [name, str(len(part) - counts[-1]), *map(str, counts)]


def share(results: list[Trial]) -> str:
    """Return which part of the rewrites is answered as the scripts are."""
    counted = [trial for trial in results if trial.after is not None]
    same = sum(trial.outcome == "same" for trial in counted)
    return f"{same} of {len(counted)} answered as before ({100 * same / max(len(counted), 1):.1f} %)"


def difference(trial: Trial) -> Iterator[str]:
    """Return the lines that describe a rewrite with another answer."""
    draw = trial.draw
    yield f"{draw.fixture}: {draw.kind}: {', '.join(trial.different)}"
    for label, said in (("before", trial.before), ("after", trial.after)):
        if said is not None:
            yield f"    {label}: {_shown(said)}"
    yield f"    python -m benchmarks rewrites {_options(draw)} --keep FOLDER"


def _options(draw: Draw) -> str:
    """Return the options with which a rewrite is made again, as the last one."""
    count = f" --count {draw.turn + 1}" if draw.turn else ""
    return f"--seed {draw.seed} --kind {draw.kind} --only {draw.fixture}{count}"


def _shown(said: Answer) -> str:
    lines = sorted("new" if line is None else str(line) for line in said.lines)
    parts = [said.verdict, ", ".join(said.wrong), f"line {', '.join(lines)}" if lines else "", said.why]
    return "; ".join(part for part in parts if part)


def fields(results: list[Trial], seed: int) -> dict[str, Any]:
    """Return everything as plain values, for JSON."""
    return {
        "seed": seed,
        "trials": [
            {
                "fixture": trial.draw.fixture,
                "kind": trial.draw.kind,
                "turn": trial.draw.turn,
                "outcome": trial.outcome,
                "different": list(trial.different),
                "before": _answer(trial.before),
                "after": _answer(trial.after),
            }
            for trial in results
        ],
    }


def _answer(said: Answer | None) -> dict[str, Any] | None:
    if said is None:
        return None
    lines = sorted(said.lines, key=lambda line: line or 0)
    return {"verdict": said.verdict, "wrong": list(said.wrong), "lines": lines, "why": said.why}
