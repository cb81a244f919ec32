"""The report as GitHub's workflow commands, which become annotations at the lines of a change."""

from __future__ import annotations

from pathlib import Path

from gradcheck.report.problems import Level, Problem, lines_about, named, problems, remarks, span_in_file
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult

# GitHub shows as many of each level per step; one notice says how many there are beyond
_LIMITS = {Level.ERROR: 10, Level.WARNING: 10, Level.NOTE: 9}
_COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}


def render(report: Report) -> str:
    """Return one command per finding, per wrong or undecided gradient without one, and per script in error.

    What was not checked, and notes, are notices. There are at most ten of each level, because GitHub drops what is
    beyond; a notice counts the others.
    """
    found = [(script, problem) for script in report.scripts for problem in problems(script)]
    found += [(script, problem) for script in report.scripts for problem in remarks(script)]
    lines, hidden = [], []
    for level in Level:
        of_level = [(script, problem) for script, problem in found if problem.level is level]
        lines += [_command(script, problem) for script, problem in of_level[: _LIMITS[level]]]
        if more := len(of_level[_LIMITS[level] :]):
            hidden.append(f"{more} more {_COMMANDS[level]}{'' if more == 1 else 's'}")
    if hidden:
        said = f"{' and '.join(hidden)} than GitHub shows as annotations; the summary of this run has all of them"
        lines.append(f"::notice title=gradcheck::{_escaped(said)}")
    return "\n".join(lines)


def _command(script: ScriptResult, problem: Problem) -> str:
    about = f": {named(problem.parameters)}" if problem.parameters else ""
    properties = {**_place(script, problem), "title": f"{problem.title}{about}"}
    shown = ",".join(f"{name}={_escaped_property(str(value))}" for name, value in properties.items())
    return f"::{_COMMANDS[problem.level]} {shown}::{_escaped(chr(10).join(lines_about(script, problem)))}"


def _place(script: ScriptResult, problem: Problem) -> dict[str, object]:
    path, span = span_in_file(script, problem)
    file: dict[str, object] = {"file": Path(path).as_posix()}
    if span is None:
        return file
    lines: dict[str, object] = {"line": span.line, "endLine": span.end_line}
    # GitHub takes columns within one line only
    if span.line != span.end_line or not span.column:
        return file | lines
    return file | lines | {"col": span.column, "endColumn": span.end_column}


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
