"""The report for a terminal or a log."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.report.findings import show_findings
from gradcheck.report.overview import show_overview
from gradcheck.report.problems import UNCHECKED, by_reason, entry_name, names_of, sized, wrong_entries
from gradcheck.report.snippet import show_line, show_snippet
from gradcheck.report.styles import INDENT, LOG_WIDTH, STYLES
from gradcheck.script.source.file import Span
from gradcheck.session.report import Report
from gradcheck.session.result import GradientSource, ScriptResult, Unchecked


def render(report: Report, console: Console, *, verbosity: int = 0) -> None:
    """Write the report to a console: a block per script and, for several, a table of all of them.

    Among several, what matches is one line, unless more was asked for.
    """
    several = len(report.scripts) > 1
    previous_is_long = False
    for number, script in enumerate(report.scripts):
        is_long = verbosity > 0 or (verbosity == 0 and not (several and script.verdict == "match"))
        if number and (is_long or previous_is_long):
            show_line(console, "")
        show_line(console, _headline(script).append("" if is_long or verbosity < 0 else _unshown(script)))
        if is_long:
            show_details(script, console, verbose=verbosity > 0)
        previous_is_long = is_long
    if several and verbosity >= 0:
        show_line(console, "")
        show_overview(report, console)


def as_log(report: Report, *, verbosity: int = 0) -> str:
    """Return the report as text without colours, wide enough that nothing is left out or broken."""
    return in_plain_text(lambda console: render(report, console, verbosity=verbosity))


def in_plain_text(show: Callable[[Console], None]) -> str:
    """Return as text what a function writes to a console: without colours, in lines as long as it takes."""
    out = io.StringIO()
    show(Console(file=out, width=LOG_WIDTH, color_system=None, highlight=False, markup=False, emoji=False))
    return out.getvalue().rstrip("\n")


def show_details(script: ScriptResult, console: Console, *, verbose: bool = False, as_diff: bool = False) -> None:
    """Write what stands below the headline of a script."""
    if script.error is not None:
        _show_error(script, console)
    else:
        _show_check(script, console, verbose=verbose, as_diff=as_diff)


def _unshown(script: ScriptResult) -> str:
    """Return how many notes a headline leaves out; one of them may say that something was not checked."""
    notes = len((*script.notes, *_remarks(script)))
    return f" ({notes} note{'' if notes == 1 else 's'}, see -v)" if notes else ""


def summary(report: Report) -> str:
    """Return the line of counts for the end of a run."""
    counts = [f"{n} {verdict}" for verdict in STYLES if (n := report.count(verdict))]
    total = len(report.scripts)
    evaluations = sum(script.evaluations for script in report.scripts)
    seconds = sum(script.seconds for script in report.scripts)
    plural = "" if total == 1 else "s"
    return (
        f"{total} script{plural}: {', '.join(counts)} ({evaluations} evaluations, {seconds:.1f} s, seed {report.seed})"
    )


def sentence(script: ScriptResult) -> str:
    """Return what was found about a script in one line."""
    return _headline(script).plain


def _headline(script: ScriptResult) -> Text:
    text = Text(f"{script.path}: ")
    if script.error is not None:
        place = f"{script.place(script.error.line)}: " if script.error.line else ""
        return text.append(f"{place}{script.error.slug}: ", STYLES["error"]).append(script.error.message)
    total, wrong = len(script.parameters), len(script.mismatching)
    gradients = "gradient" if total == 1 else "gradients"
    checked = f"{total} of {total + len(script.unchecked)} parameters checked" if script.unchecked else ""
    if wrong:
        said = (
            "the gradient is wrong"
            if total == 1
            else f"{wrong} of {total} gradients {'is' if wrong == 1 else 'are'} wrong"
        )
        return text.append(said, STYLES["mismatch"]).append(f"; {checked}" if checked else "")
    unsure = sum(p.verdict is Verdict.INCONCLUSIVE for p in script.parameters)
    if unsure:
        said = f"{unsure} of {total} {gradients} could not be decided"
    else:
        said = {1: "the gradient matches", 2: "both gradients match"}.get(total, f"all {total} gradients match")
    if checked:
        # this comes first, as what follows is true of a part only
        said = f"its gradient {'could not be decided' if unsure else 'matches'}" if total == 1 else said
        said = f"{checked}: {said}"
    return text.append(said, STYLES["inconclusive" if unsure or checked else "match"])


def _show_error(script: ScriptResult, console: Console) -> None:
    line = script.error.line if script.error else None
    if line is not None and 0 < line <= len(script.lines):
        source = script.lines[line - 1]
        start = len(source) - len(source.lstrip()) + 1
        show_snippet(script, Span(line, start, line, len(source.rstrip()) + 1), console)


def _show_check(script: ScriptResult, console: Console, *, verbose: bool, as_diff: bool) -> None:
    points = script.entry_points
    if points is not None:
        parts = [
            f"backward {points.backward} ({script.place(points.backward_line)})",
            f"loss {points.loss} ({script.place(points.loss_line)})",
        ]
        parts += [f"forward {points.forward}"] if points.forward else []
        show_line(console, Text("  " + "   ".join(parts), "dim"))
    for note in (*script.notes, *_remarks(script)):
        show_line(console, Text().append("  note: ", "cyan").append(note))
    show_line(console, "")
    _show_table(script, console)
    sources = {source.parameter: source for source in script.sources}
    signatures = dict(script.signatures)
    explained = {name for finding in script.findings for name in finding.parameters}
    for parameter in script.parameters:
        if parameter.verdict is not Verdict.MATCH:
            # what a finding explains is shown there, at the line of the cause
            source = None if parameter.name in explained else sources.get(parameter.name)
            _show_parameter(script, parameter, source, signatures.get(parameter.name, ""), console)
    for group in by_reason(script.unchecked):
        show_line(console, Text("\n").append(names_of(group), "bold").append(": not checked"))
        show_line(console, f"  {group[0].reason}")
    show_findings(script, console, as_diff=as_diff)
    if verbose:
        _show_evidence(script, console)


def _remarks(script: ScriptResult) -> Iterator[str]:
    for parameter in script.parameters:
        if parameter.verdict is Verdict.MATCH and parameter.reason is not None:
            yield f"{parameter.name}: {parameter.reason.sentence}"
        if parameter.coverage is not None:
            yield f"{parameter.name}: {parameter.coverage}"


# from the first to the last to give up where a terminal is too narrow
_OPTIONAL = ("shape", "rel. error", "wrong", "analytic", "numerical")


def _show_table(script: ScriptResult, console: Console) -> None:
    dropped = 0
    table = _table(script, set())
    while console.measure(table).maximum + INDENT > console.width and dropped < len(_OPTIONAL):
        dropped += 1
        table = _table(script, set(_OPTIONAL[:dropped]))
    console.print(Padding(table, (0, 0, 0, INDENT), expand=False))


def _table(script: ScriptResult, dropped: set[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [_cells(parameter) for parameter in script.parameters]
    rows += [_unchecked_cells(row) for row in script.unchecked]
    for name in rows[0]:
        if name not in dropped:
            fold = name == "parameter"
            table.add_column(name, overflow="fold", no_wrap=not fold, justify="left" if fold else "right")
    for row in rows:
        cells = [Text(text, STYLES.get(text, "")) for name, text in row.items() if name not in dropped]
        table.add_row(*cells)
    return table


def _cells(parameter: ParameterResult) -> dict[str, str]:
    worst = parameter.worst
    return {
        "parameter": parameter.name,
        "shape": sized(parameter.shape),
        "wrong": wrong_entries(parameter),
        "analytic": f"{parameter.analytic[worst]:.6g}",
        "numerical": f"{parameter.numerical[worst]:.6g}",
        "rel. error": f"{parameter.rel_error[worst]:.2g}",
        "verdict": parameter.verdict.value,
    }


def _unchecked_cells(row: Unchecked) -> dict[str, str]:
    numbers = dict.fromkeys(("wrong", "analytic", "numerical", "rel. error"), "")
    return {"parameter": row.name, "shape": sized(row.shape), **numbers, "verdict": UNCHECKED}


def _show_parameter(
    script: ScriptResult, parameter: ParameterResult, source: GradientSource | None, said: str, console: Console
) -> None:
    worst = parameter.worst
    text = Text("\n").append(entry_name(parameter), "bold")
    text.append(f": analytic {parameter.analytic[worst]:.6g}, numerical {parameter.numerical[worst]:.6g}")
    text.append(f" +- {parameter.numerical_error[worst]:.1g}")
    show_line(console, text)
    reason = parameter.reason
    for sentence in filter(None, (said, reason.sentence if reason is not None else "")):
        show_line(console, f"  {sentence}")
    if source is not None:
        show_snippet(script, source.span, console)


def _show_evidence(script: ScriptResult, console: Console) -> None:
    show_line(console, "\nhow the script was understood")
    for sentence in script.evidence:
        show_line(console, f"  {sentence}")
    for sentence in _check_details(script):
        show_line(console, f"  {sentence}")


def _check_details(script: ScriptResult) -> Iterator[str]:
    if script.check is not None:
        check = script.check
        yield f"checked at {check.points} points, {script.evaluations} evaluations, {script.seconds:.2f} s"
        yield f"tolerance: rtol {check.tolerance.rtol:g}, atol {check.tolerance.atol:g}"
        yield f"loss: {check.loss:.6g}, {check.noise.sentence(check.loss)}"
        for parameter in script.parameters:
            yield f"{entry_name(parameter)}: {_numerics(parameter)}"


def _numerics(parameter: ParameterResult) -> str:
    """Return how the numerical derivative of the worst entry was found."""
    i = parameter.worst
    distance = parameter.kink_distance[i]
    said = (
        f"numerical {parameter.numerical[i]:.10g} +- {parameter.numerical_error[i]:.1g}, of which round-off "
        f"{parameter.noise[i]:.1g}; step {parameter.step[i]:.2g}, {parameter.evaluations[i]} evaluations"
    )
    if parameter.kink[i] > 0:
        lower, upper = parameter.numerical[i] - parameter.kink[i], parameter.numerical[i] + parameter.kink[i]
        said += f"; kink at the point: slopes {lower:.6g} and {upper:.6g}"
    elif np.isfinite(distance):
        said += f"; kink {abs(distance):.1g} {'above' if distance > 0 else 'below'} the entry"
    return said
