"""The report as Markdown: for pull requests, and for the summary of a job on GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gradcheck.diagnosis.finding import Edit, Finding
from gradcheck.report.record import Report
from gradcheck.report.text import sentence, summary
from gradcheck.result import ParameterResult
from gradcheck.script.result import ScriptResult

# bytes that GitHub takes as the summary of a step
LIMIT = 2**20
# characters that Markdown or HTML would obey
_OBEYED = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_BREAK = re.compile(r"\s*[\r\n]+\s*")
_HEAD = ("parameter", "shape", "wrong", "analytic", "numerical", "relative error", "verdict")


def render(report: Report) -> str:
    """Return the report as Markdown; of one that is too long for GitHub, as many scripts as there is room for.

    Parameters
    ----------
    report : Report
        What to show.
    """
    return limited(report, LIMIT)


def limited(report: Report, limit: int) -> str:
    """Return the report as Markdown of at most so many bytes.

    Parameters
    ----------
    report : Report
        What to show.
    limit : int
        Scripts that there is no room for are left out, and counted at the end.
    """
    parts = ["# gradcheck", summary(report) if report.scripts else "Nothing to check."]
    room = limit - len("\n\n".join(parts).encode()) - 200
    for shown, script in enumerate(report.scripts):
        part = "\n".join(_script(script))
        room -= len(part.encode()) + 2
        if room < 0:
            parts.append(f"{len(report.scripts) - shown} more scripts are left out: the report would be too long.")
            break
        parts.append(part)
    return "\n\n".join(parts)


def _script(script: ScriptResult) -> Iterator[str]:
    yield f"## {escaped(script.path)}"
    yield ""
    yield f"**{script.verdict}**: {escaped(sentence(script).removeprefix(f'{script.path}: '))}"
    points = script.entry_points
    if points is not None:
        yield ""
        yield (
            f"backward {code(points.backward)} ({script.place(points.backward_line)}), loss {code(points.loss)} "
            f"({script.place(points.loss_line)})"
        )
    for note in script.notes:
        yield ""
        yield f"> {escaped(note)}"
    if script.parameters:
        yield ""
        yield from table(_HEAD, map(_row, script.parameters))
    for finding in script.findings:
        yield ""
        yield from _finding(script, finding)


def _row(parameter: ParameterResult) -> list[str]:
    worst = parameter.worst
    counted = parameter.size if parameter.certificate is not None else parameter.checked
    reason = f" ({parameter.reason.value})" if parameter.reason is not None else ""
    return [
        code(parameter.name),
        " x ".join(map(str, parameter.shape)) or "scalar",
        f"{parameter.mismatched} of {counted}",
        f"{parameter.analytic[worst]:.6g}",
        f"{parameter.numerical[worst]:.6g}",
        f"{parameter.rel_error[worst]:.2g}",
        f"{parameter.verdict.value}{reason}",
    ]


def _finding(script: ScriptResult, finding: Finding) -> Iterator[str]:
    yield f"### {finding.code} {finding.name} ({finding.confidence})"
    yield ""
    yield f"{escaped(script.place(finding.span.line).at(finding.span.column))}: {_said(finding.message)}"
    for said in finding.evidence:
        yield ""
        yield _said(said)
    if finding.fix is not None:
        points = f"{finding.fix.points} fresh point{'' if finding.fix.points == 1 else 's'}"
        yield ""
        yield f"Fix, verified at {points}:" if finding.fix.verified else "Fix, not verified:"
        yield ""
        yield from fenced("diff", (line for edit in finding.fix.edits for line in _diff(script, edit)))


def _diff(script: ScriptResult, edit: Edit) -> Iterator[str]:
    yield f"@@ {script.place(edit.line)} @@"
    yield f"-{edit.old}"
    yield from (f"+{new}" for new in edit.new.split("\n") if edit.new)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return the lines of a table; a bar or a line end in a cell does not break it.

    Parameters
    ----------
    head : sequence of str
        The titles of the columns.
    rows : iterable of sequence of str
        Markdown.
    """
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(_BREAK.sub(' ', cell) for cell in row)} |"


def fenced(language: str, lines: Iterable[str]) -> Iterator[str]:
    """Return lines as a block of code, whatever is in them."""
    held = list(lines)
    longest = max((len(run) for line in held for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language}"
    yield from held
    yield fence


def code(text: str) -> str:
    """Return a text as a span of code that may stand in a table."""
    flat = _BREAK.sub(" ", text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall("`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def escaped(text: str) -> str:
    """Return a text in which nothing is Markdown or HTML."""
    return _OBEYED.sub(r"\\\1", _BREAK.sub(" ", text))


def _said(text: str) -> str:
    """Return a sentence of ours, in which names of the script stand in backquotes."""
    return "".join(code(part[1:-1]) if part.startswith("`") else escaped(part) for part in re.split(r"(`[^`]*`)", text))
