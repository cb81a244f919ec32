"""An independent look at an edited script: it is run, understood and checked anew, and trained to see what that does.

Edits are searched for one loss, the one that was understood; where that was the wrong one, edits that fit it do harm.
So the judge asks what the search does not know: which loss is seen in the edited text, whether its gradients hold for
other parameters and other data, and whether the script's own training, run with the edits, still makes its loss
smaller.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradcheck.checker.verdict import Verdict
from gradcheck.repair.judgement import Judgement
from gradcheck.script.check.fresh_data import FreshData
from gradcheck.script.check.point import Point
from gradcheck.script.check.points import Examined, checks
from gradcheck.script.record.run import Recording
from gradcheck.script.replay.outputs import Kind
from gradcheck.script.replay.stage import LossExpression
from gradcheck.script.replay.stale import computed_before
from gradcheck.script.request import Request
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.names import is_maximised
from gradcheck.script.understand.losses import loss_candidates
from gradcheck.script.understand.reading import run, understood
from gradcheck.script.understand.subject import Subject
from gradcheck.session.training_run import Course, Run, course_of, follow_run, recorded_course, rounds_to_follow

# added to the seed for the points of an edited script
_FRESH = 1000
# twice as many points where the check has evaluated the loss so many times at most
_FEW_EVALUATIONS = 5_000
# of the fresh points, how many have to match; others may be undecided
_MATCHING = 0.5
_SAME_SCALE = 1e-6
# of what is left of the time limit, for examining an edited text, and for each of the trainings
_SHARE_OF_LOOK, _SHARE_OF_RUN = 0.6, 0.3
# what may be a loss, beside the one that was chosen
_MOST_OTHERS = 8


class SecondLook:
    """Judges edited texts of a script.

    Parameters
    ----------
    deadline : float
        When there is no time left, on the clock of ``time.monotonic``.
    taken : float
        How many seconds the script's own examination took; another one takes as long.
    """

    def __init__(self, examined: Examined, request: Request, deadline: float, taken: float) -> None:
        self._examined, self._request = examined, request
        self._deadline, self._taken = deadline, taken
        self._own: tuple[Run | None] | None = None

    def __call__(self, source: SourceFile) -> Judgement:
        """Judge a text."""
        if self._left() < self._taken:
            return Judgement(is_open=True)
        try:
            return self._judged(source)
        except Exception:  # noqa: BLE001 - an edited script may fail in any way
            return Judgement(is_open=self._left() <= 0)

    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _judged(self, source: SourceFile) -> Judgement:
        if source.unknown - self._examined.recording.source.unknown:
            return Judgement()  # a name of another file, which this one does not know
        seconds = _SHARE_OF_LOOK * self._left()
        request = replace(
            self._request,
            seed=self._request.seed + _FRESH,
            seconds=seconds,
            deadline=time.monotonic() + seconds,
            points=self._request.points * (2 if self._examined.evaluations <= _FEW_EVALUATIONS else 1),
        )
        recording = run(source, request)
        subjects = understood(recording, request)
        subject = self._same(subjects)
        if subject is None:
            return Judgement()
        points = _fresh_points(recording, subject, request)
        matching = matching_points([point.result.verdict for point in points])
        return self._trained(recording, subject, matching) if matching else Judgement()

    def _same(self, subjects: Sequence[Subject]) -> Subject | None:
        """Return what is checked in the edited text in place of what was: all of these parameters, of whatever loss."""
        own = self._examined.subject
        fitting = [s for s in subjects if set(s.backward.names) >= set(own.backward.names)]
        # of several with parameters of the same names, that of the same function and loss
        fitting = [s for s in fitting if s.backward.function.name == own.backward.function.name] or fitting
        found = next((s for s in fitting if s.loss.text == own.loss.text), fitting[0] if fitting else None)
        if found is None or (found.loss.is_implied and not own.loss.is_implied):
            return None
        # of the same loss, it is not to become another multiple of the gradient
        is_same = found.loss.text == own.loss.text
        return None if is_same and not (_has_same_scale(own, found) or _is_plainer(own, found)) else found

    def _trained(self, recording: Recording, subject: Subject, points: int) -> Judgement:
        """Judge by the script's own training, with the edits and without."""
        own = self._examined
        if self._left() <= 0:
            return Judgement(is_open=True)
        if own.stale is not None:
            before = recorded_course(own.recording, own.subject.backward, own.subject.loss)
            after = recorded_course(recording, subject.backward, subject.loss)
            destroyed = after is not None and after.explodes() and (before is None or not before.explodes())
            return _refused(subject.loss, after, before) if destroyed and after is not None else Judgement(points)
        runs = self._runs(recording.source, subject)
        if runs is None:
            return Judgement(is_open=True)
        without, mended = runs
        if mended is None:
            return Judgement(points)
        if mended.problem is not None and (without is None or without.problem is None):
            return Judgement(harm=f"edits were found that make the gradients match, but with them {mended.problem}")
        if not subject.is_minimised:
            return Judgement(points)
        return self._compared(recording, subject, points, without, mended)

    def _runs(self, source: SourceFile, subject: Subject) -> tuple[Run | None, Run | None] | None:
        """Follow the script as it is, once for all edits, and the edited one; None where the time does not allow it."""
        slots = [pair.slot for pair in subject.backward.pairs]
        own, request = self._examined, self._request
        most = rounds_to_follow(own.recording, own.subject.backward)

        def follow(text: SourceFile, region: str) -> Run | None:
            return follow_run(text, request.argv, region, slots, most, request.seed, _SHARE_OF_RUN * self._left())

        if self._own is None:
            self._own = (follow(own.recording.source, own.subject.backward.region.name),)
        if self._left() <= 0:
            return None
        found = follow(source, subject.backward.region.name)
        return None if self._left() <= 0 else (self._own[0], found)

    def _compared(
        self, recording: Recording, subject: Subject, points: int, without: Run | None, mended: Run
    ) -> Judgement:
        backward = subject.backward

        def courses(loss: LossExpression) -> tuple[Course | None, Course | None]:
            before = None if without is None else course_of(without, recording, backward, loss)
            return before, course_of(mended, recording, backward, loss)

        before, after = courses(subject.loss)
        sign = _direction(subject)
        if after is None:
            return Judgement(points)
        if after.rises(sign) and (before is None or not before.rises(sign)):
            return _refused(subject.loss, after, before)
        for other in self._others(recording, subject):
            one, two = courses(other)
            if one is not None and two is not None and two.explodes() and not one.rises():
                return _refused(other, two, one)
        if before is not None and after.is_worse(before, sign):
            return Judgement(points, remark=_remark(subject.loss, after, before))
        return Judgement(points)

    @staticmethod
    def _others(recording: Recording, subject: Subject) -> list[LossExpression]:
        """Return what else the script may call its loss, by the names that it has."""
        found = loss_candidates(recording.source, subject.backward)
        return [loss for loss in found if loss.text != subject.loss.text and loss.near][:_MOST_OTHERS]


