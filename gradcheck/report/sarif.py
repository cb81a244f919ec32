"""The report as SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from gradcheck._version import __version__
from gradcheck.diagnosis.registry import rules
from gradcheck.report.edits import regions
from gradcheck.report.explanation import page
from gradcheck.report.json import parameter_fields, unchecked_fields
from gradcheck.report.problems import (
    INCONCLUSIVE,
    MISMATCH,
    UNCHECKED,
    Problem,
    fix_title,
    lines_about,
    problems,
    remarks,
    span_in_file,
)
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Fix
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_BASE = "SRCROOT"
_SUMMARIES = {
    MISMATCH: "The gradient differs from the numerical derivative of the loss; the cause was not found.",
    INCONCLUSIVE: "The gradient could not be decided.",
    UNCHECKED: "The training moves this parameter, and its gradient was not checked.",
}
# what follows would make it a link
_LINK = re.compile(r"\[(?=[^\]]*\]\()")


def render(report: Report) -> str:
    """Return a SARIF log with one run: a result for each finding, each gradient without one, and each error.

    What was not checked has a result of the level ``note`` for each reason. Notes are no results: they are
    notifications of the invocation.
    """
    found = [(script, problem) for script in report.scripts for problem in problems(script)]
    kinds = list(dict.fromkeys(problem.kind for _, problem in found))
    seen: Counter[str] = Counter()
    invocation: dict[str, Any] = {"executionSuccessful": not report.count("error")}
    if notes := [_notification(script, problem) for script in report.scripts for problem in remarks(script)]:
        invocation["toolExecutionNotifications"] = notes
    run = {
        "tool": {"driver": {"name": "gradcheck", "version": __version__, "rules": [_rule(kind) for kind in kinds]}},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_BASE: {"description": {"text": "the folder in which gradcheck was run"}}},
        "results": [_result(script, problem, kinds.index(problem.kind), seen) for script, problem in found],
        "properties": {"seed": report.seed, "scripts": len(report.scripts)},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False, allow_nan=False)


def _rule(kind: str) -> dict[str, Any]:
    rule = rules().get(kind)
    if rule is None:
        summary = _SUMMARIES.get(kind, f"The script could not be checked: {kind}.")
        return {"id": kind, "shortDescription": {"text": summary}, "fullDescription": {"text": summary}}
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.explanation.strip()},
        "help": {"text": page(rule), "markdown": page(rule)},
    }


def _notification(script: ScriptResult, problem: Problem) -> dict[str, Any]:
    return {
        "level": problem.level.value,
        "message": {"text": _message(script, problem)},
        "locations": [_location(script, problem)],
    }


def _message(script: ScriptResult, problem: Problem) -> str:
    return _LINK.sub(r"\\[", "\n".join(lines_about(script, problem)))


def _result(script: ScriptResult, problem: Problem, index: int, seen: Counter[str]) -> dict[str, Any]:
    numbers = [parameter_fields(script, p) for p in script.parameters if p.name in problem.parameters]
    if problem.kind == UNCHECKED:
        numbers = [unchecked_fields(row) for row in script.unchecked if row.name in problem.parameters]
    fix = problem.fix
    result: dict[str, Any] = {
        "ruleId": problem.kind,
        "ruleIndex": index,
        "level": problem.level.value,
        "message": {"text": _message(script, problem)},
        "locations": [_location(script, problem)],
        "partialFingerprints": {"gradcheck/v1": _fingerprint(script, problem, seen)},
        "properties": {"parameters": numbers},
    }
    # replacements are told by lines of the file
    if fix is not None and fix.verified and script.cells is None:
        result["fixes"] = [
            {
                "description": {"text": fix_title(fix)},
                "artifactChanges": _changes(script, fix),
            }
        ]
    return result


def _location(script: ScriptResult, problem: Problem) -> dict[str, Any]:
    file, span = span_in_file(script, problem)
    physical: dict[str, Any] = {"artifactLocation": _artifact(file)}
    logical: list[dict[str, Any]] = []
    if span is not None:
        physical["region"] = _region(span)
    if script.entry_points is not None:
        logical.append({"fullyQualifiedName": script.entry_points.backward, "kind": "function"})
    if script.cells is not None and problem.span is not None:
        logical.append({"name": str(script.place(problem.span.line))})
    return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}


def _region(span: Span) -> dict[str, int]:
    lines = {"startLine": span.line, "endLine": span.end_line}
    return lines | ({"startColumn": span.column, "endColumn": span.end_column} if span.column else {})


def _artifact(file: str) -> dict[str, str]:
    path = PurePath(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(os.fsencode(path.as_posix())), "uriBaseId": _BASE}


def _fingerprint(script: ScriptResult, problem: Problem, seen: Counter[str]) -> str:
    """Return what stays the same when lines move: the function, the parameters and the rule."""
    function = script.entry_points.backward if script.entry_points else ""
    told = f"{function}:{','.join(problem.parameters)}:{problem.kind}"
    # the same mistake may occur twice in a function
    key = f"{script.path}:{told}"
    seen[key] += 1
    return told if seen[key] == 1 else f"{told}:{seen[key]}"


def _changes(script: ScriptResult, fix: Fix) -> list[dict[str, Any]]:
    """Return what a fix replaces, file by file."""
    found: dict[str, list[dict[str, Any]]] = {}
    for span, text in regions(script.lines, fix.edits):
        file, place = script.in_file(span)
        replacement = {"deletedRegion": _region(place), **({"insertedContent": {"text": text}} if text else {})}
        found.setdefault(file, []).append(replacement)
    return [{"artifactLocation": _artifact(file), "replacements": parts} for file, parts in found.items()]
