"""Record, understand and check one script, in this process."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.diagnosis.sight import Sight, sight
from gradcheck.diagnosis.signature import signature
from gradcheck.errors import ScriptError
from gradcheck.repair.budget import Budget
from gradcheck.repair.engine import Causes, find_causes
from gradcheck.script.check.growth import grown
from gradcheck.script.check.point import Point
from gradcheck.script.check.points import Examined, checked, checks
from gradcheck.script.record.run import Recording
from gradcheck.script.request import Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand.origin import gradient_source
from gradcheck.script.understand.subject import Subject
from gradcheck.script.understand.unpack import entry_names, split
from gradcheck.session.apart import shared_findings, told_apart
from gradcheck.session.curves import with_curves
from gradcheck.session.result import EntryPoints, GradientSource, ScriptResult
from gradcheck.session.second_look import SecondLook
from gradcheck.session.usage import usage_of

# units of a search for each second of the time limit: less than a machine does that is busy with other things, too
_UNITS_PER_SECOND = 5_000
# of the time limit, until a search ends that has not spent its budget; what it has found is judged after that
_SHARE_OF_SEARCH = 0.8
# at so many points edits are tried beside those of the check, as long as these cost no more than that has
_MORE_POINTS = 4
# of the time limit, until a check ends with what is known
_SHARE_OF_CHECK = 0.9
# of the time limit, for sweeps of steps
_SHARE_OF_CURVES = 0.1


def examine(request: Request) -> ScriptResult:
    """Examine a script; whatever is wrong with it ends up in the result.

    The script runs in this process, as ``__main__``; call this in a process of its own.
    """
    began = time.perf_counter()
    request = replace(request, deadline=time.monotonic() + _SHARE_OF_CHECK * request.seconds)
    lines: tuple[str, ...] = ()
    try:
        source = SourceFile.read(Path(request.path), request.content)
        lines = tuple(source.lines)
        result = _examine(source, request, began)
    except ScriptError as error:
        result = ScriptResult(request.path, error=error)
    except MemoryError:
        result = ScriptResult(request.path, error=ScriptError("ran out of memory", slug="memory"))
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not look like one of the user's
        result = ScriptResult(request.path, error=internal_error(error))
    return replace(result, lines=lines, seconds=time.perf_counter() - began)


def internal_error(error: Exception) -> ScriptError:
    """Return what is said about a mistake of ours."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return ScriptError(
        f"gradcheck itself failed on this script ({type(error).__name__} in {place}: {error}); please report it, "
        "with the script if you can",
        slug="internal",
    )


def _examine(source: SourceFile, request: Request, began: float) -> ScriptResult:
    found = checked(source, request)
    if request.curves:
        found = [with_curves(examined, _SHARE_OF_CURVES * request.seconds / len(found)) for examined in found]
    results = [_result(examined, request) for examined in found]
    wrong = [number for number, result in enumerate(results) if result.verdict == "mismatch"]
    if not request.fix or not wrong:
        return _joined(results)
    if request.kept is not None:
        known = _joined([_without_causes(r, request) if n in wrong else r for n, r in enumerate(results)])
        request.kept(replace(known, lines=tuple(source.lines), seconds=time.perf_counter() - began))
    request.tell("looking for the cause")
    for number in wrong:
        causes = _causes(found[number], replace(request, told=None, kept=None), began)
        result = results[number]
        results[number] = replace(result, findings=causes.findings, notes=(*result.notes, *causes.notes))
        if causes.was_short:
            results[number] = _without_causes(results[number], request)
    return _joined(results)


def _without_causes(result: ScriptResult, request: Request) -> ScriptResult:
    """Return a result that says that the search for causes was cut off."""
    note = (
        f"the search for the cause was cut off before it had come to its end (--timeout is {request.seconds:g}), so no "
        f"line is blamed; --timeout {2 * request.seconds:g} lets it go on for longer"
    )
    return replace(result, notes=(*result.notes, note))


def _result(examined: Examined, request: Request) -> ScriptResult:
    source = examined.recording.source
    recording, subject, stale, points = examined.recording, examined.subject, examined.stale, examined.points
    entries = entry_names(subject.backward)
    checks = [split(point.result, entries) for point in points]
    merged = CheckResult.merge(checks)
    return ScriptResult(
        request.path,
        check=merged,
        entry_points=_entry_points(subject, merged),
        sources=tuple(_sources(source, subject, entries)),
        signatures=_signatures(examined, checks, merged),
        notes=(*_notes(recording, subject, stale), *merged.notes),
        evidence=subject.evidence,
        unchecked=subject.unchecked,
        usages=(usage_of(subject),) if request.usages else (),
        evaluations=examined.evaluations,
    )


