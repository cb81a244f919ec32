"""The report as CSV: one row per parameter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcheck.checker.result import ParameterResult
from gradcheck.report.json import certified_fields, parameter_fields, unchecked_fields
from gradcheck.report.table import csv_of
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult

_NUMBERS = (
    *("shape", "checked", "mismatched", "max_abs_error", "max_rel_error", "worst_index"),
    *("analytic", "numerical", "numerical_error", "verdict", "reason", "signature"),
)
_CERTIFIED = ("directions", "sensitivity", "verdict", "complete")
COLUMNS = (
    "path",
    "parameter",
    *_NUMBERS,
    *(f"certified_{name}" for name in _CERTIFIED),
    *("findings", "error", "message", "notes"),
)
# a spreadsheet takes a text that begins so for a formula
_FORMULA = ("=", "+", "-", "@", "\t")


def render(report: Report) -> str:
    """Return a header and one row per parameter, also of what was not checked; a script without any has one row, too.

    Numbers keep all their digits, also NaN and the infinities; what there is not is empty.
    """
    rows = [row for script in report.scripts for row in _rows(script)]
    return csv_of(rows, COLUMNS).removesuffix("\n")


def _rows(script: ScriptResult) -> Iterator[dict[str, Any]]:
    # the same file, in a way that no spreadsheet computes
    path = _text(f"./{script.path}" if script.path.startswith(_FORMULA) else script.path)
    # what is the same for all parameters of a script
    whole = {"path": path, "notes": _text("; ".join(script.notes))}
    for parameter in script.parameters:
        codes = [finding.code for finding in script.findings if parameter.name in finding.parameters]
        yield {**whole, "parameter": parameter.name, **_fields(script, parameter), "findings": " ".join(codes)}
    for row in script.unchecked:
        fields = unchecked_fields(row)
        known = {name: fields[name] for name in _NUMBERS}
        yield {**whole, "parameter": row.name, **known, "reason": _text(row.reason)}
    if not (script.parameters or script.unchecked):
        error = script.error
        said = {"error": error.slug, "message": _text(error.message)} if error else {}
        yield {**whole, "verdict": script.verdict, **said}


def _text(text: str) -> str:
    # a carriage return of its own would end the row
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fields(script: ScriptResult, parameter: ParameterResult) -> dict[str, Any]:
    fields = parameter_fields(script, parameter)
    certified = certified_fields(parameter.certificate) or {}
    return {name: fields[name] for name in _NUMBERS} | {f"certified_{name}": certified[name] for name in certified}
