"""The schema of the JSON report, which is part of the package: what is printed is valid, what is broken is not."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from gradcheck.api import check_script
from gradcheck.checker.certificate import Certificate
from gradcheck.checker.result import Verdict
from gradcheck.report.json import SCHEMA, render
from gradcheck.script.source.finding import Fix
from gradcheck.session.report import Report
from pages import JSON_PAGE, ROOT, table
from report_records import UNCHECKED, edit, failed, finding, mixed, notebook, parameter, script, wrong

TEXT = files("gradcheck.report").joinpath("report.schema.json").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(json.loads(TEXT))
SECTIONS = {
    "## A script": "script",
    "## entry_points": "entry_points",
    "## A parameter": "parameter",
    "## A parameter that was not checked": "unchecked",
    "## certified": "certified",
    "## A finding": "finding",
    "## fix": "fix",
    "## An edit": "edit",
    "## error": "error",
}


def made(*scripts: Any) -> dict[str, Any]:
    return json.loads(render(Report(scripts)))


def rich() -> dict[str, Any]:
    """Return a report with one of everything."""
    other = Fix((edit(3, "    return dw", ""),), True, 7)
    with_fix = finding(fix=Fix((edit(), edit(3, "    return dw", "a\nb")), True, 8, (other,)))
    large = parameter("L", [1.0], shape=(10, 10), certificate=Certificate(4, float("inf"), Verdict.MISMATCH, False))
    partly = script("p.py", parameter(), unchecked=UNCHECKED)
    return made(wrong(findings=(with_fix, finding())), script("l.py", large), notebook(), failed(line=2), partly)


def test_the_schema_is_one():
    Draft202012Validator.check_schema(json.loads(TEXT))
    assert json.loads(TEXT)["properties"]["schema"] == {"const": SCHEMA}


@pytest.mark.parametrize(
    "report",
    [
        made(),
        made(script("a.py", parameter())),
        made(*mixed().scripts),
        rich(),
        made(failed("a.ipynb", line=3)),
        made(script("a.py", parameter(), entry_points=None)),
        made(script("a.py", parameter(), unchecked=UNCHECKED), wrong(unchecked=UNCHECKED)),
    ],
    ids=["nothing", "match", "mixed", "rich", "error", "no entry points", "unchecked"],
)
def test_what_is_printed_is_valid(report):
    VALIDATOR.validate(report)


def test_what_real_scripts_give_is_valid(forked):
    paths = (
        "buggy/logit_ascent.py",
        "correct/adam_states.py",
        "notebooks/ridge_logistic.ipynb",
        "unreadable/raises.py",
    )
    scripts = tuple(s for path in paths for s in check_script(ROOT / "fixtures" / path).scripts)
    assert {s.verdict for s in scripts} == {"match", "mismatch", "error"}
    VALIDATOR.validate(made(*scripts))


BREAKS = [
    ("schema", 2),
    ("schema", None),
    ("seed", 1.5),
    ("extra", 1),
    ("scripts/0/verdict", "wrong"),
    ("scripts/0/verdict", "error"),
    ("scripts/0/extra", 1),
    (
        "scripts/0/error",
        {"slug": "no-loss", "message": "m", "path": None, "line": None, "cell": None, "cell_line": None},
    ),
    ("scripts/0/parameters", []),
    ("scripts/0/parameters/0/analytic", None),
    ("scripts/0/parameters/0/analytic", "NaN"),
    ("scripts/0/parameters/0/analytic", "3.0"),
    ("scripts/0/parameters/0/verdict", "error"),
    ("scripts/0/parameters/0/shape", [2.5]),
    ("scripts/0/parameters/0/checked", 0),
    ("scripts/0/findings/0/code", "213"),
    ("scripts/0/findings/0/line", 0),
    ("scripts/0/findings/0/line", "2"),
    ("scripts/0/findings/0/confidence", "sure"),
    ("scripts/0/findings/0/fix/edits", []),
    ("scripts/0/findings/0/fix/edits/0/cell", 0),
    ("scripts/0/findings/0/fix/verified", "yes"),
    ("scripts/0/findings/0/fix/alternatives/0/verified", True),
    ("scripts/1/parameters/0/certified/verdict", "inconclusive"),
    ("scripts/3/error", "no-loss"),
    ("scripts/3/error/slug", "No loss"),
    ("scripts/3/parameters", [{}]),
    ("scripts/4/verdict", "match"),
    ("scripts/4/parameters/0/verdict", "unchecked"),
    ("scripts/4/parameters/1/verdict", "inconclusive"),
    ("scripts/4/parameters/1/checked", 1),
    ("scripts/4/parameters/1/analytic", 0.0),
    ("scripts/4/parameters/1/reason", None),
]


@pytest.mark.parametrize(("path", "value"), BREAKS, ids=lambda value: str(value)[:40])
def test_what_is_broken_is_not_valid(path, value):
    report = copy.deepcopy(rich())
    *inner, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    place: Any = report
    for part in inner:
        place = place[part]
    place[last] = value
    with pytest.raises(ValidationError):
        VALIDATOR.validate(report)


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *(part for part in schema["$defs"].values() if part.get("type") == "object")]


def test_every_field_is_known_and_required():
    for part in objects(json.loads(TEXT)):
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])


def test_the_page_and_the_schema_list_the_same_fields():
    schema = json.loads(TEXT)
    for heading, name in {"## The report": None, **SECTIONS}.items():
        part = schema if name is None else schema["$defs"][name]
        assert [row[0].strip("`") for row in table(JSON_PAGE, heading)] == list(part["properties"]), heading
    known = set(SECTIONS.values()) | {"alternative"}
    assert known == {name for name, part in schema["$defs"].items() if part.get("type") == "object"}


def test_the_page_says_where_the_schema_is():
    assert "report.schema.json" in JSON_PAGE.read_text(encoding="utf-8")
