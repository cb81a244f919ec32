"""What is to be told of a report, one after the other: what annotations, SARIF and JUnit are made from."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from gradcheck.diagnosis.finding import Finding
from gradcheck.report.record import Report
from gradcheck.result import ParameterResult, Verdict
from gradcheck.script.result import ScriptResult
from gradcheck.script.source import Span

MISMATCH, INCONCLUSIVE = "gradient-mismatch", "gradient-inconclusive"


class Level(enum.StrEnum):
    """How grave something is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or could not be told.

    Attributes
    ----------
    script : ScriptResult
        Where.
    rule : str
        The code of a finding; `MISMATCH`, `INCONCLUSIVE`, or the slug of an error.
    title : str
        What it is, in few words.
    message : str
        The same in a sentence or two.
    level : Level
        How grave it is.
    span : Span or None
        Where it stands, if that is known.
    parameters : tuple of str
        What it is about.
    finding : Finding or None
        The finding, if it is one.
    """

    script: ScriptResult
    rule: str
    title: str
    message: str
    level: Level
    span: Span | None
    parameters: tuple[str, ...] = ()
    finding: Finding | None = None


def problems(report: Report) -> Iterator[Problem]:
    """Return what is to be told of a report, script by script.

    Findings come first; a gradient that is wrong is named by itself only where no finding explains it.

    Parameters
    ----------
    report : Report
        The report.
    """
    for script in report.scripts:
        if script.error is not None:
            line = script.error.line
            span = None if line is None else Span(line, 1, line, 1)
            yield Problem(script, script.error.slug, script.error.slug, script.error.message, Level.ERROR, span)
        yield from map(lambda finding: _of_finding(script, finding), script.findings)  # noqa: C417
        explained = {name for finding in script.findings for name in finding.parameters}
        for parameter in script.parameters:
            is_wrong = parameter.verdict is Verdict.MISMATCH
            if parameter.verdict is Verdict.INCONCLUSIVE or (is_wrong and parameter.name not in explained):
                yield _of_parameter(script, parameter)


def _of_finding(script: ScriptResult, finding: Finding) -> Problem:
    title = f"{finding.code} {finding.name}"
    message = " ".join([_sentence(finding.message), *map(_sentence, finding.evidence)])
    return Problem(script, finding.code, title, message, Level.ERROR, finding.span, finding.parameters, finding)


def _of_parameter(script: ScriptResult, parameter: ParameterResult) -> Problem:
    sources = {source.parameter: source.span for source in script.sources}
    is_wrong = parameter.verdict is Verdict.MISMATCH
    said = dict(script.signatures).get(parameter.name, "")
    reason = parameter.reason.sentence if parameter.reason is not None else ""
    message = " ".join([f"{numbers(parameter)}.", *map(_sentence, filter(None, (said, reason)))])
    return Problem(
        script,
        MISMATCH if is_wrong else INCONCLUSIVE,
        f"the gradient of {parameter.name} {'is wrong' if is_wrong else 'could not be decided'}",
        message,
        Level.ERROR if is_wrong else Level.WARNING,
        sources.get(parameter.name),
        (parameter.name,),
    )


def numbers(parameter: ParameterResult) -> str:
    """Return the derivatives of the worst entry of a parameter, in words."""
    worst = parameter.worst
    place = f"[{', '.join(map(str, parameter.worst_index))}]" if parameter.shape else ""
    return (
        f"{parameter.name}{place}: analytic {parameter.analytic[worst]:.6g}, numerical "
        f"{parameter.numerical[worst]:.6g} +- {parameter.numerical_error[worst]:.1g}, "
        f"{parameter.mismatched} of {parameter.checked} entries wrong"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")
