"""The search for what makes gradients wrong, and for the edits that make them right, within the time that is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from gradcheck.repair.budget import Budget
from gradcheck.repair.engine import Causes, find_causes
from gradcheck.script.check.point import Point
from gradcheck.script.check.points import Examined, checks
from gradcheck.script.request import Request
from gradcheck.session.outcome import reported
from gradcheck.session.result import ScriptResult
from gradcheck.session.second_look import SecondLook

# units of a search for each second of the time limit: less than a machine does that is busy with other things, too
_UNITS_PER_SECOND = 5_000
# of the time limit, until a search ends that has not spent its budget; what it has found is judged after that
_SHARE_OF_SEARCH = 0.8
# at so many points edits are tried beside those of the check, as long as these cost no more than that has
_MORE_POINTS = 4


def repaired(
    models: Sequence[Examined], results: Sequence[ScriptResult], request: Request, began: float
) -> list[ScriptResult]:
    """Return results in which mismatches have their causes and fixes.

    Parameters
    ----------
    began : float
        When the examination began, on the clock of ``time.perf_counter``, in seconds.
    """
    wrong = [number for number, result in enumerate(results) if result.verdict == "mismatch"]
    if not request.fix or not wrong:
        return list(results)
    if request.kept is not None:
        known = reported([_without_causes(r, request) if n in wrong else r for n, r in enumerate(results)])
        lines = tuple(models[0].recording.source.lines)
        request.kept(replace(known, lines=lines, seconds=time.perf_counter() - began))
    request.tell("looking for the cause")
    found, quiet = list(results), replace(request, told=None, kept=None)
    for number in wrong:
        causes, result = _causes(models[number], quiet, began), results[number]
        found[number] = replace(result, findings=causes.findings, notes=(*result.notes, *causes.notes))
        if causes.was_short:
            found[number] = _without_causes(found[number], request)
    return found


def _without_causes(result: ScriptResult, request: Request) -> ScriptResult:
    """Return a result that says that the search for causes was cut off."""
    note = (
        f"the search for the cause was cut off before it had come to its end (--timeout is {request.seconds:g}), so no "
        f"line is blamed; --timeout {2 * request.seconds:g} lets it go on for longer"
    )
    return replace(result, notes=(*result.notes, note))


def _causes(examined: Examined, request: Request, began: float) -> Causes:
    """Return why gradients are wrong."""
    now, clock = time.monotonic(), time.perf_counter()
    taken = clock - began
    end = now + request.seconds - taken
    judge = SecondLook(examined, request, end, taken)
    budget = Budget(int(_UNITS_PER_SECOND * request.seconds), now + _SHARE_OF_SEARCH * (end - now))
    try:
        points = (*examined.points, *_more_points(examined, request))
        return find_causes(examined.recording, examined.subject, points, judge, budget)
    except Exception:  # noqa: BLE001 - the verdict stands, whatever edited code does to the search for its causes
        return Causes(was_short=budget.was_short)


def _more_points(examined: Examined, request: Request) -> list[Point]:
    """Return points for the search of edits beside those of the check: of the other moments, if they cost no more."""
    perturb = examined.stale is None
    start = len(examined.points) * (1 if perturb else 2)
    found: list[Point] = []
    spent = 0
    more = replace(request, points=_MORE_POINTS)
    for point, evaluations in checks(examined.recording, examined.subject, more, perturb=perturb, start=start):
        found.append(point)
        spent += evaluations
        if spent > examined.evaluations:
            break
    return found
