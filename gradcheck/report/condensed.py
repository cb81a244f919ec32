"""What a notebook shows of a result: rows, sentences and differences, as plain text that a fragment is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gradcheck.checker.result import CheckResult, ParameterResult, Verdict
from gradcheck.report.problems import UNCHECKED, by_reason, names_of, sized, wrong_entries
from gradcheck.report.text import sentence
from gradcheck.report.worst import worst_first
from gradcheck.script.source.finding import Finding, Fix
from gradcheck.session.report import GRAVITY, Report
from gradcheck.session.result import ScriptResult, Unchecked

# of a whole output: a notebook keeps it in its file
MOST_ROWS, MOST_FINDINGS = 60, 20
COLUMNS = ("parameter", "shape", "wrong", "worst entry", "analytic", "numerical", "+-", "rel. error", "verdict")


@dataclass(frozen=True)
class Mistake:
    """A finding in words.

    Attributes
    ----------
    sentences : tuple of str
        What it says, and how that is known.
    fix : str
        What the difference is; empty without one.
    difference : tuple of str
        Lines that begin with a space, ``-`` or ``+``.
    """

    title: str
    place: str
    sentences: tuple[str, ...]
    fix: str = ""
    difference: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """What is shown of one comparison.

    Attributes
    ----------
    title, verdict : str
        The result in one line, and in one word.
    rows : tuple of tuple of str
        A row per parameter, the worst first, and last what was not checked; the columns are `COLUMNS`.
    remarks : tuple of str
        Notes, what was not checked, what is not shown.
    """

    title: str
    verdict: str
    rows: tuple[tuple[str, ...], ...] = ()
    remarks: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    footer: str = ""


def block_of(result: CheckResult) -> Block:
    """Return what is shown of a comparison."""
    said = sentence(ScriptResult("", check=result)).removeprefix(": ")
    rows, left_out = _rows(result.parameters, (), MOST_ROWS)
    remarks = (*left_out, *result.notes, *_remarks(result.parameters))
    return Block(f"{result.verdict}: {said}", result.verdict.value, rows, remarks, footer=result.footer)


def blocks_of(report: Report) -> tuple[Block, ...]:
    """Return what is shown of a report: a block per script, the worst first; among several, a match is one line."""
    scripts = sorted(report.scripts, key=lambda script: GRAVITY.index(script.verdict))
    several = len(scripts) > 1
    found, rows, findings = [], MOST_ROWS, MOST_FINDINGS
    for script in scripts[:MOST_ROWS]:
        brief = several and script.verdict == "match"
        made = _brief(script) if brief else _block(script, rows, findings)
        rows, findings = rows - len(made.rows), findings - len(made.mistakes)
        found.append(made)
    if len(scripts) > MOST_ROWS:
        rest = Report(tuple(scripts[MOST_ROWS:]))
        found.append(Block(f"not shown: {rest.counts}", rest.scripts[0].verdict))
    return tuple(found)


def _brief(script: ScriptResult) -> Block:
    notes = len(script.notes)
    hint = f" ({notes} note{'' if notes == 1 else 's'} not shown)" if notes else ""
    return Block(f"{sentence(script)}{hint}", script.verdict)


def _block(script: ScriptResult, most_rows: int, most_findings: int) -> Block:
    rows, left_out = _rows(script.parameters, script.unchecked, most_rows)
    mistakes = tuple(_mistake(script, finding) for finding in script.findings[: max(most_findings, 0)])
    hidden = len(script.findings) - len(mistakes)
    remarks = [*left_out, *script.notes, *_remarks(script.parameters)]
    remarks += [f"{names_of(group)} not checked: {group[0].reason}" for group in by_reason(script.unchecked)]
    remarks += [f"{hidden} more finding{'' if hidden == 1 else 's'} not shown"] if hidden else []
    explained = {name for finding in script.findings for name in finding.parameters}
    remarks += [f"{name}: {said}" for name, said in script.signatures if said and name not in explained]
    footer = "" if script.check is None else script.check.footer
    return Block(sentence(script), script.verdict, rows, tuple(remarks), mistakes, footer)


def _rows(
    parameters: Sequence[ParameterResult], unchecked: Sequence[Unchecked], most: int
) -> tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]:
    ordered: list[ParameterResult | Unchecked] = [*worst_first(parameters), *unchecked]
    shown, hidden = ordered[: max(most, 0)], ordered[max(most, 0) :]
    rows = tuple(_unchecked_row(one) if isinstance(one, Unchecked) else _row(one) for one in shown)
    if not hidden:
        return rows, ()
    wrong = sum(isinstance(one, ParameterResult) and one.verdict is Verdict.MISMATCH for one in hidden)
    plural = "" if len(hidden) == 1 else "s"
    return rows, (f"not shown: {len(hidden)} more parameter{plural}, {wrong} of them wrong",)


def _unchecked_row(row: Unchecked) -> tuple[str, ...]:
    return (row.name, sized(row.shape), *[""] * (len(COLUMNS) - 3), UNCHECKED)


def _row(parameter: ParameterResult) -> tuple[str, ...]:
    worst = parameter.worst
    reason = "" if parameter.reason is None else f" ({parameter.reason.value})"
    return (
        parameter.name,
        sized(parameter.shape),
        wrong_entries(parameter),
        f"[{', '.join(map(str, parameter.worst_index))}]" if parameter.shape else "",
        f"{parameter.analytic[worst]:.6g}",
        f"{parameter.numerical[worst]:.6g}",
        f"{parameter.numerical_error[worst]:.1g}",
        f"{parameter.rel_error[worst]:.2g}",
        f"{parameter.verdict.value}{reason}",
    )


def _remarks(parameters: Iterable[ParameterResult]) -> Iterator[str]:
    for parameter in parameters:
        if parameter.verdict is Verdict.MATCH and parameter.reason is not None:
            yield f"{parameter.name}: {parameter.reason.sentence}"
        if parameter.coverage is not None:
            yield f"{parameter.name}: {parameter.coverage}"


def _mistake(script: ScriptResult, finding: Finding) -> Mistake:
    names = f"  {', '.join(finding.parameters)}" if finding.parameters else ""
    said = Mistake(
        f"{finding.code} {finding.name}{names}  ({finding.confidence})",
        str(script.place(finding.span.line)),
        (finding.message, *finding.evidence),
    )
    if finding.fix is None:
        return said
    fix = finding.fix
    points = f"{fix.points} fresh point{'' if fix.points == 1 else 's'}"
    words = f"fix, verified at {points}" if fix.verified else "fix, not verified"
    if fix.alternatives:
        others = len(fix.alternatives)
        words += f"; {others} other edit{'' if others == 1 else 's'} would also make every gradient match"
    return Mistake(said.title, said.place, said.sentences, words, tuple(_difference(script, fix)))


def _difference(script: ScriptResult, fix: Fix) -> Iterator[str]:
    for edit in fix.edits:
        yield f"  {script.place(edit.line)}"
        yield f"- {edit.old}"
        yield from (f"+ {line}" for line in (edit.new.split("\n") if edit.new else ()))
