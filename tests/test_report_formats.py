"""Every format is read back by a reader of its own, and tells the same verdicts and the same numbers."""

from __future__ import annotations

import io
import json
import math
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import jsonschema
import junitparser
import pandas as pd
import pytest

from gradcheck.diagnosis.finding import Confidence
from gradcheck.diagnosis.registry import rules
from gradcheck.errors import UsageError
from gradcheck.report import csv as csv_report
from gradcheck.report import formats, github, jsonl, junit, markdown, sarif
from gradcheck.report import json as json_report
from gradcheck.report.record import Report
from gradcheck.script.source import Span
from report_records import AWKWARD, HOSTILE, every_kind, failed, finding, parameter, script, undecided

REPORT = every_kind()
DATA = Path(__file__).parent / "data"


def verdicts(report: Report) -> dict[tuple[str, str], str]:
    return {(s.path, p.name): p.verdict.value for s in report.scripts for p in s.parameters}


def numbers(report: Report) -> dict[tuple[str, str], tuple[float, ...]]:
    """Return the numbers of the worst entry of each parameter."""
    found = {}
    for s in report.scripts:
        for p in s.parameters:
            worst = p.worst
            found[s.path, p.name] = tuple(
                float(x)
                for x in (
                    p.analytic[worst],
                    p.numerical[worst],
                    p.numerical_error[worst],
                    p.max_abs_error,
                    p.max_rel_error,
                )
            )
    return found


