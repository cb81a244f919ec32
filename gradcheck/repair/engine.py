"""From a script whose gradients are wrong to its findings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from gradcheck.diagnosis.finding import Finding
from gradcheck.repair.bench import Bench, Point
from gradcheck.repair.derive import derived
from gradcheck.repair.describe import findings
from gradcheck.repair.search import Search
from gradcheck.repair.text import with_text
from gradcheck.result import CheckResult
from gradcheck.script.record import Recording
from gradcheck.script.source import SourceFile
from gradcheck.script.understand import Subject
from gradcheck.script.unpack import entry_names, split
from gradcheck.verdict import Verdict

_MOST_ENTRIES = 400
# of the time, for the search of edits; the rest is for deriving what no edit mends
_SHARE_OF_SEARCH = 0.8
# times the median of the points
_EXPLODED = 20

# examines another text of the script from its beginning, and says at how many points all of its gradients match
Again = Callable[[SourceFile], int]


def find_findings(
    recording: Recording, subject: Subject, points: Sequence[Point], again: Again, seconds_left: float
) -> tuple[Finding, ...]:
    """Return why gradients are wrong, on which lines, and what mends them.

    Parameters
    ----------
    recording : Recording
        What the script's run showed.
    subject : Subject
        What was understood of it.
    points : sequence of Point
        The points at which it was checked.
    again : callable
        Examines another text of the script from its beginning; returns at how many points it is right, 0 if it is not.
    seconds_left : float
        How long this may take.

    Returns
    -------
    tuple of Finding
        The root causes, best first.
    """
    now = time.monotonic()
    searching, deadline = now + _SHARE_OF_SEARCH * seconds_left, now + seconds_left
    entries = {**_numbered(subject), **entry_names(subject.backward)}
    points = [replace(point, result=split(point.result, entries)) for point in points]
    telling = sorted(points, key=lambda p: (-len(_wrong(p.result)), p.seed is None))
    wrong = frozenset(name for point in points for name in _wrong(point.result))
    if not wrong:
        return ()
    bench = Bench(recording, subject, entries)
    telling = _before_divergence(bench, telling)

    def verify(code: str) -> int:
        return again(with_text(recording.source, code))

    try:
        search = Search(bench, telling, searching, verify)
        steps, left, verified = search.run(wrong), frozenset[str](), search.verified
        if not steps:
            steps, left = derived(bench, recording.source.text, telling, wrong, deadline)
            verified = verify(steps[-1].after) if steps and not left else 0
        still = left if steps else wrong
        return findings(recording.source, telling, search.suspects, steps, still, verified, search.others)
    finally:
        bench.close()


def _before_divergence(bench: Bench, points: Sequence[Point]) -> list[Point]:
    """Return the points without those at which the loss has exploded, by wrong gradients: its digits are lost there."""
    losses = []
    for point in points:
        with bench.at(point) as trial:
            loss = trial.loss()
        losses.append(abs(loss) if loss is not None else math.inf)
    usual = sorted(losses)[len(losses) // 2]
    kept = [point for point, loss in zip(points, losses, strict=True) if loss <= _EXPLODED * usual]
    return kept or list(points)


def _numbered(subject: Subject) -> dict[str, tuple[str, ...]]:
    """Return names for the entries of a vector that is the only parameter."""
    if len(subject.backward.pairs) != 1:
        return {}
    leaf = subject.backward.pairs[0].slot.leaf
    is_vector = len(leaf.shape) == 1 and 1 < leaf.size <= _MOST_ENTRIES
    return {leaf.name: tuple(f"{leaf.name}#{i}" for i in range(leaf.size))} if is_vector else {}


def _wrong(result: CheckResult) -> list[str]:
    return [p.name for p in result.parameters if p.verdict is Verdict.MISMATCH]
