"""The findings of a script for the page: what is said beside the source, and the fix below it."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.diagnosis.registry import rules
from gradcheck.report.page.diff import DiffRow, rows
from gradcheck.report.page.prose import Piece, paragraphs, pieces
from gradcheck.report.page.words import counted
from gradcheck.script.source.finding import Finding, Fix
from gradcheck.script.source.patch import verified_edits
from gradcheck.session.result import ScriptResult


@dataclass(frozen=True)
class FixView:
    """A fix."""

    caption: str
    verified: bool
    rows: tuple[DiffRow, ...]
    alternatives: tuple[FixView, ...] = ()


@dataclass(frozen=True)
class FindingView:
    """A finding.

    Attributes
    ----------
    mended_by : int
        The number of the finding whose fix mends it, too; 0 for none.
    """

    number: int
    code: str
    name: str
    confidence: str
    message: list[Piece]
    evidence: tuple[list[Piece], ...]
    parameters: tuple[str, ...]
    line: int
    place: str
    fix: FixView | None
    mended_by: int
    summary: list[Piece]
    explanation: list[list[Piece]]


def finding_views(script: ScriptResult) -> tuple[FindingView, ...]:
    """Return the findings of a script, best first."""
    return tuple(_view(script, finding, k) for k, finding in enumerate(script.findings, 1))


def command(script: ScriptResult) -> str:
    """Return what to type to have the edits made; empty where there are none."""
    return script.command("fix", "--write") if verified_edits(script.findings) else ""


def _view(script: ScriptResult, finding: Finding, number: int) -> FindingView:
    rule = rules().get(finding.code)
    return FindingView(
        number=number,
        code=finding.code,
        name=finding.name,
        confidence=finding.confidence.value,
        message=pieces(finding.message),
        evidence=tuple(map(pieces, finding.evidence)),
        parameters=finding.parameters,
        line=finding.span.line,
        place=str(script.place(finding.span.line)),
        fix=None if finding.fix is None else _fix(script, finding.fix),
        mended_by=0 if finding.fix is not None else _mended_by(script, finding),
        summary=pieces(rule.summary) if rule is not None else [],
        explanation=paragraphs(rule.explanation) if rule is not None else [],
    )


def _mended_by(script: ScriptResult, finding: Finding) -> int:
    lines = range(finding.span.line, finding.span.end_line + 1)
    for number, other in enumerate(script.findings, 1):
        if other.fix is not None and any(edit.line in lines for edit in other.fix.edits):
            return number
    return 0


def _fix(script: ScriptResult, fix: Fix) -> FixView:
    at = counted(fix.points, "fresh point")
    caption = f"Fix, verified against finite differences at {at}" if fix.verified else "Fix, not verified"
    return FixView(caption, fix.verified, rows(script, fix), tuple(_fix(script, other) for other in fix.alternatives))
