"""The losses of the trainings of a comparison as a chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from gradcheck.comparison.record import Comparison, Run
from gradcheck.report.comparison import drawn
from gradcheck.report.page.axis import WIDE, Axis
from gradcheck.report.page.chart import Chart, Frame, Label, Line
from gradcheck.report.page.words import short

_WIDTH, _HEIGHT, _MARGIN = 920, 390, 200
# points of a curve, and the distance of two lines of words
_MOST_POINTS, _LINE = 240, 30


def trainings(comparison: Comparison) -> Chart | None:
    """Return the chart; None where there is no training with a finite loss."""
    setting = comparison.setting
    runs = with_curves(comparison)
    if setting is None or not runs:
        return None
    courses = [thinned(run.losses) for run in runs]
    known = [loss for course in courses for loss in course if loss is not None]
    known += [setting.baseline] if math.isfinite(setting.baseline) else []
    low, high = min(known), max(known)
    wide = low > 0 and high / low > WIDE
    y = Axis.logarithmic(low, high) if wide else Axis.linear(*_roomy(low, high))
    frame = Frame(_WIDTH, _HEIGHT, _MARGIN, Axis.linear(0, 100), y)
    lines = []
    if math.isfinite(setting.baseline):
        lines.append(Line(frame.path((0, 100), (setting.baseline,) * 2), "baseline", "the best constant prediction"))
    for k, (run, course) in enumerate(zip(runs, courses, strict=True)):
        x = [100 * i / max(len(course) - 1, 1) for i in range(len(course))]
        lines.append(Line(frame.path(x, course), kind(k), f"{run.title}, {run.network}"))
    return frame.chart(
        "% of the training",
        f"{setting.measure}{', logarithmic' if wide else ''}",
        "Losses of the trainings",
        _text(runs, setting.baseline),
        lines=lines,
        labels=_names(frame, runs, courses, setting.baseline),
    )


def with_curves(comparison: Comparison) -> list[Run]:
    """Return the trainings that have a curve, in the order of their kinds."""
    return [run for run in drawn(comparison) if any(map(math.isfinite, run.losses))]


def kind(place: int) -> str:
    """Return the classes that give a curve its colour and its dashes."""
    return f"run run{place % 6}"


def thinned(losses: Sequence[float]) -> list[float | None]:
    """Return as many losses as can be seen: of each group the largest and the smallest, so that no peak is lost.

    Parameters
    ----------
    losses : sequence of float
        One after the other; what is not finite is None in the result.
    """
    known = [loss if math.isfinite(loss) else None for loss in losses]
    if len(known) <= _MOST_POINTS:
        return known
    groups = _MOST_POINTS // 2
    ends = [1 + (len(known) - 2) * i // groups for i in range(groups + 1)]
    found = known[:1]
    for a, b in pairwise(ends):
        finite = [i for i in range(a, b) if known[i] is not None]
        extremes = {min(finite, key=lambda i: losses[i]), max(finite, key=lambda i: losses[i])} if finite else {a}
        found += [known[i] for i in sorted(extremes)]
        # two each, so that the places of the groups stay where they are
        found += [found[-1]] * (2 - len(extremes))
    return [*found, known[-1]]


def _roomy(low: float, high: float) -> tuple[float, float]:
    room = 0.05 * (high - low)
    return low - room if low < 0 or low - room > 0 else 0.0, high + room


def _names(
    frame: Frame, runs: Sequence[Run], courses: Sequence[Sequence[float | None]], baseline: float
) -> list[Label]:
    """Return the names of the curves at their ends, moved apart where these are close."""
    wanted = []
    for k, (run, course) in enumerate(zip(runs, courses, strict=True)):
        last = next(loss for loss in reversed(course) if loss is not None)
        wanted.append((float(frame.at(100, last)[1]), run.title, f"{run.network}, ends at {run.final:.3g}", kind(k)))
    if math.isfinite(baseline):
        wanted.append((float(frame.at(100, baseline)[1]), "the best constant", f"{baseline:.3g}", "baseline"))
    wanted.sort()
    places = _apart([y for y, *_ in wanted], frame.top, frame.bottom)
    labels = []
    for y, (_, title, said, whose) in zip(places, wanted, strict=True):
        x = str(frame.right + 10)
        labels.append(Label(x, f"{y:.1f}", title, f"name {whose}", "start"))
        labels.append(Label(x, f"{y + 13:.1f}", said, "tick", "start"))
    return labels


def _apart(places: list[float], top: float, bottom: float) -> list[float]:
    """Return places, ascending, that are at least a line apart and as close to the wanted ones as that allows."""
    moved: list[float] = []
    for y in places:
        moved.append(max(y, moved[-1] + _LINE if moved else top + 4))
    limit = bottom - 13
    for k in reversed(range(len(moved))):
        moved[k] = min(moved[k], limit)
        limit = moved[k] - _LINE
    return moved


def _text(runs: Sequence[Run], baseline: float) -> str:
    parts = [f"{run.title} ({run.network}) goes from {short(run.losses[0])} to {short(run.final)}" for run in runs]
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}. The best constant prediction has {short(baseline)}."
