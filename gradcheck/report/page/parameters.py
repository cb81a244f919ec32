"""The parameters of a script for the page: a row of the table each, and the pictures of the worst."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.report.page.chart import Chart
from gradcheck.report.page.heatmap import HeatMaps, heat_maps
from gradcheck.report.page.limits import Limits
from gradcheck.report.page.prose import Piece, pieces
from gradcheck.report.page.scatter import scatter
from gradcheck.report.page.sweep import sweep
from gradcheck.report.page.words import bound, exact, place, rough, short, sized
from gradcheck.report.problems import UNCHECKED
from gradcheck.session.result import ScriptResult, Unchecked

_WORST = 10


@dataclass(frozen=True)
class Cell:
    """A number in a table: how it is shown, and with all its digits, for sorting and for whoever wants them."""

    text: str
    value: str


@dataclass(frozen=True)
class ParameterRow:
    """A row of the table of parameters.

    Attributes
    ----------
    number : int
        Its place in the script, from 1.
    shape, wrong, analytic, numerical, error, relative : Cell
        The columns: of the worst entry where they are about one.
    """

    number: int
    name: str
    shape: Cell
    wrong: Cell
    analytic: Cell
    numerical: Cell
    error: Cell
    relative: Cell
    entry: str
    verdict: str
    severity: int
    remarks: tuple[list[Piece], ...]
    is_pictured: bool


@dataclass(frozen=True)
class EntryRow:
    """One of the worst entries, with all digits."""

    name: str
    analytic: str
    numerical: str
    error: str
    relative: str
    verdict: str
    reason: str


@dataclass(frozen=True)
class ParameterView:
    """The pictures of a parameter.

    Attributes
    ----------
    sweep : Chart or None
        Where a sweep of steps was made.
    """

    row: ParameterRow
    maps: HeatMaps | None
    scatter: Chart | None
    sweep: Chart | None
    entries: tuple[EntryRow, ...]
    caption: str


def parameter_rows(script: ScriptResult, number: int, limits: Limits) -> tuple[ParameterRow, ...]:
    """Return a row per parameter of the script with a number, in the script's order; last what was not checked.

    Of the latter the reasons are no remarks: parameters often share one, and it stands below the table.
    """
    said = dict(script.signatures)
    checked = [
        _row(parameter, k + 1, said.get(parameter.name, ""), is_pictured=(number, k) in limits.pictured)
        for k, parameter in enumerate(script.parameters)
    ]
    return (*checked, *(_unchecked_row(row, k) for k, row in enumerate(script.unchecked, len(checked) + 1)))


def parameter_views(script: ScriptResult, rows: tuple[ParameterRow, ...], limits: Limits) -> tuple[ParameterView, ...]:
    """Return the pictures of the parameters that have some, the worst verdicts first."""
    # the rows beyond are of what was not checked
    pairs = [(p, row) for p, row in zip(script.parameters, rows, strict=False) if row.is_pictured]
    pairs.sort(key=lambda pair: -pair[1].severity)
    return tuple(_view(parameter, row, limits) for parameter, row in pairs)


def _row(parameter: ParameterResult, number: int, said: str, *, is_pictured: bool) -> ParameterRow:
    i = parameter.worst
    reason = parameter.reason
    remarks = filter(None, (said, reason.sentence if reason is not None else "", parameter.coverage))
    return ParameterRow(
        number=number,
        name=parameter.name,
        shape=Cell(sized(parameter.shape), str(parameter.size)),
        wrong=Cell(parameter.wrong, str(parameter.mismatched)),
        analytic=_cell(parameter.analytic[i]),
        numerical=_cell(parameter.numerical[i]),
        error=Cell(bound(parameter.numerical_error[i]), exact(parameter.numerical_error[i])),
        relative=Cell(rough(parameter.rel_error[i]), exact(parameter.rel_error[i])),
        entry=place("", parameter.worst_index),
        verdict=parameter.verdict.value,
        severity=parameter.verdict.severity,
        remarks=tuple(map(pieces, remarks)),
        is_pictured=is_pictured,
    )


def _unchecked_row(row: Unchecked, number: int) -> ParameterRow:
    none = Cell("", "nan")
    return ParameterRow(
        number=number,
        name=row.name,
        shape=Cell(sized(row.shape), str(math.prod(row.shape))),
        wrong=none,
        analytic=none,
        numerical=none,
        error=none,
        relative=none,
        entry="",
        verdict=UNCHECKED,
        severity=Verdict.INCONCLUSIVE.severity,
        remarks=(),
        is_pictured=False,
    )


def _cell(value: float) -> Cell:
    return Cell(short(value), exact(value))


def _view(parameter: ParameterResult, row: ParameterRow, limits: Limits) -> ParameterView:
    shown = parameter.order[:_WORST]
    is_all = parameter.checked == len(shown)
    worst = "The worst entry" if len(shown) == 1 else f"The {len(shown)} worst entries"
    what = "All entries" if parameter.checked == parameter.size else "All entries that were checked"
    return ParameterView(
        row=row,
        maps=heat_maps(parameter, limits.side),
        scatter=scatter(parameter, limits.points),
        sweep=sweep(parameter),
        entries=tuple(_entry(parameter, int(i)) for i in shown),
        caption=f"{what if is_all else worst} of {parameter.name}",
    )


def _entry(parameter: ParameterResult, i: int) -> EntryRow:
    reason = parameter.reasons[i]
    return EntryRow(
        place(parameter.name, parameter.index(i)),
        exact(parameter.analytic[i]),
        exact(parameter.numerical[i]),
        exact(parameter.numerical_error[i]),
        exact(parameter.rel_error[i]),
        parameter.verdicts[i].value,
        reason.sentence if reason is not None and parameter.verdicts[i] is not Verdict.MATCH else "",
    )
