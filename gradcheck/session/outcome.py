"""What was examined, as a result: its numbers, what is wrong with them, and what the user should know."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.diagnosis.sight import Sight, sight
from gradcheck.diagnosis.signature import signature
from gradcheck.script.check.growth import grown
from gradcheck.script.check.points import Examined, Seen
from gradcheck.script.record.raised import how_to_answer
from gradcheck.script.record.run import SYNTAX, Recording
from gradcheck.script.request import Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.understand.origin import gradient_source
from gradcheck.script.understand.subject import Subject
from gradcheck.script.understand.unpack import entry_names, split
from gradcheck.session.apart import shared_findings, told_apart
from gradcheck.session.result import EntryPoints, GradientSource, ScriptResult, Unchecked
from gradcheck.session.usage import usage_of

# cells that are named one by one
_FAILURES = 3


def diagnosed(examined: Examined, request: Request, parts: str | None = None) -> ScriptResult:
    """Return the result of one model, with what its wrong gradients have in common.

    Parameters
    ----------
    parts : str, optional
        What is to be said about its layers, where it is wrong.
    """
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
        notes=(*_notes(recording, subject, stale), *([parts] if parts and examined.wrong else []), *merged.notes),
        evidence=subject.evidence,
        unchecked=subject.unchecked,
        usages=(usage_of(subject),) if request.usages else (),
        evaluations=examined.evaluations,
    )


def keeping(subjects: Sequence[Subject], request: Request, began: float) -> Seen | None:
    """Return what keeps the results of the models that are known, for the case that the check does not come to its end.

    Parameters of models that were not reached are named.
    """
    kept = request.kept
    if kept is None:
        return None

    def keep(models: Sequence[Examined]) -> None:
        result = reported([diagnosed(model, request) for model in models])
        rows = [(pair.slot.name, pair.slot.leaf.shape) for s in subjects[len(models) :] for pair in s.backward.pairs]
        note = f"the check did not come to its end (--timeout is {request.seconds:g}), so less was looked at than usual"
        kept(
            replace(
                result,
                unchecked=(*result.unchecked, *(Unchecked(name, shape, "out of time") for name, shape in rows)),
                notes=(*result.notes, note),
                lines=tuple(models[0].recording.source.lines),
                seconds=time.perf_counter() - began,
            )
        )

    return keep


def _signatures(examined: Examined, checks: Sequence[CheckResult], merged: CheckResult) -> tuple[tuple[str, str], ...]:
    """Return what is wrong with each gradient, in numbers."""
    seen = Sight()
    if merged.verdict is Verdict.MISMATCH:
        with suppress(Exception):  # without names, the numbers are still told
            seen = sight(examined.recording, examined.subject, examined.points)
    return tuple((p.name, signature(p.name, checks, seen)) for p in merged.parameters)


def reported(results: Sequence[ScriptResult]) -> ScriptResult:
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
    failures = recording.failures
    for failure in failures[:_FAILURES]:
        what = "so its cell was left out" if failure.slug == SYNTAX else "the other cells were run all the same"
        yield f"line {failure.line} failed, {what}: {failure.message}"
    if len(failures) > _FAILURES:
        yield f"{len(failures) - _FAILURES} more cells failed"
    if recording.unanswered:
        lines = ", ".join(f"line {line}" for line in recording.unanswered)
        yield (
            f"nothing (more) was piped in for `input` in {lines}, so it was given an empty line; to answer it: "
            f"{how_to_answer(recording.source)}"
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
