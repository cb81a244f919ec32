"""A comparison for the page: its trainings as a chart and a table, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.comparison.record import Cause, Comparison, Run
from gradcheck.report.page.chart import Chart
from gradcheck.report.page.parameters import Cell
from gradcheck.report.page.prose import Piece, pieces
from gradcheck.report.page.trainings import kind, trainings, with_curves
from gradcheck.report.page.words import counted, exact

_HEADLINES = {
    Cause.RANGE: "the script is asked about inputs that it was not trained on",
    Cause.CAPACITY: "the network is too small for the task",
    Cause.GRADIENT: "it was the gradient",
    Cause.SCALING: "the data need scaling",
    Cause.STEP: "it was the step",
    Cause.ALSO_GRADIENT: "the gradient was a mistake, but not the whole problem",
    Cause.UNFINISHED: "the training is not finished",
    Cause.NOTHING: "nothing keeps the network from learning",
    Cause.UNKNOWN: "what keeps the network from learning was not found",
}


@dataclass(frozen=True)
class RunRow:
    """A training as a row of a table; its kind is that of its curve, or empty where none is drawn."""

    kind: str
    title: str
    network: str
    first: Cell
    final: Cell
    length: str
    note: str


@dataclass(frozen=True)
class ComparisonView:
    """All about a comparison.

    Attributes
    ----------
    error : str
        Why there is no comparison; empty where there is one.
    baseline : Cell or None
        The loss of the best constant prediction.
    """

    headline: str
    error: str
    setting: list[Piece]
    conclusions: tuple[tuple[str, list[Piece]], ...]
    notes: tuple[list[Piece], ...]
    chart: Chart | None
    rows: tuple[RunRow, ...]
    baseline: Cell | None
    measure: str


def comparison_view(comparison: Comparison) -> ComparisonView:
    """Return the view of a comparison."""
    setting, error = comparison.setting, comparison.error
    failed = error is not None or setting is None
    kinds = {id(run): kind(k) for k, run in enumerate(with_curves(comparison))}
    return ComparisonView(
        headline="the trainings could not be compared" if failed else _HEADLINES[comparison.cause],
        error="" if error is None else f"{error.slug}: {error.message}",
        setting=[]
        if setting is None
        else pieces(
            f"{counted(setting.samples, 'sample')}; inputs `{setting.inputs}`, targets `{setting.targets}`; the "
            f"prediction `{setting.prediction}` is that of the reference."
        ),
        conclusions=tuple((c.cause.value.replace("-", " "), pieces(c.sentence)) for c in comparison.conclusions),
        notes=tuple(map(pieces, comparison.notes)),
        chart=trainings(comparison),
        rows=tuple(_row(run, kinds.get(id(run), "")) for run in comparison.runs),
        baseline=None if setting is None else _cell(setting.baseline),
        measure="" if setting is None else setting.measure,
    )


def _row(run: Run, curve: str) -> RunRow:
    steps = run.steps[-1] - 1 if run.unit == "call" else run.steps[-1]
    length = counted(steps, "step" if run.unit == "call" else "epoch")
    layers = f"{run.network} ({run.hidden}, {run.output})" if len(run.widths) > 2 else f"{run.network} ({run.output})"
    return RunRow(curve, run.title, layers, _cell(run.losses[0]), _cell(run.final), length, run.note)


def _cell(loss: float) -> Cell:
    return Cell(f"{loss:.3g}", exact(loss))
