"""Record, understand and check one script, in this process."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from gradcheck.check import check_grad
from gradcheck.diagnosis.finding import Finding
from gradcheck.diagnosis.signature import signature
from gradcheck.errors import InputError, ScriptError
from gradcheck.repair.bench import Point
from gradcheck.repair.engine import find_findings
from gradcheck.result import CheckResult
from gradcheck.script.answers import Answers
from gradcheck.script.candidates import Overrides
from gradcheck.script.kernel import stand_in_for_kernel
from gradcheck.script.origin import gradient_source
from gradcheck.script.perturb import moved
from gradcheck.script.record import Recording, record, script_raised
from gradcheck.script.replay import Stage
from gradcheck.script.result import EntryPoints, GradientSource, ScriptResult
from gradcheck.script.source import SourceFile
from gradcheck.script.stale import computed_before
from gradcheck.script.understand import Subject, understand
from gradcheck.script.units import recorded, units_of
from gradcheck.script.unpack import entry_names, split
from gradcheck.verdict import Verdict

# of the time limit; the rest is for understanding and checking
_SHARE_OF_RUN = 0.5
# of the losses in single and in double precision; further apart, the script does something else in double precision
_SAME_LOSS = 1e-3
# of the time that is left, for the search of edits; and of what is left then, for examining an edited script
_SHARE_OF_REPAIR, _SHARE_OF_VERIFYING = 0.6, 0.6
# so many points for the search beside those of the check, unless they take too large a share of the time limit
_MORE_POINTS, _SHARE_OF_POINTS = 4, 0.05
# added to the seed for the points of an edited script
_FRESH = 1000


@dataclass(frozen=True)
class Request:
    """What to examine, and how.

    Attributes
    ----------
    path : str
        The script.
    argv : tuple of str
        Its own arguments.
    overrides : Overrides
        What the user said about it.
    points : int
        At how many points to check.
    seed : int
        Seed of the perturbed points.
    rtol, atol : float or None
        Tolerances; None for the defaults.
    method : str
        How to differentiate.
    seconds : float
        Time limit.
    memory : int or None
        Limit of the address space in MiB.
    fix : bool
        Whether to look for the causes of wrong gradients.
    """

    path: str
    argv: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    points: int = 4
    seed: int = 0
    rtol: float | None = None
    atol: float | None = None
    method: str = "auto"
    seconds: float = 60.0
    memory: int | None = None
    fix: bool = True


def examine(request: Request) -> ScriptResult:
    """Examine a script; whatever is wrong with it ends up in the result.

    The script runs in this process, as ``__main__``; call this in a process of its own.
    """
    began = time.perf_counter()
    lines: tuple[str, ...] = ()
    try:
        source = SourceFile.read(Path(request.path))
        lines = tuple(source.lines)
        result = _examine(source, request, began)
    except ScriptError as error:
        result = ScriptResult(request.path, error=error)
    except MemoryError:
        result = ScriptResult(request.path, error=ScriptError("ran out of memory", slug="memory"))
    except Exception as error:  # noqa: BLE001 - a mistake of ours must not look like one of the user's
        result = ScriptResult(request.path, error=_internal(error))
    return replace(result, lines=lines, seconds=time.perf_counter() - began)


def _internal(error: Exception) -> ScriptError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return ScriptError(
        f"gradcheck itself failed on this script ({type(error).__name__} in {place}: {error}); please report it, "
        "with the script if you can",
        slug="internal",
    )


def _examine(source: SourceFile, request: Request, began: float) -> ScriptResult:
    examined = _checked(source, request)
    recording, subject, stale, points = examined.recording, examined.subject, examined.stale, examined.points
    entries = entry_names(subject.backward)
    checks = [split(point.result, entries) for point in points]
    merged = CheckResult.merge(checks)
    return ScriptResult(
        request.path,
        check=merged,
        entry_points=_entry_points(subject, merged),
        sources=tuple(_sources(source, subject, entries)),
        signatures=tuple((p.name, signature(p.name, checks)) for p in merged.parameters),
        findings=_findings(examined, request, began) if merged.verdict is Verdict.MISMATCH else (),
        notes=(*_notes(recording, subject, stale), *merged.notes),
        evidence=subject.evidence,
        evaluations=examined.evaluations,
    )


def _findings(examined: _Examined, request: Request, began: float) -> tuple[Finding, ...]:
    """Return why gradients are wrong; a script in single precision is only looked at where it is wrong by much."""
    if not request.fix:
        return ()

    def left() -> float:
        return request.seconds - (time.perf_counter() - began)

    def again(source: SourceFile) -> CheckResult | None:
        """Examine an edited script from its beginning, at other points; return its check if all of it matches."""
        fresh = replace(request, seed=request.seed + _FRESH, seconds=max(_SHARE_OF_VERIFYING * left(), 1.0))
        try:
            other = _checked(source, fresh)
        except Exception:  # noqa: BLE001 - an edited script may fail in any way
            return None
        merged = CheckResult.merge([point.result for point in other.points])
        same = set(other.subject.backward.names) >= set(examined.subject.backward.names)
        return merged if same and merged.verdict is Verdict.MATCH else None

    points = (*examined.points, *_more_points(examined, request))
    return find_findings(examined.recording, examined.subject, points, again, _SHARE_OF_REPAIR * max(left(), 0.0))


def _more_points(examined: _Examined, request: Request) -> list[Point]:
    """Return points for the search of edits beside those of the check: of the other moments, if there is the time."""
    number = len(examined.points)
    began = time.perf_counter()
    found: list[Point] = []
    more = replace(request, points=_MORE_POINTS)
    for point, _ in _checks(examined.recording, examined.subject, more, perturb=examined.stale is None, start=number):
        found.append(point)
        if time.perf_counter() - began > _SHARE_OF_POINTS * request.seconds:
            break
    return found


@dataclass(frozen=True)
class _Examined:
    """A script that was recorded, understood and checked."""

    recording: Recording
    subject: Subject
    stale: str | None
    points: tuple[Point, ...]
    evaluations: int


def _checked(source: SourceFile, request: Request) -> _Examined:
    if isinstance(sys.stdin, Answers):
        sys.stdin = cast(TextIO, sys.stdin.rewound())
    elif sys.stdin is not None:
        sys.stdin = cast(TextIO, Answers(sys.stdin))
    stand_in_for_kernel(source)
    units = units_of(source, request.overrides.backward)
    recording = record(source, request.argv, _SHARE_OF_RUN * request.seconds, recorded(source, units), set(units))
    try:
        subject = understand(recording, request.overrides)
    except ScriptError as error:
        # a script that broke off before its gradients explains itself better than what was not found then
        reached = any(call.function in units for call in recording.calls) and error.slug != "no-gradient"
        raise (recording.problem if recording.problem is not None and not reached else error) from None
    stale = computed_before(recording, subject.backward)
    found = list(_checks(recording, subject, request, perturb=stale is None))
    evaluations = sum(count for _, count in found)
    return _Examined(recording, subject, stale, tuple(point for point, _ in found), evaluations)


def _notes(recording: Recording, subject: Subject, stale: str | None) -> Iterator[str]:
    """Say which conventions were recognised, and what the user should know about the check."""
    function = subject.backward.function
    if subject.convention is not None:
        yield subject.convention
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


def _checks(
    recording: Recording, subject: Subject, request: Request, *, perturb: bool, start: int = 0
) -> Iterator[tuple[Point, int]]:
    """Check at recorded points and, with `perturb`, at perturbed ones, in turn, until there are enough."""
    backward = subject.backward
    problem: ScriptError | None = None
    done = 0
    for number in range(start, 2 * len(backward.moments)):
        if done >= request.points:
            return
        perturbed = backward.names if number % 2 else ()
        if perturbed and not perturb:
            continue
        moment, seed = backward.moments[number // 2], (request.seed, number)
        stage = Stage(recording, backward, moment)
        with moved(stage.parameters, perturbed, np.random.default_rng(seed)):
            try:
                result = _check(stage, subject, request)
            except InputError as error:
                problem = ScriptError(error.message, slug=error.slug, line=backward.function.line)
            except Exception as error:  # noqa: BLE001 - the user's functions may raise anything
                problem = script_raised(error, recording.source)
            else:
                done += 1
                yield Point(moment, seed if perturbed else None, result), stage.evaluations
    if not done and problem is not None and not start:
        raise problem


def _check(stage: Stage, subject: Subject, request: Request) -> CheckResult:
    """Compare at the stage's parameters as they are; a float32 script's loss is differentiated in float64."""
    raw, scale = stage.gradient(), subject.scale.value

    def gradient(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: np.asarray(value) / scale for name, value in raw(values).items()}

    if subject.backward.is_narrow:
        result = _check_in_double(stage, subject, request, gradient(stage.parameters))
        if result is not None:
            return result
    return _compare(stage, subject, request, gradient)


def _check_in_double(stage: Stage, subject: Subject, request: Request, gradient: dict[str, Any]) -> CheckResult | None:
    """Compare a gradient with differences in float64; None where the script cannot do without float32."""
    single = stage.loss(subject.loss)(stage.parameters)
    try:
        with stage.in_double_precision():
            double = np.asarray(stage.loss(subject.loss)(stage.parameters))
            if double.dtype != np.float64 or not np.isclose(single, double, rtol=_SAME_LOSS):
                return None
            return _compare(stage, subject, request, gradient)
    except Exception:  # noqa: BLE001 - code that insists on float32 may fail in any way
        return None


def _compare(stage: Stage, subject: Subject, request: Request, gradient: Any) -> CheckResult:
    return check_grad(
        stage.loss(subject.loss),
        gradient,
        stage.parameters,
        rtol=request.rtol,
        atol=request.atol,
        method=request.method,
        seed=request.seed,
    )


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
