"""The report as Markdown, in GitHub's dialect: for a comment, a note, or the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.errors import ScriptError
from gradcheck.report.problems import (
    UNCHECKED,
    by_reason,
    diff_of,
    entry_name,
    fix_title,
    mended_elsewhere,
    names_of,
    sentences_about,
    wrong_entries,
)
from gradcheck.report.styles import plain
from gradcheck.report.text import sentence, summary
from gradcheck.script.source.finding import Finding, Fix
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult, Unchecked

# as much as GitHub takes for the summary of a step
LIMIT = 2**20
# for the sentence that says what was left out
_RESERVE = 200
_SPECIAL = re.compile(r"[\\`*_{}\[\]#|~!$]")
_SPAN = re.compile(r"(`[^`]+`)")


def render(report: Report) -> str:
    """Return the report as Markdown of at most 1 MiB."""
    return within(report, LIMIT)


def within(report: Report, limit: int) -> str:
    """Return the report as Markdown, as many whole scripts of it as there is room for.

    Parameters
    ----------
    limit : int
        How many bytes of UTF-8 it may have; nothing is returned where there is no room for a heading.
    """
    parts = [f"## gradcheck\n\n{prose(summary(report) if report.scripts else 'nothing to check')}"]
    room = limit - _RESERVE - len(parts[0].encode())
    if room < 0:
        return ""
    for number, script in enumerate(report.scripts):
        # among several, what matches is not what one looks for
        folded = script.verdict == "match" and len(report.scripts) > 1
        part = "\n\n".join(_blocks(script, report.name(script), folded=folded))
        # file names that are no text have no UTF-8 either
        room -= len(part.encode("utf-8", "backslashreplace")) + 2
        if room < 0:
            parts.append(_left_out(report.scripts[number:]))
            break
        parts.append(part)
    return "\n\n".join(parts)


def _left_out(scripts: Sequence[ScriptResult]) -> str:
    rest = Report(tuple(scripts))
    counts = [
        f"{n} {verdict}" for verdict in ("mismatch", "error", "inconclusive", "match") if (n := rest.count(verdict))
    ]
    scripts_are = "script is" if len(scripts) == 1 else "scripts are"
    return f"**{len(scripts)} more {scripts_are} left out here for want of room: {', '.join(counts)}.**"


def _blocks(script: ScriptResult, name: str, *, folded: bool) -> Iterable[str]:
    if script.error is not None:
        yield from _error(script, script.error)
        return
    yield f"### {code(name)}: {prose(sentence(script).removeprefix(f'{script.path}: '))}"
    points = script.entry_points
    if points is not None:
        yield (
            f"backward {code(points.backward)} ({script.place(points.backward_line)}), "
            f"loss {code(points.loss)} ({script.place(points.loss_line)})"
        )
    if script.notes:
        yield _list(f"note: {prose(note)}" for note in script.notes)
    table = _table(script.parameters, script.unchecked)
    yield f"<details><summary>table</summary>\n\n{table}\n\n</details>" if folded else table
    if remarks := list(_remarks(script)):
        yield _list(remarks)
    for finding in script.findings:
        yield from _finding(script, finding)


def _error(script: ScriptResult, error: ScriptError) -> Iterable[str]:
    yield f"### {code(script.path)}: not checked: {error.slug}"
    yield f"{_beginning(f'{script.place(error.line)}: ') if error.line else ''}{prose(error.message)}"
    if error.line and error.line <= len(script.lines):
        yield _block("python", [script.lines[error.line - 1].strip()])


def _remarks(script: ScriptResult) -> Iterable[str]:
    """Yield what the table does not say: what was not compared entry by entry, and what the numbers say."""
    signatures = dict(script.signatures)
    for parameter in script.parameters:
        said = [parameter.coverage] if parameter.coverage is not None else []
        if parameter.verdict is not Verdict.MATCH:
            # the numbers themselves stand in the table
            said += list(sentences_about(parameter, signatures.get(parameter.name)))[1:]
        elif parameter.reason is not None:
            said.append(parameter.reason.sentence)
        yield from (f"{code(parameter.name)}: {prose(text)}" for text in said)
    for group in by_reason(script.unchecked):
        yield f"{names_of(group, code)} not checked: {prose(group[0].reason)}"


def _finding(script: ScriptResult, finding: Finding) -> Iterable[str]:
    yield (
        f"#### {prose(f'{finding.code} {finding.name}')}: {', '.join(map(code, finding.parameters))} "
        f"({finding.confidence})"
    )
    place = _beginning(f"{script.place(finding.span.line)}, column {finding.span.column}")
    yield f"{place}: {prose(finding.message)}"
    if evidence := [*finding.evidence, *mended_elsewhere(script, finding)]:
        yield _list(map(prose, evidence))
    if finding.fix is not None:
        yield from _fix(script, finding.fix)


def _beginning(text: str) -> str:
    return text[0].upper() + text[1:]


def _fix(script: ScriptResult, fix: Fix) -> Iterable[str]:
    yield f"{fix_title(fix).capitalize()}:"
    yield _block("diff", diff_of(script, fix))
    if fix.alternatives:
        yield "Other edits that also make every gradient match:"
        for other in fix.alternatives:
            yield _block("diff", diff_of(script, other))


def _table(parameters: Iterable[ParameterResult], unchecked: Iterable[Unchecked]) -> str:
    head = ("parameter", "wrong", "worst entry", "analytic", "numerical", "rel. error", "verdict")
    rows: list[tuple[str, ...]] = [head, ("---", *["---:"] * (len(head) - 2), "---")]
    for parameter in parameters:
        worst = parameter.worst
        verdict = parameter.verdict.value
        cells = (
            code(parameter.name),
            wrong_entries(parameter),
            code(entry_name(parameter)) if parameter.shape else "",
            repr(float(parameter.analytic[worst])),
            repr(float(parameter.numerical[worst])),
            f"{parameter.rel_error[worst]:.2g}",
            verdict if parameter.verdict is Verdict.MATCH else f"**{verdict}**",
        )
        rows.append(cells)
    rows += [(code(row.name), *[""] * (len(head) - 2), f"**{UNCHECKED}**") for row in unchecked]
    # a bar ends a cell, in code as well
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _block(language: str, lines: Iterable[str]) -> str:
    text = "\n".join(map(plain, lines))
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def code(text: str) -> str:
    """Return a text that is shown letter by letter, on one line."""
    shown = plain(text)
    if not shown.strip():
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    # spaces inside the fence, one on each side, are not shown
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def prose(text: str) -> str:
    """Return a sentence in which nothing is markup but the names and the code in its backquotes."""
    pieces = _SPAN.split(" ".join(text.splitlines()))
    return "".join(code(piece[1:-1]) if number % 2 else _escaped(piece) for number, piece in enumerate(pieces))


def _escaped(text: str) -> str:
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\g<0>", text)
