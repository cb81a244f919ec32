"""Reports as SARIF, each valid by the schema of OASIS."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

from gradcheck.report.sarif import render
from gradcheck.session.report import Report

SCHEMA = Path(__file__).parents[1] / "data" / "sarif-2.1.0-rtm.5.json"


@cache
def validator() -> Draft4Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema)


def log_of(*scripts: Any) -> dict[str, Any]:
    log = json.loads(render(Report(scripts)))
    validator().validate(log)
    return log


def results(*scripts: Any) -> list[dict[str, Any]]:
    return log_of(*scripts)["runs"][0]["results"]
