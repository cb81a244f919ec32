"""The report for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradcheck.report.overview import show_overview
from gradcheck.report.record import Report
from gradcheck.report.styles import INDENT, STYLES, plain
from gradcheck.result import ParameterResult, Verdict
from gradcheck.script.result import GradientSource, ScriptResult
from gradcheck.script.source import Span

_CONTEXT_LINES = 1


def render(report: Report, console: Console, *, verbosity: int = 0) -> None:
    """Write the report to a console: a block per script and, for several, a table of all of them.

    Among several, what matches is one line, unless more was asked for.

    Parameters
    ----------
    report : Report
        What to show.
    console : rich.console.Console
        Where to; where its width is too small for the table, columns are left out.
    verbosity : int
        -1 for one line per script, 0 for the usual report, 1 also for how the script was understood.
    """
    several = len(report.scripts) > 1
    previous_is_long = False
    for number, script in enumerate(report.scripts):
        is_long = verbosity > 0 or (verbosity == 0 and not (several and script.verdict == "match"))
        if number and (is_long or previous_is_long):
            _line(console, "")
        _line(console, _headline(script).append("" if is_long or verbosity < 0 else _unshown(script)))
        if is_long and script.error is not None:
            _show_error(script, console)
        elif is_long:
            _show_check(script, console, verbose=verbosity > 0)
        previous_is_long = is_long
    if several and verbosity >= 0:
        _line(console, "")
        show_overview(report, console)


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


def _headline(script: ScriptResult) -> Text:
    text = Text(f"{script.path}: ")
    if script.error is not None:
        place = f"{script.place(script.error.line)}: " if script.error.line else ""
        return text.append(f"{place}{script.error.slug}: ", STYLES["error"]).append(script.error.message)
    total, wrong = len(script.parameters), len(script.mismatching)
    gradients = "gradient" if total == 1 else "gradients"
    if wrong:
        said = (
            "the gradient is wrong"
            if total == 1
            else f"{wrong} of {total} gradients {'is' if wrong == 1 else 'are'} wrong"
        )
        return text.append(said, STYLES["mismatch"])
    unsure = sum(p.verdict is Verdict.INCONCLUSIVE for p in script.parameters)
    if unsure:
        return text.append(f"{unsure} of {total} {gradients} could not be decided", STYLES["inconclusive"])
    said = {1: "the gradient matches", 2: "both gradients match"}.get(total, f"all {total} gradients match")
    return text.append(said, STYLES["match"])


def _show_error(script: ScriptResult, console: Console) -> None:
    line = script.error.line if script.error else None
    if line is not None and 0 < line <= len(script.lines):
        source = script.lines[line - 1]
        start = len(source) - len(source.lstrip()) + 1
        _snippet(script, Span(line, start, line, len(source.rstrip()) + 1), console)


def _show_check(script: ScriptResult, console: Console, *, verbose: bool) -> None:
    points = script.entry_points
    if points is not None:
        parts = [
            f"backward {points.backward} ({script.place(points.backward_line)})",
            f"loss {points.loss} ({script.place(points.loss_line)})",
        ]
        parts += [f"forward {points.forward}"] if points.forward else []
        _line(console, Text("  " + "   ".join(parts), "dim"))
    for note in (*script.notes, *_remarks(script)):
        _line(console, Text().append("  note: ", "cyan").append(note))
    _line(console, "")
    _show_table(script, console)
    sources = {source.parameter: source for source in script.sources}
    signatures = dict(script.signatures)
    for parameter in script.parameters:
        if parameter.verdict is not Verdict.MATCH:
            _show_parameter(script, parameter, sources.get(parameter.name), signatures.get(parameter.name, ""), console)
    if verbose:
        _show_details(script, console)


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
        "shape": " x ".join(map(str, parameter.shape)) or "scalar",
        "wrong": _wrong(parameter),
        "analytic": f"{parameter.analytic[worst]:.6g}",
        "numerical": f"{parameter.numerical[worst]:.6g}",
        "rel. error": f"{parameter.rel_error[worst]:.2g}",
        "verdict": parameter.verdict.value,
    }


def _place(parameter: ParameterResult) -> str:
    return f"[{', '.join(map(str, parameter.worst_index))}]" if parameter.shape else ""


def _wrong(parameter: ParameterResult) -> str:
    if parameter.certificate is None:
        return f"{parameter.mismatched} of {parameter.checked}"
    return f"{parameter.mismatched}{'' if parameter.certificate.complete else '+'} of {parameter.size}"


def _show_parameter(
    script: ScriptResult, parameter: ParameterResult, source: GradientSource | None, said: str, console: Console
) -> None:
    worst = parameter.worst
    text = Text("\n").append(f"{parameter.name}{_place(parameter)}", "bold")
    text.append(f": analytic {parameter.analytic[worst]:.6g}, numerical {parameter.numerical[worst]:.6g}")
    text.append(f" +- {parameter.numerical_error[worst]:.1g}")
    _line(console, text)
    reason = parameter.reason
    for sentence in filter(None, (said, reason.sentence if reason is not None else "")):
        _line(console, f"  {sentence}")
    if source is not None:
        _snippet(script, source.span, console)


def _snippet(script: ScriptResult, span: Span, console: Console) -> None:
    """Show a stretch of the source with a line around it and carets below."""
    _line(console, Text().append("  --> ", "blue").append(script.place(span.line).at(span.column)))
    last = min(span.end_line, span.line + 3)
    top, bottom = script.extent(span.line)
    gutter = len(str(last + _CONTEXT_LINES - top + 1))
    for number in range(max(top, span.line - _CONTEXT_LINES), min(last + _CONTEXT_LINES, bottom) + 1):
        source = plain(script.lines[number - 1])
        _line(console, Text().append(f"  {number - top + 1:>{gutter}} | ", "blue").append(source.rstrip()))
        if span.line <= number <= last:
            _line(console, Text().append(f"  {'':>{gutter}} | ", "blue").append(_carets(source, number, span), "red"))


def _carets(source: str, number: int, span: Span) -> str:
    first = span.column - 1 if number == span.line else len(source) - len(source.lstrip())
    end = span.end_column - 1 if number == span.end_line else len(source.rstrip())
    # tabs stay tabs and wide characters take two columns, so that the carets stand below what they mark
    lead = "".join("\t" if c == "\t" else " " * cell_len(c) for c in source[:first])
    return lead + "^" * max(cell_len(source[first:end]), 1)


def _show_details(script: ScriptResult, console: Console) -> None:
    _line(console, "\nhow the script was understood")
    for sentence in script.evidence:
        _line(console, f"  {sentence}")
    for sentence in _check_details(script):
        _line(console, f"  {sentence}")


def _check_details(script: ScriptResult) -> Iterator[str]:
    if script.check is not None:
        check = script.check
        yield f"checked at {check.points} points, {script.evaluations} evaluations, {script.seconds:.2f} s"
        yield f"tolerance: rtol {check.tolerance.rtol:g}, atol {check.tolerance.atol:g}"
        yield f"loss: {check.loss:.6g}, {check.noise.sentence(check.loss)}"
        for parameter in script.parameters:
            yield f"{parameter.name}{_place(parameter)}: {_numerics(parameter)}"


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


def _line(console: Console, text: str | Text) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False, emoji=False)
