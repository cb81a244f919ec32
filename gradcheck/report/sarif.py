"""The report as SARIF 2.1.0, the format of code scanning.

References
----------
.. [1] OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0, 2020.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gradcheck._version import __version__
from gradcheck.diagnosis.finding import Confidence, Fix
from gradcheck.diagnosis.registry import rules
from gradcheck.report.explanation import page
from gradcheck.report.problems import INCONCLUSIVE, MISMATCH, Level, Problem, problems
from gradcheck.report.record import Report
from gradcheck.script.result import ScriptResult
from gradcheck.script.source import Span

_LEVELS = {Confidence.VERIFIED: Level.ERROR, Confidence.LIKELY: Level.ERROR, Confidence.POSSIBLE: Level.WARNING}
_OTHERS = {
    MISMATCH: "The gradient of a parameter is wrong, and no cause was found.",
    INCONCLUSIVE: "The gradient of a parameter could not be decided.",
}
_BASE = "ROOT"


def render(report: Report) -> str:
    """Return the report as a log with one run; its results are the findings, and what no finding explains."""
    found = list(problems(report))
    named = list(dict.fromkeys(problem.rule for problem in found))
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "gradcheck",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(name) for name in named],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_BASE: {"description": {"text": "The folder that gradcheck was run in."}}},
        "invocations": [_invocation(report)],
        "results": [_result(problem, named.index(problem.rule)) for problem in found],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _rule(name: str) -> dict[str, Any]:
    rule = rules().get(name)
    if rule is None:
        # a word of ours, or the slug of an error
        text = _OTHERS.get(name, "The script could not be checked.")
        return {"id": name, "shortDescription": {"text": text}}
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.explanation.strip()},
        "help": {"text": rule.explanation.strip(), "markdown": page(rule)},
    }


def _invocation(report: Report) -> dict[str, Any]:
    unread = [(script, script.error) for script in report.scripts if script.error is not None]
    notices = [
        {
            "level": "error",
            "message": {"text": f"{script.path}: {error.message}"},
            "locations": [_location(script)],
        }
        for script, error in unread
    ]
    return {"executionSuccessful": not unread, "toolExecutionNotifications": notices}


def _result(problem: Problem, index: int) -> dict[str, Any]:
    script, finding = problem.script, problem.finding
    level = problem.level if finding is None else _LEVELS[finding.confidence]
    place = f"{script.place(problem.span.line)}: " if problem.span is not None and script.cells is not None else ""
    result: dict[str, Any] = {
        "ruleId": problem.rule,
        "ruleIndex": index,
        "level": level.value,
        "message": {"text": place + problem.message},
        "locations": [_location(script, problem.span, problem.parameters)],
        "partialFingerprints": {"gradcheck/v1": _fingerprint(problem)},
    }
    if finding is not None and finding.fix is not None and finding.fix.verified and script.cells is None:
        result["fixes"] = [_fix(script, fix) for fix in (finding.fix, *finding.fix.alternatives)]
    return result


def _location(script: ScriptResult, span: Span | None = None, parameters: Sequence[str] = ()) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(script)}
    # the lines of a notebook are those of its cells, not those of its file
    if span is not None and script.cells is None:
        physical["region"] = _region(span)
    location: dict[str, Any] = {"physicalLocation": physical}
    if parameters:
        location["logicalLocations"] = [{"name": name, "kind": "variable"} for name in parameters]
    return location


def _artifact(script: ScriptResult) -> dict[str, str]:
    path = Path(script.path)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": _BASE}


def _region(span: Span) -> dict[str, int]:
    if (span.end_line, span.end_column) <= (span.line, span.column):
        return {"startLine": span.line}
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fingerprint(problem: Problem) -> str:
    """Return what stays the same when lines are moved."""
    points = problem.script.entry_points
    known = (problem.rule, points.backward if points is not None else "", *sorted(problem.parameters))
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:32]


def _fix(script: ScriptResult, fix: Fix) -> dict[str, Any]:
    replacements = []
    for edit in fix.edits:
        # a line that is taken away goes with its end
        region = (
            {"startLine": edit.line, "startColumn": 1, "endLine": edit.line, "endColumn": len(edit.old) + 1}
            if edit.new
            else {"startLine": edit.line, "startColumn": 1, "endLine": edit.line + 1, "endColumn": 1}
        )
        replacements.append({"deletedRegion": region, **({"insertedContent": {"text": edit.new}} if edit.new else {})})
    points = f"{fix.points} fresh point{'' if fix.points == 1 else 's'}"
    return {
        "description": {"text": f"Verified against finite differences at {points}."},
        "artifactChanges": [{"artifactLocation": _artifact(script), "replacements": replacements}],
    }
