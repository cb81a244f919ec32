"""The panels of a picture of a check, each on axes of its own: heat maps, a scatter, the error against the step."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from matplotlib import font_manager, ticker
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.checker.step_curve import StepCurve
from gradcheck.checker.step_sweep import error_by_step
from gradcheck.numerics.arrays import FloatArray
from gradcheck.report.heat_map import ERROR_LIMITS, HeatMap
from gradcheck.report.worst import shortened

# told apart by readers of all kinds of colour vision, and in grey by their shapes
_BLUE, _RED, _YELLOW, _GREY = "#0072b2", "#d55e00", "#e69f00", "#b0b0b0"
_MARKS = {Verdict.MATCH: (_BLUE, "o"), Verdict.INCONCLUSIVE: (_YELLOW, "^"), Verdict.MISMATCH: (_RED, "X")}
# numbers of other sizes are shown in a unit, as the limits of axes must not overflow
_SMALLEST, _LARGEST = 1e-100, 1e100
# where the largest is so many times the median, all others would lie on one point of a linear axis
_WIDE = 100.0
_FEW = 500
# a relative error of 0 has no place on a logarithmic axis; less than this is less than any number's precision
_LEAST_ERROR = 1e-17


def legible(text: str, most: int = 60) -> str:
    """Return a text as a picture can show it: shortened, and letters that its font lacks as escapes."""
    return "".join(c if _has_glyph(c) else c.encode("unicode_escape").decode() for c in shortened(text, most))


@cache
def _has_glyph(letter: str) -> bool:
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return letter.isprintable() and font.get_char_index(ord(letter)) != 0


def entitle(axes: Axes, title: str) -> None:
    """Write above a panel; a dollar sign is one, not the beginning of a formula."""
    axes.set_title(title, fontsize=9, parse_math=False)


def unit_of(limit: float) -> float:
    """Return a power of ten for numbers up to `limit`: 1, unless they are huge or tiny."""
    return 1.0 if _SMALLEST < limit < _LARGEST else 10.0 ** math.floor(math.log10(limit))


def in_unit(words: str, unit: float) -> str:
    """Return a label with the unit of its numbers."""
    return words if unit == 1.0 else f"{words} (in {unit:.0e})"


def draw_number(axes: Axes, title: str, value: float) -> None:
    """Show one number, where a heat map would have one cell."""
    axes.set_axis_off()
    entitle(axes, title)
    axes.text(0.5, 0.5, f"{value:.6g}", ha="center", va="center", fontsize=12, transform=axes.transAxes)


def draw_values(axes: Axes, drawn: HeatMap, values: FloatArray, title: str) -> ScalarMappable:
    """Draw derivatives in colours that are the same for the analytic and the numerical ones.

    Parameters
    ----------
    values : float array, shape (rows, columns)
        Those of `drawn` to show.
    """
    unit = unit_of(drawn.limit)
    scale = Normalize(-drawn.limit / unit, drawn.limit / unit)
    return _draw_cells(axes, drawn, values / unit, ScalarMappable(scale, "PuOr"), title)


def draw_errors(axes: Axes, drawn: HeatMap) -> ScalarMappable:
    """Draw relative errors on a logarithmic scale that is the same in every picture."""
    mappable = ScalarMappable(LogNorm(*ERROR_LIMITS), "cividis")
    return _draw_cells(axes, drawn, drawn.error_levels, mappable, "relative error")


def _draw_cells(axes: Axes, drawn: HeatMap, values: FloatArray, colours: ScalarMappable, title: str) -> ScalarMappable:
    entitle(axes, title)
    rows, columns = drawn.shape
    strange = drawn.checked & ~np.isfinite(values)
    image = colours.to_rgba(np.where(drawn.checked & ~strange, values, np.nan))
    image[~drawn.checked] = 0.69, 0.69, 0.69, 1.0
    image[strange | (drawn.counts == 0)] = 1.0, 1.0, 1.0, 1.0
    down, across = drawn.block
    extent = (-0.5, columns * across - 0.5, rows * down - 0.5, -0.5)
    axes.imshow(image, interpolation="nearest", aspect="auto", extent=extent)
    y, x = np.nonzero(strange)
    axes.scatter(x * across + (across - 1) / 2, y * down + (down - 1) / 2, marker="x", color=_RED, s=20)
    axes.set(xlim=extent[:2], ylim=extent[2:])
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(
        ticker.MaxNLocator(4, integer=True, min_n_ticks=1) if rows > 1 else ticker.NullLocator()
    )
    axes.set_xlabel(drawn.across, fontsize=8)
    axes.set_ylabel(drawn.down if rows > 1 else "", fontsize=8)
    if rows == 1:
        axes.set_box_aspect(0.3)
    return colours


def draw_scatter(axes: Axes, parameter: ParameterResult) -> None:
    """Draw the analytic against the numerical derivatives, with the line on which they agree."""
    both = np.concatenate([parameter.analytic, parameter.numerical])
    unit = unit_of(float(np.max(np.abs(both), where=np.isfinite(both), initial=0.0)) or 1.0)
    analytic, numerical = parameter.analytic / unit, parameter.numerical / unit
    known = np.isfinite(analytic) & np.isfinite(numerical)
    verdicts = np.array([verdict.severity for verdict in parameter.verdicts])
    for verdict, (colour, mark) in _MARKS.items():
        of = known & (verdicts == verdict.severity)
        if of.any():
            label = f"{verdict.value} ({np.count_nonzero(of)})"
            axes.plot(numerical[of], analytic[of], mark, color=colour, ms=4, label=label, alpha=0.8, rasterized=True)
    limits = _choose_scale(axes, np.concatenate([analytic[known], numerical[known]]))
    axes.plot(limits, limits, "-", color=_GREY, lw=1, zorder=0)
    axes.set(xlim=limits, ylim=limits)
    missing = np.count_nonzero(~known)
    entitle(axes, f"{missing} of {known.size} not finite, left out" if missing else "the line: they agree")
    axes.set_xlabel(in_unit("numerical", unit), fontsize=8)
    axes.set_ylabel(in_unit("analytic", unit), fontsize=8)
    if known.any():
        # the best place is looked for among all points
        axes.legend(loc="best" if known.size <= _FEW else "upper left", fontsize=7, framealpha=0.7)


def _choose_scale(axes: Axes, values: FloatArray) -> tuple[float, float]:
    """Make both axes linear or, where most values would lie on one point then, logarithmic; return their limits."""
    lowest, highest = float(np.min(values, initial=np.inf)), float(np.max(values, initial=-np.inf))
    if not lowest <= highest:
        return -1.0, 1.0
    sizes = np.abs(values[values != 0])
    largest = float(np.max(sizes, initial=0.0))
    if not sizes.size or largest <= _WIDE * np.median(sizes):
        axes.locator_params(nbins=4)
        # equal numbers that differ by round-off are shown as equal
        room = 0.08 * (highest - lowest) if highest - lowest > 1e-3 * largest else 0.5 * largest or 1.0
        return lowest - room, highest + room
    straight = max(float(np.quantile(sizes, 0.1)), 1e-6 * largest)
    ticks = np.array([math.sqrt(straight * largest), largest])
    decades = 10.0 ** np.unique(np.floor(np.log10(ticks)))
    shown = [*(-decades[::-1] if lowest < 0 else ()), 0.0, *(decades if highest > 0 else ())]
    axes.set_xscale("symlog", linthresh=straight)
    axes.set_yscale("symlog", linthresh=straight)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.FixedLocator(shown))
        axis.set_minor_locator(ticker.NullLocator())
    return (3 * lowest if lowest < 0 else -straight), (3 * highest if highest > 0 else straight)


def draw_steps(axes: Axes, parameter: ParameterResult, curve: StepCurve) -> None:
    """Draw how far the central difference of one entry is from its derivatives, by its step."""
    place = np.unravel_index(curve.index, parameter.shape) if parameter.shape else ()
    entitle(axes, f"entry [{', '.join(str(int(i)) for i in place)}] by step" if parameter.shape else "by step")
    shown = 0
    for words, reference, style, colour in (
        ("analytic", curve.analytic, "o-", _RED),
        ("numerical", curve.numerical, "s--", _BLUE),
    ):
        error = error_by_step(curve, reference)
        known = np.isfinite(error)
        if known.any():
            shown += 1
            floor = np.maximum(error[known], _LEAST_ERROR)
            axes.plot(curve.steps[known], floor, style, color=colour, ms=3, lw=1, label=f"from {words}")
    axes.set_xlabel("step", fontsize=8)
    axes.set_ylabel("rel. error of difference", fontsize=8)
    if not shown:
        draw_words(axes, "no difference is finite")
        return
    axes.set(xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(ticker.LogLocator(base=10, numticks=5))
        axis.set_minor_locator(ticker.NullLocator())
    axes.legend(loc="best", fontsize=7, framealpha=0.7)


def draw_words(axes: Axes, words: str) -> None:
    """Say why there is no panel."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=8, transform=axes.transAxes)
