"""The report as JSON, schema 1."""

from __future__ import annotations

import json
import math
from typing import Any

from gradcheck._version import __version__
from gradcheck.checker.certificate import Certificate
from gradcheck.checker.result import ParameterResult
from gradcheck.errors import ScriptError
from gradcheck.report.problems import UNCHECKED
from gradcheck.script.source.finding import Finding, Fix
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult, Unchecked

SCHEMA = 1


def render(report: Report) -> str:
    """Return the report as JSON text; numbers keep all their digits, NaN and infinities are strings."""
    content = {**heading(report), "scripts": [script_fields(script) for script in report.scripts]}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def heading(report: Report) -> dict[str, Any]:
    """Return the fields that stand above all scripts."""
    return {"schema": SCHEMA, "gradcheck": __version__, "seed": report.seed}


def script_fields(script: ScriptResult) -> dict[str, Any]:
    """Return a script as an object of JSON."""
    points = script.entry_points
    return {
        "path": script.path,
        "verdict": script.verdict,
        "seconds": round(script.seconds, 3),
        "evaluations": script.evaluations,
        "entry_points": points
        and {
            "backward": points.backward,
            "forward": points.forward,
            "loss": points.loss,
            "parameters": list(points.parameters),
        },
        "parameters": [
            *(parameter_fields(script, parameter) for parameter in script.parameters),
            *map(unchecked_fields, script.unchecked),
        ],
        "findings": [finding_fields(script, finding) for finding in script.findings],
        "notes": list(script.notes),
        "error": script.error and error_fields(script, script.error),
    }


def error_fields(script: ScriptResult, error: ScriptError) -> dict[str, Any]:
    """Return an error as an object of JSON."""
    return {"slug": error.slug, "message": error.message, **_place(script, error.line)}


def finding_fields(script: ScriptResult, finding: Finding) -> dict[str, Any]:
    """Return a finding as an object of JSON."""
    span = finding.span
    return {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "parameters": list(finding.parameters),
        **_place(script, span.line),
        "column": span.column,
        "end_line": script.in_file(span)[1].end_line,
        "end_column": span.end_column,
        "confidence": finding.confidence.value,
        "evidence": list(finding.evidence),
        "fix": finding.fix and _fix(script, finding.fix),
    }


def _fix(script: ScriptResult, fix: Fix) -> dict[str, Any]:
    return {
        "edits": _edits(script, fix),
        "verified": fix.verified,
        "points": fix.points,
        "alternatives": [{"edits": _edits(script, other), "points": other.points} for other in fix.alternatives],
    }


def _edits(script: ScriptResult, fix: Fix) -> list[dict[str, Any]]:
    return [{**_place(script, edit.line), "old": edit.old, "new": edit.new} for edit in fix.edits]


def _place(script: ScriptResult, line: int | None) -> dict[str, Any]:
    """Return the fields that say where something stands, for every object that has a line."""
    if line is None:
        return {"path": None, "line": None, "cell": None, "cell_line": None}
    place = script.place(line)
    return {
        "path": place.path if place.module is not None else None,
        "line": place.line,
        "cell": place.cell,
        "cell_line": place.cell_line,
    }


def parameter_fields(script: ScriptResult, parameter: ParameterResult) -> dict[str, Any]:
    """Return the comparison of a parameter as an object of JSON."""
    worst = parameter.worst
    return {
        "name": parameter.name,
        "shape": list(parameter.shape),
        "checked": parameter.checked,
        "mismatched": parameter.mismatched,
        "max_abs_error": number(parameter.max_abs_error),
        "max_rel_error": number(parameter.max_rel_error),
        "worst_index": [int(i) for i in parameter.worst_index],
        "analytic": number(parameter.analytic[worst]),
        "numerical": number(parameter.numerical[worst]),
        "numerical_error": number(parameter.numerical_error[worst]),
        "verdict": parameter.verdict.value,
        "reason": None if parameter.reason is None else parameter.reason.value,
        "signature": dict(script.signatures).get(parameter.name) or None,
        "certified": certified_fields(parameter.certificate),
    }


def unchecked_fields(row: Unchecked) -> dict[str, Any]:
    """Return what was not checked as an object of JSON, with the fields of a comparison."""
    return {
        "name": row.name,
        "shape": list(row.shape),
        "checked": 0,
        "mismatched": 0,
        **dict.fromkeys(("max_abs_error", "max_rel_error", "worst_index", "analytic", "numerical", "numerical_error")),
        "verdict": UNCHECKED,
        "reason": row.reason,
        "signature": None,
        "certified": None,
    }


def certified_fields(certificate: Certificate | None) -> dict[str, Any] | None:
    """Return what random directions show as an object of JSON; None where there were none."""
    if certificate is None:
        return None
    return {
        "directions": certificate.directions,
        "sensitivity": number(certificate.sensitivity),
        "verdict": certificate.verdict.value,
        "complete": certificate.complete,
    }


def number(value: Any) -> float | str:
    """Return a value that JSON can hold: a float, or ``"nan"``, ``"inf"``, ``"-inf"``."""
    value = float(value)
    return value if math.isfinite(value) else str(value)
