"""The analytic against the numerical derivatives of a parameter: what is right lies on the diagonal."""

from __future__ import annotations

import numpy as np

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.numerics.arrays import FloatArray
from gradcheck.report.page.axis import WIDE, Axis
from gradcheck.report.page.chart import Chart, Frame, Line, Mark
from gradcheck.report.page.words import counted, place, short

_WIDTH, _HEIGHT = 320, 306
# decades that are drawn below the largest derivative where they differ much
_DECADES = 15


def scatter(parameter: ParameterResult, most: int) -> Chart | None:
    """Return the chart; None where fewer than two entries have finite derivatives."""
    finite = np.isfinite(parameter.analytic) & np.isfinite(parameter.numerical)
    usable = parameter.order[finite[parameter.order]]
    if usable.size < 2:
        return None
    drawn = _chosen(parameter, usable, most)
    both = np.concatenate([parameter.analytic[finite], parameter.numerical[finite]])
    wrong = finite & np.array([verdict is Verdict.MISMATCH for verdict in parameter.verdicts])
    axis, kind = _axis(both, np.abs(parameter.numerical[wrong]))
    frame = Frame(_WIDTH, _HEIGHT, 14, axis, axis)
    marks = []
    # what is wrong is drawn last, above the others
    for i in reversed(drawn):
        x, y = float(parameter.numerical[i]), float(parameter.analytic[i])
        said = f"{place(parameter.name, parameter.index(i))}: analytic {short(y)}, numerical {short(x)}"
        marks.append(Mark(*frame.at(x, y), parameter.verdicts[i].value, said))
    diagonal = frame.path((axis.low, axis.high), (axis.low, axis.high))
    return frame.chart(
        f"numerical{kind}",
        f"analytic{kind}",
        f"Analytic against numerical derivatives of {parameter.name}",
        _text(parameter, len(drawn), int(usable.size)),
        lines=[Line(diagonal, "diagonal", "analytic = numerical")],
        marks=marks,
    )


def _chosen(parameter: ParameterResult, usable: np.ndarray[tuple[int], np.dtype[np.intp]], most: int) -> list[int]:
    wrong = sum(parameter.verdicts[i] is not Verdict.MATCH for i in usable)
    first = [int(i) for i in usable[: min(wrong, most)]]
    rest, room = usable[len(first) :], most - len(first)
    if room < 1 or not rest.size:
        return first
    return first + [int(i) for i in rest[np.linspace(0, rest.size - 1, min(room, rest.size)).astype(int)]]


def _axis(values: FloatArray, wrong: FloatArray) -> tuple[Axis, str]:
    """Return the axis of both directions, fine enough that what is wrong does not shrink to a point at 0."""
    sizes = np.abs(values[values != 0])
    largest = float(sizes.max(initial=0.0)) or 1.0
    typical = float(np.quantile(sizes, 0.5, method="lower")) if sizes.size else 1.0
    if largest < WIDE * typical or largest < 1e-290:
        low, high = float(values.min()), float(values.max())
        room = 0.06 * (high / 2 - low / 2)
        return Axis.linear(max(low - room, -1.7e308), min(high + room, 1.7e308)), ""
    small = float(np.quantile(sizes, 0.1, method="lower"))
    fine = max(float(wrong[wrong > 0].min(initial=small)), largest * 10.0**-_DECADES)
    return Axis.both_signs(min(largest * 1.3, 1.7e308), fine), ", logarithmic on both sides of 0"


def _text(parameter: ParameterResult, drawn: int, usable: int) -> str:
    wrong, unsure = parameter.mismatched, parameter.inconclusive
    right = parameter.checked - wrong - unsure
    parts = [f"{right:,} of {counted(parameter.checked, 'entry', 'entries')} {'matches' if right == 1 else 'match'}"]
    parts += [f"{counted(wrong, 'is', 'are')} wrong"] if wrong else []
    parts += [f"{unsure:,} could not be decided"] if unsure else []
    said = "; ".join(parts) + "."
    if drawn < usable:
        said += f" {drawn:,} entries are drawn, the wrong ones first."
    if usable < parameter.checked:
        said += f" {counted(parameter.checked - usable, 'entry is', 'entries are')} not finite and not drawn."
    return said