def _fresh_points(recording: Recording, subject: Subject, request: Request) -> list[Point]:
    """Check at points that the search has not seen: parameters and data are others at every second one."""
    perturb = computed_before(recording, subject.backward) is None
    fresh = FreshData(recording, subject) if perturb else None
    return [point for point, _ in checks(recording, subject, request, perturb=perturb, fresh=fresh)]


def matching_points(verdicts: Sequence[Verdict]) -> int:
    """Return at how many points everything matches; 0 where one is wrong, or too many are undecided."""
    matching = verdicts.count(Verdict.MATCH)
    return 0 if Verdict.MISMATCH in verdicts or matching < _MATCHING * len(verdicts) else matching


def _has_same_scale(one: Subject, other: Subject) -> bool:
    return math.isclose(other.scale.value, one.scale.value, rel_tol=_SAME_SCALE)


def _is_plainer(one: Subject, other: Subject) -> bool:
    """Whether gradients are seen themselves in a text, of which the other only shows the steps: it did not fit them."""
    kinds = one.backward.kind, other.backward.kind
    return kinds[0] is Kind.CHANGE and kinds[1] is not Kind.CHANGE and other.scale.value == 1


def _direction(subject: Subject) -> float:
    """Return 1 where a training is to make the loss small, -1 where it is to make it large."""
    if not is_maximised(subject.loss.name):
        return 1.0
    scale, backward = subject.scale.value, subject.backward
    if backward.kind is Kind.CHANGE:
        return -1.0 if scale > 0 else 1.0
    adds = [pair.adds for pair in backward.pairs if pair.adds is not None]
    return -1.0 if bool(adds) and all(adds) == (scale > 0) else 1.0


def _told(values: np.ndarray) -> str:
    return f"{float(np.mean(values)):.4g}"


def _refused(loss: LossExpression, after: Course, before: Course | None) -> Judgement:
    """Refuse edits with which a training goes wrong."""
    without = "" if before is None else f", and without them to {_told(before.end)}"
    return Judgement(
        harm=f"edits were found that make the gradients match those of {loss.shown}, but with them the script's own "
        f"training takes it from {_told(after.start)} to {_told(after.end)}{without}: they are not shown. "
        "The script may have another loss (--loss NAME says which), step the other way, or take steps that are too "
        "large for that gradient"
    )


def _remark(loss: LossExpression, after: Course, before: Course) -> str:
    """Say that a training ends worse than before."""
    worse = abs(float(np.mean(after.end) - np.mean(before.end)))
    return (
        f"with the fix, the script's own training ends with {loss.shown} at {_told(after.end)}, which is {worse:.4g} "
        f"worse than the {_told(before.end)} that it ends with now: its step size suited the wrong gradient, and has "
        "to be chosen anew"
    )
