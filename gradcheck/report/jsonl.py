"""The report as JSON Lines: one object per script, for logs that are read line by line."""

from __future__ import annotations

import json

from gradcheck.report.json import head_fields, script_fields
from gradcheck.report.record import Report


def render(report: Report) -> str:
    """Return one line per script: the fields of its object in the JSON report, behind those of the report's head."""
    lines = ({**head_fields(report), **script_fields(script)} for script in report.scripts)
    return "\n".join(json.dumps(line, ensure_ascii=False, allow_nan=False) for line in lines)
