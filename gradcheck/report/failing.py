"""What a failing test says about a script, as plain text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gradcheck.checker.result import ParameterResult
from gradcheck.checker.verdict import Verdict
from gradcheck.report.snippet import show_line
from gradcheck.report.text import in_plain_text, sentence, show_details
from gradcheck.session.result import ScriptResult

if TYPE_CHECKING:
    from rich.console import Console


def about(script: ScriptResult, parameter: ParameterResult) -> ScriptResult:
    """Return what a result says about one parameter: its comparison, and the findings that concern it."""
    findings = tuple(finding for finding in script.findings if parameter.name in finding.parameters)
    # a check is false where it did not pass
    check = None if script.check is None else replace(script.check, parameters=(parameter,))
    return replace(script, check=check, findings=findings, unchecked=())


def headline_about(script: ScriptResult, parameter: ParameterResult) -> str:
    """Return what is wrong with one parameter in one line, with the cause if it is known."""
    if parameter.verdict is not Verdict.MISMATCH:
        return f"the gradient of {parameter.name} could not be decided"
    causes = [f"{finding.code} {finding.name} in {script.place(finding.span.line)}" for finding in script.findings]
    return f"the gradient of {parameter.name} is wrong" + (f": {', '.join(causes)}" if causes else "")


def failure_text(script: ScriptResult, headline: str = "") -> str:
    """Return the report on a script as plain text, the verified fix as a diff."""

    def show(console: Console) -> None:
        show_line(console, headline or sentence(script))
        show_details(script, console, as_diff=True)

    return in_plain_text(show)
