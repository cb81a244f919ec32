"""A script for the page: everything that the template writes down about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.checker.verdict import Verdict
from gradcheck.report.overview import in_doubt
from gradcheck.report.page.findings import FindingView, command, finding_views
from gradcheck.report.page.limits import Limits
from gradcheck.report.page.parameters import ParameterRow, ParameterView, parameter_rows, parameter_views
from gradcheck.report.page.prose import Piece, pieces
from gradcheck.report.page.source import Mark, Segment, segments
from gradcheck.report.page.words import counted
from gradcheck.report.problems import by_reason, shown_names
from gradcheck.report.text import sentence
from gradcheck.script.source.file import Span
from gradcheck.session.result import ScriptResult, Unchecked


@dataclass(frozen=True)
class Fact:
    """Something about a script in a few words: what it is, what is said, and where in the source it stands."""

    name: str
    text: str
    line: int = 0
    place: str = ""


@dataclass(frozen=True)
class Computed:
    """The parameters whose gradients, wrong or undecided, are computed in a line, and the line, also in words."""

    names: tuple[str, ...]
    line: int
    place: str


@dataclass(frozen=True)
class Block:
    """A segment of the source with what is said beside it.

    Attributes
    ----------
    computed : tuple of Computed
        The gradients that do not match, that no finding explains, and that are computed in it.
    """

    segment: Segment
    findings: tuple[FindingView, ...] = ()
    computed: tuple[Computed, ...] = ()


@dataclass(frozen=True)
class ScriptView:
    """All about a script.

    Attributes
    ----------
    number : int
        Its place in the report, from 1.
    path, verdict, headline : str
        What it is called, its verdict, and that in a sentence.
    details : str
        For the overview: the wrong parameters, or else those that are undecided or unchecked, or the error.
    facts, figures : tuple of Fact
        How it was understood; numbers of the check.
    notes, evidence : pieces of sentences
        What the user should know; how it was understood at length.
    rows, views : tuples
        The parameters: the table, and the pictures.
    checked : int
        How many of the rows are of parameters that were checked; they come first.
    unpictured : int
        How many of these have no pictures.
    loose : tuple of FindingView
        Those that stand at no line of the source.
    """

    number: int
    path: str
    verdict: str
    headline: str
    details: str
    seconds: float
    facts: tuple[Fact, ...]
    figures: tuple[Fact, ...]
    notes: tuple[list[Piece], ...]
    evidence: tuple[list[Piece], ...]
    rows: tuple[ParameterRow, ...]
    views: tuple[ParameterView, ...]
    unchecked: tuple[list[Piece], ...]
    checked: int
    unpictured: int
    findings: tuple[FindingView, ...]
    loose: tuple[FindingView, ...]
    blocks: tuple[Block, ...]
    command: str


def script_view(script: ScriptResult, number: int, limits: Limits) -> ScriptView:
    """Return the view of the script with a number, counted from 0."""
    findings = finding_views(script)
    rows = parameter_rows(script, number, limits)
    views = parameter_views(script, rows, limits)
    blocks = _blocks(script, findings, limits)
    placed = {finding.number for block in blocks for finding in block.findings}
    return ScriptView(
        number=number + 1,
        path=script.path,
        verdict=script.verdict,
        headline=sentence(script).removeprefix(f"{script.path}: "),
        details=script.error.slug if script.error is not None else in_doubt(script),
        seconds=script.seconds,
        facts=_facts(script),
        figures=_figures(script),
        notes=tuple(map(pieces, script.notes)),
        evidence=tuple(map(pieces, _evidence(script))),
        rows=rows,
        views=views,
        unchecked=tuple(_reason(group) for group in by_reason(script.unchecked)),
        checked=len(script.parameters),
        unpictured=len(script.parameters) - len(views),
        findings=findings,
        loose=tuple(finding for finding in findings if finding.number not in placed),
        blocks=blocks,
        command=command(script),
    )


def _reason(group: Sequence[Unchecked]) -> list[Piece]:
    names, more = shown_names([row.name for row in group])
    said = [piece for name in names for piece in ((name, "code"), (", ", ""))][:-1]
    return [*said, (f"{more}: ", ""), *pieces(group[0].reason)]


def _facts(script: ScriptResult) -> tuple[Fact, ...]:
    points = script.entry_points
    if points is None:
        return ()
    found = [
        Fact("backward", points.backward, points.backward_line, str(script.place(points.backward_line))),
        Fact("loss", points.loss, points.loss_line, str(script.place(points.loss_line))),
    ]
    return (*found, Fact("forward", points.forward)) if points.forward else tuple(found)


def _figures(script: ScriptResult) -> tuple[Fact, ...]:
    check = script.check
    if check is None:
        return (Fact("time", f"{script.seconds:.1f} s"),)
    entries = sum(parameter.checked for parameter in script.parameters)
    of = sum(parameter.size for parameter in script.parameters)
    total = len(script.parameters) + len(script.unchecked)
    parameters = (Fact("parameters checked", f"{len(script.parameters)} of {total}"),) if script.unchecked else ()
    return (
        *parameters,
        Fact("entries compared", f"{entries:,}" if entries == of else f"{entries:,} of {of:,}"),
        Fact("points", f"{check.points}"),
        Fact("evaluations", f"{script.evaluations:,}"),
        Fact("tolerance", f"rtol {check.tolerance.rtol:g}, atol {check.tolerance.atol:g}"),
        Fact("seed", f"{check.seed}"),
        Fact("time", f"{script.seconds:.1f} s"),
    )


def _evidence(script: ScriptResult) -> tuple[str, ...]:
    check = script.check
    if check is None:
        return script.evidence
    return (*script.evidence, f"loss at the first point: {check.loss:.10g}, {check.noise.sentence(check.loss)}")


def _blocks(script: ScriptResult, findings: Sequence[FindingView], limits: Limits) -> tuple[Block, ...]:
    explained = {name for finding in script.findings for name in finding.parameters}
    wrong = {p.name for p in script.parameters if p.verdict is not Verdict.MATCH} - explained
    sources = [source for source in script.sources if source.parameter in wrong]
    marks = [Mark(finding.span, "guilty", k) for k, finding in enumerate(script.findings, 1)]
    marks += [Mark(source.span, "computed") for source in sources]
    line = script.error.line if script.error is not None else None
    if line is not None and 0 < line <= len(script.lines):
        text = script.lines[line - 1]
        start = len(text) - len(text.lstrip()) + 1
        marks.append(Mark(Span(line, start, line, len(text.rstrip()) + 1), "error"))
    by_line: dict[int, list[str]] = {}
    for source in sources:
        by_line.setdefault(source.span.line, []).append(source.parameter)
    computed = [Computed(tuple(names), line, str(script.place(line))) for line, names in by_line.items()]
    return tuple(
        Block(
            segment,
            tuple(finding for finding in findings if segment.has(finding.line)),
            tuple(stated for stated in computed if segment.has(stated.line)),
        )
        for segment in segments(script, marks, limits.letters)
    )


def overview_sentence(scripts: Sequence[ScriptResult]) -> str:
    """Return what was found about several scripts, in one sentence."""
    if not scripts:
        return "Nothing to check"
    words = {"mismatch": "wrong", "inconclusive": "undecided", "error": "not understood", "match": "right"}
    counts = {verdict: sum(script.verdict == verdict for script in scripts) for verdict in words}
    said = ", ".join(f"{count} {words[verdict]}" for verdict, count in counts.items() if count)
    return f"{counted(len(scripts), 'script')}: {said}"
