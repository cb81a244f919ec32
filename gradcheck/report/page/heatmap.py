"""Heat maps of a parameter: its two gradients on one scale, and the errors between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.checker.result import ParameterResult
from gradcheck.numerics.arrays import FloatArray
from gradcheck.report.page.grid import Grid, where_wrong
from gradcheck.report.page.palette import Scale
from gradcheck.report.page.words import counted, place, rough, short

# of the picture on the page, in pixels
_LARGEST, _SMALLEST_CELL, _LARGEST_CELL, _LONGEST_CELL = 240, 1, 32, 6
# the relative error has the same colours in every report: from round-off to opposite signs
_LEAST_RELATIVE, _MOST_RELATIVE = 1e-10, 2.0


@dataclass(frozen=True)
class Legend:
    """What the colours of heat maps stand for.

    Attributes
    ----------
    strip : str
        The colours, as the address of an image.
    low, middle, high : str
        The numbers at its ends and, where it is not empty, in its middle.
    """

    strip: str
    low: str
    middle: str
    high: str


@dataclass(frozen=True)
class HeatMap:
    """One picture.

    Attributes
    ----------
    source : str
        The picture, as the address of an image.
    text : str
        What is to be seen in it, in words.
    """

    title: str
    source: str
    text: str
    legend: Legend


@dataclass(frozen=True)
class HeatMaps:
    """The pictures of one parameter, all of one size and layout.

    Attributes
    ----------
    width, height : int
        Of each, in pixels of the page.
    layout, where : str
        How the entries are laid out, and where the wrong ones lie.
    """

    width: int
    height: int
    maps: tuple[HeatMap, ...]
    layout: str
    where: str
    remarks: tuple[str, ...]


def heat_maps(parameter: ParameterResult, side: int) -> HeatMaps | None:
    """Return the heat maps of a parameter; None for a single number, of which there is nothing to see."""
    if parameter.size < 2:
        return None
    grid = Grid.of(parameter, side)
    rows, columns = grid.chosen.shape
    width, height = _cell(rows, columns)
    return HeatMaps(
        width * columns,
        height * rows,
        _maps(parameter, grid),
        grid.layout,
        where_wrong(parameter),
        _remarks(parameter, grid),
    )


def _cell(rows: int, columns: int) -> tuple[int, int]:
    """Return the width and the height of one place."""
    width, height = (min(max(_LARGEST // n, _SMALLEST_CELL), _LARGEST_CELL) for n in (columns, rows))
    return min(width, _LONGEST_CELL * height), min(height, _LONGEST_CELL * width)


def _maps(parameter: ParameterResult, grid: Grid) -> tuple[HeatMap, ...]:
    seen = grid.chosen >= 0

    def spread(values: FloatArray) -> FloatArray:
        return np.where(seen, values[grid.chosen], 0.0)

    gradients = Scale.signed(parameter.analytic, parameter.numerical)
    shared = Legend(gradients.strip(), f"{gradients.low:.3g}", "0", f"{gradients.high:.3g}")
    found = [
        HeatMap(title, gradients.picture(spread(values), seen), _range(parameter, title, values), shared)
        for title, values in (("analytic gradient", parameter.analytic), ("numerical gradient", parameter.numerical))
    ]
    relative = Scale.error(_LEAST_RELATIVE, _MOST_RELATIVE)
    largest = float(np.max(parameter.abs_error[np.isfinite(parameter.abs_error)], initial=0.0))
    errors = [("relative error", parameter.rel_error, relative)]
    # below the smallest normal number there is no room for a scale
    if largest > 1e-290:
        errors.append(("absolute error", parameter.abs_error, Scale.error(largest * 1e-6, largest)))
    for title, values, scale in errors:
        legend = Legend(scale.strip(), f"≤ {rough(scale.low)}", "", rough(scale.high))
        found.append(HeatMap(title, scale.picture(spread(values), seen), _worst(parameter, title, values), legend))
    return tuple(found)


def _range(parameter: ParameterResult, title: str, values: FloatArray) -> str:
    finite = values[np.isfinite(values)]
    said = f"from {short(finite.min())} to {short(finite.max())}" if finite.size else "not finite anywhere"
    lost = values.size - finite.size
    more = f"; {counted(lost, 'value')} not finite" if lost and finite.size else ""
    return f"{title.capitalize()} of {parameter.name}: {said}{more}."


def _worst(parameter: ParameterResult, title: str, values: FloatArray) -> str:
    top = int(np.argmax(np.where(np.isnan(values), np.inf, values)))
    said = f"largest {rough(values[top])} at {place(parameter.name, parameter.index(top))}"
    return f"{title.capitalize()} of {parameter.name}: {said}. {where_wrong(parameter)}"


def _remarks(parameter: ParameterResult, grid: Grid) -> tuple[str, ...]:
    found = [grid.reduced] if grid.reduced else []
    if parameter.checked < parameter.size:
        what = "blocks without an entry" if grid.reduced else "entries"
        found.append(f"hatched: {what} not compared one by one")
    if not (np.isfinite(parameter.analytic).all() and np.isfinite(parameter.numerical).all()):
        found.append("black: not finite")
    return tuple(found)
