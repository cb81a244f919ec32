"""Compare the gradients of a script with differences at several points."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.checker.functions import check_grad, check_with
from gradcheck.checker.options import BRIEF, THOROUGH, Options, Search
from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.errors import InputError, ScriptError
from gradcheck.evaluate.forking import Forks
from gradcheck.evaluate.tracking import Progress
from gradcheck.script.check.coverage import by_coverage
from gradcheck.script.check.fresh_data import FreshData
from gradcheck.script.check.growth import before_growth, fitted, grown
from gradcheck.script.check.point import Point, staged
from gradcheck.script.check.rounding import less_rounded, rounded
from gradcheck.script.check.saturated import deciding, least_logarithm, shows_less
from gradcheck.script.record.raised import script_raised
from gradcheck.script.record.run import Call, Recording
from gradcheck.script.replay.pairing import GradientMap
from gradcheck.script.replay.perturb import along, moved
from gradcheck.script.replay.stage import Stage
from gradcheck.script.replay.stale import computed_before
from gradcheck.script.request import Request
from gradcheck.script.understand.guards import GuardlessSource, small_constants
from gradcheck.script.understand.probing import QUICK_SECONDS
from gradcheck.script.understand.reading import run, understood
from gradcheck.script.understand.subject import Subject
from gradcheck.script.understand.unchecked import Unchecked

# of the losses in single and in double precision; further apart, the script does something else in double precision
_SAME_LOSS = 1e-3
# for a point where there is no time left: what is seen then is shown
_LEAST_SECONDS = 0.1
# what is spent at most, as a multiple of the check, to look for a moment at which something is wrong
_LOOKING, _LEAST_LOOKING = 0.5, 100
# by what share of them a small constant in the loss changes most entries of a gradient at most
_MUCH = 0.1
# by what parameters are divided, again and again, where the loss is saturated, and how small they become at most
_SMALLER, _LEAST_SIZE = 4.0, 1e-6
# how many constants are listed
_SHOWN = 3
# after how many points, and how many seconds of computing, no further point is checked
_FEWEST, _LONG = 2, 3.0


@dataclass(frozen=True)
class Examined:
    """A script, or one of several models in it, that was recorded, understood and checked."""

    recording: Recording
    subject: Subject
    stale: str | None
    points: tuple[Point, ...]
    evaluations: int

    @property
    def wrong(self) -> frozenset[str]:
        """The names of the parameters whose gradients are wrong at some point."""
        found = (parameter for point in self.points for parameter in point.result.parameters)
        return frozenset(parameter.name for parameter in found if parameter.verdict is Verdict.MISMATCH)


# receives models of which something is known
Seen = Callable[[Sequence[Examined]], object]


def checked(
    recording: Recording, subjects: Sequence[Subject], request: Request, seen: Seen | None = None
) -> list[Examined]:
    """Compare the gradients of a script with differences; there is one result per model.

    As soon as there is something to show of a model, `seen` receives it, after those that are complete.
    """
    found: list[Examined] = []
    for subject in subjects:
        keep = None if seen is None else partial(_keep, seen, tuple(found))
        found.append(_examined(recording, subject, request, keep))
    found = [_where_it_is_not_saturated(examined, request) for examined in _with_right_bases(found)]
    if request.left <= 0 or not any(map(_may_be_guards, found)):
        return found
    guardless = GuardlessSource(recording.source)
    if not guardless.guards:
        return found
    quiet = replace(request, told=None)
    try:
        again = run(guardless, quiet)
        others = [_examined(again, subject, quiet) for subject in understood(again, quiet)]
    except ScriptError:
        return found
    return [_unguarded(examined, others, guardless) for examined in found]


def _keep(seen: Seen, before: tuple[Examined, ...], model: Examined) -> None:
    seen([*before, model])


def _with_right_bases(found: Sequence[Examined]) -> list[Examined]:
    """Return what was found without the derivatives of gradients that are wrong themselves: these are not checked."""
    parts = {(e.subject.backward.function.name, p.output.leaf.name) for e in found if e.wrong for p in _pairs(e)}
    kept = [examined for examined in found if examined.subject.basis not in parts]
    rows = []
    for examined in [examined for examined in found if examined not in kept]:
        name, basis = examined.subject.backward.function.name, examined.subject.basis
        reason = f"it is the derivative of `{basis and basis[0]}`, which is wrong itself: check it when that is right"
        rows += [Unchecked(f"{name}.{p.slot.name}", p.slot.leaf.shape, reason) for p in _pairs(examined)]
    if rows:
        first = kept[0].subject
        kept[0] = replace(kept[0], subject=replace(first, unchecked=(*first.unchecked, *rows)))
    return kept


def _pairs(examined: Examined) -> tuple[GradientMap, ...]:
    return examined.subject.backward.pairs


def _may_be_guards(examined: Examined) -> bool:
    """Whether a small constant in the loss may be all that is wrong with a parameter: it does not change much."""
    first = {parameter.name: parameter for parameter in examined.points[0].result.parameters}
    for name in examined.wrong:
        analytic, numerical = (np.asarray(part, dtype=float) for part in (first[name].analytic, first[name].numerical))
        with np.errstate(all="ignore"):
            off = np.abs(analytic - numerical) / np.maximum(np.abs(analytic), np.abs(numerical))
        if not np.nanmedian(off) > _MUCH:
            return True
    return False


def _where_it_is_not_saturated(examined: Examined, request: Request) -> Examined:
    """Return what was found at points where no constant decides the loss, where one does so wherever it was wrong."""
    recording, backward, loss = examined.recording, examined.subject.backward, examined.subject.loss
    constants = small_constants(recording.source)
    if not examined.wrong or examined.stale is not None or not constants:
        return examined
    leasts = []
    for point in examined.points:
        if point.result.verdict is Verdict.MISMATCH:
            with staged(recording, backward, point) as stage:
                leasts.append(least_logarithm(stage, loss))
    constant = deciding(leasts, [constant.value for constant in constants])
    if constant is None:
        return examined
    found, size = list[Point](), 1.0
    while not found and size > _LEAST_SIZE and request.left > 0:
        size /= _SMALLER
        for point in examined.points:
            smaller = replace(point, size=size)
            try:
                with staged(recording, backward, smaller) as stage:
                    if shows_less(least_logarithm(stage, loss), constant):
                        found.append(replace(smaller, result=_check(stage, examined.subject, request, len(found))))
            except Exception:  # noqa: BLE001 - the user's functions may raise anything
                continue
    if not found:
        return examined
    line = next(one.line for one in constants if one.value == constant)
    remark = (
        f"gradients are compared at parameters {1 / size:g} times smaller than those of the training, which give "
        f"outputs of 0 and 1, so that {constant:g} in line {line}, which guards the loss, decides it"
    )
    subject = replace(examined.subject, remark=examined.subject.remark or remark)
    return replace(examined, subject=subject, points=tuple(found))


def _unguarded(examined: Examined, others: Sequence[Examined], source: GuardlessSource) -> Examined:
    """Return what was found without small constants in the loss, where less is wrong then."""
    for other in others:
        is_same = set(other.subject.backward.names) == set(examined.subject.backward.names)
        if is_same and other.subject.loss.text == examined.subject.loss.text and other.wrong < examined.wrong:
            written = ", ".join(f"{guard.value:g} in line {guard.line}" for guard in source.guards[:_SHOWN])
            remark = f"gradients are compared with those of the loss without its guard against zero ({written})"
            return replace(other, subject=replace(other.subject, remark=remark))
    return examined


def _examined(
    recording: Recording, subject: Subject, request: Request, keep: Callable[[Examined], object] | None = None
) -> Examined:
    stale = None if subject.backward.handed else computed_before(recording, subject.backward)
    found = []
    for point, count in checks(recording, subject, request, perturb=stale is None):
        found.append((point, count))
        if keep is not None and len(found) == 1:
            keep(Examined(recording, subject, stale, (point,), count))
    if all(point.result.verdict is Verdict.MATCH for point, _ in found):
        found += _astray(recording, subject, request, found)
    evaluations = sum(count for _, count in found)
    return Examined(recording, subject, stale, tuple(point for point, _ in found), evaluations)


def _astray(
    recording: Recording, subject: Subject, request: Request, found: Sequence[tuple[Point, int]]
) -> list[tuple[Point, int]]:
    """Check at the first recorded moment at which something seems wrong along random directions, if there is one.

    Some mistakes show in few steps only: where a sample occurs twice, or units are no longer active.
    """
    backward = subject.backward
    left = max(_LOOKING * sum(count for _, count in found), _LEAST_LOOKING)
    if backward.is_narrow or grown(backward):
        return []
    known = {point.moment.number for point, _ in found}
    for moment in [moment for moment in backward.moments if moment.number not in known]:
        if left <= 0 or request.left <= 0:
            return []
        try:
            result = _along_directions(Stage(recording, backward, moment), subject, request.seed)
            left -= result.evaluations
            if result.verdict is Verdict.MISMATCH:
                return list(checks(recording, subject, replace(request, points=1), perturb=False, moments=[moment]))
        except Exception:  # noqa: BLE001 - the user's functions may raise anything
            continue
    return []


def _along_directions(stage: Stage, subject: Subject, seed: int) -> CheckResult:
    """Compare the slope of the loss along a random direction of each parameter with what the gradient says of it."""
    raw, loss = stage.gradient()(stage.parameters), stage.loss(subject.loss)
    rng, names = np.random.default_rng(seed), subject.backward.names
    ways = [(name, rng.standard_normal(np.shape(stage.parameters[name]))) for name in names]
    slopes = np.array([np.sum(np.asarray(raw[name], dtype=float) * way) / subject.scale.value for name, way in ways])
    with along(stage.parameters, ways) as move:

        def moved_loss(shifts: np.ndarray) -> Any:
            move(shifts)
            return loss(stage.parameters)

        return check_grad(moved_loss, slopes, np.zeros(len(ways)))


def checks(
    recording: Recording,
    subject: Subject,
    request: Request,
    *,
    perturb: bool,
    start: int = 0,
    fresh: FreshData | None = None,
    moments: Sequence[Call] | None = None,
) -> Iterator[tuple[Point, int]]:
    """Check at recorded points and, with `perturb`, at perturbed ones, in turn, until there are enough."""
    backward = before_growth(subject.backward)
    moments = by_coverage(recording, backward) if moments is None else moments
    problem: ScriptError | None = None
    done, wrong, began = 0, False, time.process_time()

    def point(moment: Call, seed: tuple[int, int], names: Sequence[str]) -> tuple[Point, int]:
        with ExitStack() as changes:
            if names and fresh is not None:
                changes.enter_context(fresh.changed(moment, np.random.default_rng(seed)))
            stage = Stage(recording, backward, moment)
            changes.enter_context(moved(stage.parameters, names, np.random.default_rng(seed)))
            result = _check(stage, subject, request, done)
            return Point(moment, seed if names else None, result), max(stage.evaluations, result.evaluations)

    for number in range(start, 2 * len(moments)):
        if done >= request.points or (done and request.left <= 0):
            return
        if (wrong or done >= _FEWEST) and time.process_time() - began > _LONG:
            return
        perturbed = backward.names if number % 2 else ()
        if perturbed and not perturb:
            continue
        try:
            found = point(moments[number // 2], (request.seed, number), perturbed)
        except InputError as error:
            problem = ScriptError(error.message, slug=error.slug, line=backward.function.line)
        except Exception as error:  # noqa: BLE001 - the user's functions may raise anything
            problem = script_raised(error, recording.source)
        else:
            done += 1
            wrong |= found[0].result.verdict is Verdict.MISMATCH
            yield found
    if not done and problem is not None and not start:
        raise problem


def _check(stage: Stage, subject: Subject, request: Request, done: int) -> CheckResult:
    """Compare at the stage's parameters as they are; a float32 script's loss is differentiated in float64."""
    raw, scale, growing = stage.gradient(), subject.scale.value, grown(subject.backward)
    before = time.process_time()
    raw(stage.parameters)
    # what is wrong there is known, or found by hundreds of replays that take long
    search = BRIEF if done or time.process_time() - before > QUICK_SECONDS else THOROUGH

    def gradient(values: Mapping[str, Any]) -> dict[str, Any]:
        return fitted({name: np.asarray(value) / scale + 0.0 for name, value in raw(values).items()}, values, growing)

    if subject.backward.is_narrow:
        result = _check_in_double(stage, subject, request, done, gradient(stage.parameters), search)
        if result is not None:
            return result
    return _compare(stage, subject, request, done, gradient, search)


def _check_in_double(
    stage: Stage, subject: Subject, request: Request, done: int, gradient: dict[str, Any], search: Search
) -> CheckResult | None:
    """Compare a gradient with differences in float64; None where the script cannot do without float32."""
    single = stage.loss(subject.loss)(stage.parameters)
    try:
        with stage.in_double_precision():
            double = np.asarray(stage.loss(subject.loss)(stage.parameters))
            if double.dtype != np.float64 or not np.isclose(single, double, rtol=_SAME_LOSS):
                return None
            return _compare(stage, subject, request, done, less_rounded(stage, subject, gradient), search)
    except Exception:  # noqa: BLE001 - code that insists on float32 may fail in any way
        return None


def _compare(stage: Stage, subject: Subject, request: Request, done: int, gradient: Any, search: Search) -> CheckResult:
    def tell(progress: Progress) -> None:
        others = (request.points - done - 1) * (progress.elapsed + progress.remaining)
        whole = replace(progress, remaining=progress.remaining + others)
        request.tell(f"point {done + 1} of {request.points}, {whole}")

    options = Options.validated(
        rtol=request.rtol,
        atol=(request.atol or 0.0) + rounded(stage, subject),
        method=request.method,
        workers=Forks(request.workers) if request.workers > 1 else None,
        max_evals=request.max_evals,
        timeout=None if request.deadline is None else max(request.left, _LEAST_SECONDS),
        resume=request.resume,
        progress=False if request.told is None else tell,
        seed=request.seed,
    )
    return check_with(options._replace(search=search), stage.loss(subject.loss), gradient, stage.parameters)
