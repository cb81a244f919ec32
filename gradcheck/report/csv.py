"""The report as a table for spreadsheets and data frames: one row per parameter of each script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradcheck.report.json import script_fields
from gradcheck.report.record import Report

_COLUMNS = (
    *("path", "parameter", "verdict", "shape", "checked", "mismatched", "max_abs_error", "max_rel_error"),
    *("worst_index", "analytic", "numerical", "numerical_error", "reason", "signature", "findings"),
    *("error", "message"),
)


def render(report: Report) -> str:
    """Return the table as CSV; numbers keep all their digits.

    The fields are those of the JSON report; `findings` holds the codes of those that concern a parameter. A script
    without parameters, because of an error, has one row with the verdict ``error``, its slug and its message.
    """
    from gradcheck.report.table import csv_text

    rows = [row for script in report.scripts for row in _rows(script_fields(script))]
    return csv_text(_COLUMNS, rows).removesuffix("\n")


def _rows(script: dict[str, Any]) -> Iterator[dict[str, object]]:
    error = script["error"]
    if error is not None:
        yield {"path": script["path"], "verdict": "error", "error": error["slug"], "message": error["message"]}
    for parameter in script["parameters"]:
        codes = [finding["code"] for finding in script["findings"] if parameter["name"] in finding["parameters"]]
        yield {
            **{name: value for name, value in parameter.items() if name in _COLUMNS},
            "path": script["path"],
            "parameter": parameter["name"],
            "shape": str(tuple(parameter["shape"])),
            "worst_index": str(tuple(parameter["worst_index"])),
            "findings": " ".join(codes) or None,
        }
