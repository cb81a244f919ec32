"""The report as annotations of a pull request: commands that GitHub reads in the log of a job."""

from __future__ import annotations

import os
from pathlib import Path

from gradcheck.report.markdown import LIMIT, limited
from gradcheck.report.problems import Level, Problem, problems
from gradcheck.report.record import Report

# errors, and as many warnings, that GitHub shows of one step
_MOST = 10
SUMMARY = "GITHUB_STEP_SUMMARY"


def render(report: Report) -> str:
    """Return one command per finding, or per gradient that no finding explains; never one per entry.

    GitHub shows ten errors and ten warnings of a step. What is more is counted in a notice.
    """
    shown: list[str] = []
    left: list[Problem] = []
    count = dict.fromkeys(Level, 0)
    for problem in problems(report):
        count[problem.level] += 1
        if count[problem.level] <= _MOST:
            shown.append(_command(problem))
        else:
            left.append(problem)
    if left:
        paths = ", ".join(dict.fromkeys(problem.script.path for problem in left))
        said = f"{len(left)} more, in {paths}: the log and the summary of the job have all of them"
        shown.append(f"::notice title=gradcheck::{_data(said)}")
    return "\n".join(shown)


def append_summary(report: Report) -> None:
    """Append the report as Markdown to the summary of the step, if this is a job on GitHub.

    Parameters
    ----------
    report : Report
        What to append; as much of it as there is room for.
    """
    if not os.environ.get(SUMMARY):
        return
    target = Path(os.environ[SUMMARY])
    used = target.stat().st_size if target.exists() else 0
    with target.open("a", encoding="utf-8") as file:
        file.write(limited(report, LIMIT - used) + "\n")


def _command(problem: Problem) -> str:
    script, span = problem.script, problem.span
    properties = {"file": Path(script.path).as_posix()}
    place = ""
    if span is not None and script.cells is None:
        properties |= {"line": str(span.line), "endLine": str(span.end_line)}
        if span.line == span.end_line and span.end_column > span.column:
            properties |= {"col": str(span.column), "endColumn": str(span.end_column)}
    elif span is not None:
        # the lines of a notebook's file are not those of its cells
        place = f"{script.place(span.line)}: "
    properties["title"] = f"gradcheck: {problem.title}"
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{problem.level} {told}::{_data(place + _message(problem))}"


def _message(problem: Problem) -> str:
    finding = problem.finding
    if finding is None or finding.fix is None or not finding.fix.verified:
        return problem.message
    edits = [f"- {edit.old.strip()}\n+ {edit.new.strip()}".strip() for edit in finding.fix.edits]
    return "\n".join([problem.message, f"Fix, verified at {finding.fix.points} fresh points:", *edits])


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