def _signatures(examined: Examined, checks: Sequence[CheckResult], merged: CheckResult) -> tuple[tuple[str, str], ...]:
    """Return what is wrong with each gradient, in numbers."""
    seen = Sight()
    if merged.verdict is Verdict.MISMATCH:
        with suppress(Exception):  # without names, the numbers are still told
            seen = sight(examined.recording, examined.subject, examined.points)
    return tuple((p.name, signature(p.name, checks, seen)) for p in merged.parameters)


def _joined(results: Sequence[ScriptResult]) -> ScriptResult:
    """Return one result for the models of a script, the parameters of each after those of the one before."""
    if len(results) == 1:
        return results[0]
    results = told_apart(results)
    first, checks = results[0], [result.check for result in results if result.check is not None]
    points = [result.entry_points for result in results if result.entry_points is not None]
    parameters = tuple(parameter for check in checks for parameter in check.parameters)
    # what is left out beside one model may be what another one has
    known = {parameter.name for parameter in parameters}
    left_out = {row.name: row for result in results for row in result.unchecked if row.name not in known}
    return replace(
        first,
        check=replace(
            checks[0],
            parameters=parameters,
            evaluations=sum(check.evaluations for check in checks),
        ),
        entry_points=EntryPoints.joined(points),
        evaluations=sum(result.evaluations for result in results),
        sources=tuple(source for result in results for source in result.sources),
        signatures=tuple(said for result in results for said in result.signatures),
        findings=shared_findings(results),
        notes=tuple(dict.fromkeys(note for result in results for note in result.notes)),
        evidence=tuple(sentence for result in results for sentence in result.evidence),
        usages=tuple(usage for result in results for usage in result.usages),
        unchecked=tuple(left_out.values()),
    )


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


def _notes(recording: Recording, subject: Subject, stale: str | None) -> Iterator[str]:
    """Say which conventions were recognised, and what the user should know about the check."""
    function = subject.backward.function
    if subject.convention is not None:
        yield subject.convention
    if subject.remark is not None:
        yield subject.remark
    yield from subject.left_out
    if turned := sorted(subject.backward.turned):
        shown = ", ".join(f"`{name}`" for name in turned)
        yield f"the script moves {shown} along what it computes, and other parameters against it: the sign is turned"
    for name, shapes in grown(subject.backward).items():
        first, last = (" x ".join(map(str, shape)) or "a single number" for shape in shapes)
        yield f"`{name}` grows from {first} to {last} as the script runs: its gradient has another shape than it has"
    if subject.backward.is_narrow:
        yield "the script computes in single precision; its loss is differentiated in double where it allows that"
    if unpaired := [output.shown for output in subject.unpaired]:
        yield (
            f"not checked: {', '.join(f'`{name}`' for name in unpaired)}, also returned by {function.name}, was not "
            f"recognised as the gradient of a parameter; --backward {function.short_name} --params A,B,... pairs all "
            "of them in order"
        )
    if stale is not None:
        yield (
            f"checked at recorded points only: {function.name} is handed what `{stale}` has computed from the "
            "parameters, and no loop or function calls both"
        )
    if recording.problem is not None and recording.problem.slug != "script-exited":
        yield f"the script did not run to its end: {recording.problem.message}"


def _sources(source: SourceFile, subject: Subject, entries: Mapping[str, tuple[str, ...]]) -> Iterator[GradientSource]:
    """Return where each parameter's gradient gets its value; the entries of a vector share a place."""
    for pair in subject.backward.pairs:
        found = gradient_source(source, subject.backward.function, pair)
        if found is not None:
            yield from (replace(found, parameter=name) for name in entries.get(pair.slot.name, (pair.slot.name,)))


def _entry_points(subject: Subject, check: CheckResult) -> EntryPoints:
    function = subject.backward.function
    return EntryPoints(
        backward=function.name,
        forward=subject.forward,
        loss=subject.loss.shown,
        parameters=tuple(parameter.name for parameter in check.parameters),
        backward_line=function.line,
        loss_line=subject.loss.line,
    )
