"""A check as a picture: a row per parameter, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib.figure import Figure, SubFigure

from gradcheck.checker.result import ParameterResult
from gradcheck.report.heat_map import heat_map
from gradcheck.report.panels import (
    draw_errors,
    draw_number,
    draw_scatter,
    draw_steps,
    draw_values,
    draw_words,
    in_unit,
    legible,
    unit_of,
)

_WIDTH, _ROW, _HEAD = 3.0, 2.4, 0.5


class Picture(Figure):
    """A figure that a notebook shows by itself: those that pyplot does not know are not shown otherwise."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def picture(parameters: Sequence[ParameterResult], title: str) -> Picture:
    """Return a picture of the comparison of some parameters."""
    with_steps = any(parameter.curve is not None for parameter in parameters)
    panels = 5 if with_steps else 4
    # without pyplot, no window system is asked for
    made = Picture(figsize=(_WIDTH * panels, _ROW * len(parameters) + _HEAD), layout="constrained")
    made.suptitle(legible(title, 140), fontsize=11, parse_math=False)
    rows = made.subfigures(len(parameters), 1, squeeze=False)
    for row, parameter in zip(rows[:, 0], parameters, strict=True):
        _draw_row(row, parameter, panels)
    return made


def _draw_row(row: SubFigure, parameter: ParameterResult, panels: int) -> None:
    axes = row.subplots(1, panels, squeeze=False)[0]
    for panel in axes:
        panel.tick_params(labelsize=7)
    drawn = heat_map(parameter)
    words = [f"{legible(parameter.name)}  ({' x '.join(map(str, parameter.shape)) or 'scalar'})", _verdict(parameter)]
    row.suptitle("   ".join([*words, *drawn.words]), fontsize=9, x=0.01, ha="left", parse_math=False)
    if parameter.shape:
        draw_values(axes[0], drawn, drawn.analytic, "analytic")
        values = draw_values(axes[1], drawn, drawn.numerical, "numerical")
        errors = draw_errors(axes[2], drawn)
        for colours, beside, label in (
            (values, axes[1], in_unit("derivative", unit_of(drawn.limit))),
            (errors, axes[2], ""),
        ):
            bar = row.colorbar(colours, ax=beside, extend="neither")
            bar.set_label(label, fontsize=8)
            bar.ax.tick_params(labelsize=7)
    else:
        draw_number(axes[0], "analytic", float(parameter.analytic[0]))
        draw_number(axes[1], "numerical", float(parameter.numerical[0]))
        draw_number(axes[2], "relative error", float(parameter.rel_error[0]))
    draw_scatter(axes[3], parameter)
    if panels > 4 and parameter.curve is not None:
        draw_steps(axes[4], parameter, parameter.curve)
    elif panels > 4:
        draw_words(axes[4], "no sweep of steps")


def _verdict(parameter: ParameterResult) -> str:
    reason = f" ({parameter.reason.value})" if parameter.reason is not None else ""
    wrong = f": {parameter.mismatched:,} of {parameter.checked:,} entries" if parameter.mismatched else ""
    return f"{parameter.verdict.value}{wrong}{reason}"