def same(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether all numbers are the same to the last bit, NaN included."""
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


FIELDS = ("analytic", "numerical", "numerical_error", "max_abs_error", "max_rel_error")

# -- JSON, JSON Lines, CSV ----------------------------------------------------------------------------------------


def of_json(scripts: list[dict[str, Any]]) -> tuple[dict[Any, str], dict[Any, tuple[float, ...]]]:
    rows = [(s["path"], p) for s in scripts for p in s["parameters"]]
    return (
        {(path, p["name"]): p["verdict"] for path, p in rows},
        {(path, p["name"]): tuple(float(p[field]) for field in FIELDS) for path, p in rows},
    )


def test_json_lines():
    lines = [json.loads(line, parse_constant=pytest.fail) for line in jsonl.render(REPORT).split("\n")]
    told, exact = of_json(lines)
    assert told == verdicts(REPORT)
    assert all(same(exact[key], values) for key, values in numbers(REPORT).items())
    whole = json.loads(json_report.render(REPORT))
    assert [{k: v for k, v in line.items() if k not in ("schema", "gradcheck", "seed")} for line in lines] == whole[
        "scripts"
    ]
    assert {line["schema"] for line in lines} == {1}


def test_csv():
    # as text: which digits are kept by float() and by pandas itself is their own business
    frame = pd.read_csv(io.StringIO(csv_report.render(REPORT)), dtype=dict.fromkeys(FIELDS, str), na_filter=False)
    checked = frame[frame["verdict"] != "error"]
    keys = list(zip(checked["path"], checked["parameter"], strict=True))
    assert dict(zip(keys, checked["verdict"], strict=True)) == verdicts(REPORT)
    exact = dict(zip(keys, checked[list(FIELDS)].map(float).itertuples(index=False, name=None), strict=True))
    assert all(same(exact[key], values) for key, values in numbers(REPORT).items())
    (error,) = frame[frame["verdict"] == "error"].to_dict("records")
    assert (error["path"], error["error"]) == ("broken.py", "no-loss")
    assert frame.set_index(["path", "parameter"]).loc[("wrong ä.py", "w"), "findings"] == "GC201"


def test_csv_of_nothing_has_a_head():
    assert csv_report.render(Report(())).startswith("path,parameter,verdict,")
    assert pd.read_csv(io.StringIO(csv_report.render(Report(())))).empty


def test_a_small_number_is_not_zero():
    for form in ("json", "jsonl", "csv", "junit"):
        assert "3e-13" in formats.FORMATS[form].render(REPORT), form


# -- the schema of the JSON report --------------------------------------------------------------------------------

SCHEMA = json.loads((files("gradcheck.report") / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", [REPORT, Report(()), Report((failed(line=None),))], ids=["all", "none", "error"])
def test_reports_fit_the_schema(report):
    VALIDATOR.validate(json.loads(json_report.render(report)))


def broken(path: list[Any], value: Any) -> dict[str, Any]:
    """Return the report with one value replaced, or taken away."""
    content: Any = json.loads(json_report.render(REPORT))
    place = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema"], 2),
        (["scripts"], None),
        (["scripts", 0, "verdict"], "right"),
        (["scripts", 0, "parameters", 0, "analytic"], "big"),
        (["scripts", 0, "parameters", 0, "analytic"], None),
        (["scripts", 0, "parameters", 0, "shape"], [2.5]),
        (["scripts", 1, "findings", 0, "confidence"], "sure"),
        (["scripts", 1, "findings", 0, "line"], 0),
        (["scripts", 1, "findings", 0, "fix", "edits", 0, "old"], 3),
        (["scripts", 0, "more"], True),
        (["scripts", 6, "error", "slug"], ""),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, list) else str(value),
)
def test_what_is_no_report_does_not_fit(path, value):
    assert not VALIDATOR.is_valid(broken(path, value))


def test_the_page_and_the_schema_have_the_same_fields():
    page = (Path(__file__).parent.parent / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.M))

    def fields(node: Any) -> set[str]:
        if isinstance(node, dict):
            return set(node.get("properties", {})).union(*map(fields, node.values()))
        return set().union(*map(fields, node)) if isinstance(node, list) else set()

    assert fields(SCHEMA) == documented


# -- SARIF --------------------------------------------------------------------------------------------------------

OASIS = jsonschema.Draft4Validator(json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")))


def sarif_of(report: Report) -> dict[str, Any]:
    return json.loads(sarif.render(report))


@pytest.mark.parametrize("report", [REPORT, Report(()), Report((script(),))], ids=["all", "none", "clean"])
def test_sarif_is_valid(report):
    assert [error.message for error in OASIS.iter_errors(sarif_of(report))] == []


SPOILED = {
    "line 0": ("locations", 0, "physicalLocation", "region", "startLine"),
    "no message": ("message", "text"),
    "a level of its own": ("level",),
    "a fix of nothing": ("fixes", 0, "artifactChanges"),
    "a negative rule": ("ruleIndex",),
}
VALUES = {"line 0": 0, "a level of its own": "fatal", "a negative rule": -2}


@pytest.mark.parametrize("how", SPOILED)
def test_sarif_that_was_spoiled_is_not_valid(how):
    log = sarif_of(REPORT)
    place = next(result for result in log["runs"][0]["results"] if "fixes" in result)
    *path, last = SPOILED[how]
    for key in path:
        place = place[key]
    if how in VALUES:
        place[last] = VALUES[how]
    else:
        del place[last]
    assert not OASIS.is_valid(log)


def test_sarif_tells_every_finding_and_what_none_explains():
    (run,) = sarif_of(REPORT)["runs"]
    told = {(unquote(location(r)["artifactLocation"]["uri"]), r["ruleId"], r["level"]) for r in run["results"]}
    assert told == {
        ("wrong ä.py", "GC201", "error"),
        ("wrong alone.py", "gradient-mismatch", "error"),
        ("kink.py", "gradient-inconclusive", "warning"),
        ("awkward.py", "GC201", "error"),
        ("notes.ipynb", "GC201", "error"),
        ("broken.py", "no-loss", "error"),
    }
    listed = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(listed[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert run["invocations"][0]["executionSuccessful"] is False
    assert rules()["GC201"].summary in json.dumps(run["tool"]["driver"]["rules"])


def location(result: dict[str, Any]) -> dict[str, Any]:
    return result["locations"][0]["physicalLocation"]


def test_a_fix_in_sarif_makes_the_edits():
    """Its replacements, applied to the text, give what the edits give."""
    found = script("net.py", findings=(finding(),))
    (run,) = sarif_of(Report((found,)))["runs"]
    lines = [line + "\n" for line in found.lines]
    (change,) = run["results"][0]["fixes"][0]["artifactChanges"]
    for replacement in reversed(change["replacements"]):
        region, text = replacement["deletedRegion"], replacement.get("insertedContent", {}).get("text", "")
        first, last = region["startLine"] - 1, region["endLine"] - 1
        head, tail = lines[first][: region["startColumn"] - 1], lines[last][region["endColumn"] - 1 :]
        lines[first : last + 1] = [head + text + tail]
    assert "".join(lines).split("\n")[:4] == [found.lines[0], "    dW = delta * x", "    dW = dW", found.lines[3]]


def test_a_notebook_in_sarif_has_no_line_of_its_file():
    (result,) = [
        r for r in sarif_of(REPORT)["runs"][0]["results"] if location(r)["artifactLocation"]["uri"] == "notes.ipynb"
    ]
    assert "region" not in location(result)
    assert result["message"]["text"].startswith("cell 2, line 1: ")
    assert "fixes" not in result


def test_fingerprints_do_not_follow_lines():
    def prints(line: int) -> set[str]:
        found = script("net.py", findings=(finding(line),), lines=("",) * 40)
        return {r["partialFingerprints"]["gradcheck/v1"] for r in sarif_of(Report((found,)))["runs"][0]["results"]}

    assert prints(2) == prints(20)
    assert prints(2) != {sarif_of(REPORT)["runs"][0]["results"][-1]["partialFingerprints"]["gradcheck/v1"]}


def test_confidence_decides_the_level():
    held = Report((script("a.py", findings=(finding(confidence=Confidence.POSSIBLE, fix=None),)),))
    assert sarif_of(held)["runs"][0]["results"][0]["level"] == "warning"


# -- GitHub -------------------------------------------------------------------------------------------------------

_COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:]*)::(?P<message>.*)")


def annotations(report: Report) -> list[tuple[str, dict[str, str], str]]:
    """Read commands as GitHub does."""
    found = []
    for line in github.render(report).split("\n"):
        match = _COMMAND.fullmatch(line)
        assert match, line
        pairs = (pair.partition("=") for pair in match["properties"].split(","))
        found.append((match["level"], {key: decoded(value) for key, _, value in pairs}, decoded(match["message"])))
    return found


def decoded(text: str) -> str:
    for code, letter in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, letter)
    return text


def test_annotations():
    found = annotations(REPORT)
    assert [(level, properties["file"]) for level, properties, _ in found] == [
        ("error", "wrong ä.py"),
        ("error", "wrong alone.py"),
        ("error", "wrong alone.py"),
        ("warning", "kink.py"),
        ("error", "awkward.py"),
        ("error", "notes.ipynb"),
        ("error", "broken.py"),
    ]
    _, properties, message = found[0]
    assert {k: properties[k] for k in ("line", "endLine", "col", "endColumn")} == {
        "line": "2",
        "endLine": "2",
        "col": "18",
        "endColumn": "19",
    }
    assert properties["title"] == "gradcheck: GC201 wrong-variable"
    assert "\n- dW = delta * w\n+ dW = delta * x\n" in message
    assert HOSTILE in found[4][2]
    assert "line" not in found[5][1]
    assert found[5][2].startswith("cell 2, line 1: ")


def test_thirty_findings_stay_within_the_limits():
    """GitHub shows ten errors and ten warnings of a step; the others are counted."""
    wrong = [script(f"{i}.py", parameter("w", (2,), 1), findings=(finding(),)) for i in range(30)]
    unsure = [script(f"u{i}.py", undecided()) for i in range(12)]
    found = annotations(Report((*wrong, *unsure)))
    levels = [level for level, _, _ in found]
    assert (levels.count("error"), levels.count("warning"), levels.count("notice")) == (10, 10, 1)
    assert found[-1][2].startswith("22 more, in 10.py, 11.py, ")


def test_a_report_without_problems_has_no_annotations():
    assert github.render(Report((script(),))) == ""


def test_the_summary_of_the_step_is_appended(tmp_path, monkeypatch):
    target = tmp_path / "summary.md"
    target.write_text("before\n")
    monkeypatch.setenv(github.SUMMARY, str(target))
    github.append_summary(REPORT)
    assert target.read_text(encoding="utf-8") == "before\n" + markdown.render(REPORT) + "\n"
    monkeypatch.delenv(github.SUMMARY)
    github.append_summary(REPORT)
    assert target.read_text(encoding="utf-8").count("# gradcheck\n") == 1


# -- Markdown -----------------------------------------------------------------------------------------------------


def tables(text: str) -> list[list[list[str]]]:
    """Read the tables, a list of rows each; an escaped bar is no border."""
    found: list[list[list[str]]] = []
    previous = ""
    for line in text.split("\n"):
        if line.startswith("| "):
            if not previous.startswith("| "):
                found.append([])
            found[-1].append([cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        previous = line
    return found


def test_markdown_tables():
    read = tables(markdown.render(REPORT))
    checked = [s for s in REPORT.scripts if s.parameters]
    assert len(read) == len(checked)
    for rows, held in zip(read, checked, strict=True):
        head, rule, *body = rows
        assert {len(row) for row in rows} == {len(head)}
        assert set(rule) == {"---"}
        for cells, p in zip(body, held.parameters, strict=True):
            assert cells[0].strip("`") == p.name
            assert cells[-1].split(" ")[0] == p.verdict
            assert cells[3] == f"{p.analytic[p.worst]:.6g}"


def test_markdown_has_no_html_of_a_script():
    text = markdown.render(REPORT)
    outside = re.sub(r"(`+).*?\1", "", re.sub(r"(?s)```diff.*?```", "", text))
    assert not re.search(r"(?<!\\)<", outside)
    assert AWKWARD.split("|")[0] in text  # in a span of code it is as it is


def test_markdown_keeps_to_the_limit():
    many = Report(tuple(script(f"{i}.py", findings=(finding(),)) for i in range(200)))
    whole, cut = markdown.render(many), markdown.limited(many, 20_000)
    assert len(cut.encode()) <= 20_000 < len(whole.encode())
    shown = cut.count("\n## ")
    assert 0 < shown < 200
    assert cut.endswith(f"{200 - shown} more scripts are left out: the report would be too long.")
    assert "left out" not in whole


def test_a_fence_is_longer_than_what_it_holds():
    lines = list(markdown.fenced("diff", ["a ```` b"]))
    assert lines == ["`````diff", "a ```` b", "`````"]


# -- JUnit --------------------------------------------------------------------------------------------------------


def test_junit():
    text = junit.render(REPORT)
    read = junitparser.JUnitXml.fromstring(text.encode())
    told, exact, errors = {}, {}, []
    for suite in read:
        for case in suite:
            kinds = {type(result) for result in case.result}
            if junitparser.Error in kinds:
                errors.append((case.classname, case.name))
                continue
            verdict = "mismatch" if junitparser.Failure in kinds else "inconclusive" if case.is_skipped else "match"
            told[case.classname, case.name] = verdict
            held = {prop.name: prop.value for prop in case.child(junitparser.Properties)}
            exact[case.classname, case.name] = tuple(float(held[f"gradcheck.{field}"]) for field in FIELDS)
    assert told == verdicts(REPORT)
    assert all(same(exact[key], values) for key, values in numbers(REPORT).items())
    assert errors == [("broken.py", "no-loss")]
    assert (read.tests, read.failures, read.errors, read.skipped) == (
        len(told) + 1,
        list(told.values()).count("mismatch"),
        1,
        list(told.values()).count("inconclusive"),
    )


def test_characters_that_xml_cannot_hold_are_replaced():
    held = Report((script("a\x00b\x1b.py", parameter("w\x07")),))
    (suite,) = ElementTree.fromstring(junit.render(held))
    assert (suite.get("name"), suite[0].get("name")) == ("a?b?.py", "w?")


# -- which format -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *((f"r{suffix}", form.name) for form in formats.FORMATS.values() for suffix in form.suffixes),
        ("R.JSON", "json"),
        ("r.txt", "text"),
        ("r", "text"),
        ("r.log", "text"),
    ],
)
def test_the_suffix_decides(name, form):
    assert formats.format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["r.pdf", "r.docx", "r.xlsx", "r.png"])
def test_a_suffix_of_something_else_is_refused(name):
    with pytest.raises(UsageError, match=r"expected a file that ends in \.json, .*\.xml or \.txt, got \."):
        formats.format_of(Path(name))


@pytest.mark.parametrize("form", formats.NAMES)
def test_every_format_is_written(tmp_path, form):
    target = tmp_path / "report"
    formats.write(REPORT, target, form)
    text = target.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        formats.write(REPORT, tmp_path / "no" / "report.json")


def test_places_without_columns_are_whole_lines():
    held = Report((script("a.py", findings=(finding(span=Span(3, 1, 3, 1)),)),))
    ((_, properties, _),) = annotations(held)
    assert "col" not in properties
    assert location(sarif_of(held)["runs"][0]["results"][0])["region"] == {"startLine": 3}
