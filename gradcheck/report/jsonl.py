"""The report as JSON lines: one object per script."""

from __future__ import annotations

import json

from gradcheck.report.json import heading, script_fields
from gradcheck.session.report import Report

# JSON takes them as they are, but some readers take them for the end of a line
_LINE_ENDS = {ord(letter): f"\\u{ord(letter):04x}" for letter in "\x7f\x85\u2028\u2029"}


def render(report: Report) -> str:
    """Return one line per script: its object of the JSON report, with the fields that stand above all scripts there."""
    return "\n".join(
        json.dumps(
            {**heading(report), **script_fields(script)}, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).translate(_LINE_ENDS)
        for script in report.scripts
    )
