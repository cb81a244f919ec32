"""The report as SARIF: valid by the schema of OASIS, right places, fixes that can be applied."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from jsonschema import ValidationError

from gradcheck.diagnosis.registry import rules
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Fix
from gradcheck.script.source.patch import apply_edits
from report_records import edit, failed, finding, mixed, notebook, parameter, script, wrong
from sarif_logs import log_of, results, validator


def physical(result: dict[str, Any]) -> dict[str, Any]:
    return result["locations"][0]["physicalLocation"]


REPORTS = {
    "nothing": (),
    "clean": (script("a.py", parameter()),),
    "finding": (wrong(findings=(finding(),)),),
    "fix": (wrong(),),
    "error": (failed(), failed(line=1)),
    "notebook": (notebook(), failed("b.ipynb", line=3)),
    "umlauts": (wrong("ü ß/a b.py"), wrong("C:x.py"), wrong("a#b?c%.py")),
    "mixed": mixed().scripts,
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_valid_and_every_result_has_what_github_asks_for(name):
    log = log_of(*REPORTS[name])
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    known = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in known}) == len(known)
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["locations"]
        assert known[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["partialFingerprints"]
        uri = physical(result)["artifactLocation"]["uri"]
        assert not set(' "<>\\^`{|}') & set(uri)
        assert uri.isascii()
        assert urlsplit(uri)[:2] == ("", "")
        assert unquote(uri) in {s.path for s in REPORTS[name]}
        assert physical(result)["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]


def test_what_matches_has_no_result():
    (run,) = log_of(script("a.py", parameter()))["runs"]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_script_in_error_makes_the_run_unsuccessful():
    assert log_of(failed())["runs"][0]["invocations"][0]["executionSuccessful"] is False


def change(log: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set, or with None take away, what a path such as ``results/0/level`` names."""
    broken = copy.deepcopy(log)
    *inner, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    place = broken["runs"][0]
    for part in inner:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return broken


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("results/0/locations/0/physicalLocation/region/startLine", 0),
        ("results/0/locations/0/physicalLocation/region/startColumn", 0),
        ("results/0/message", {}),
        ("results/0/message", None),
        ("results/0/fixes/0/artifactChanges", None),
        ("results/0/fixes/0/artifactChanges", []),
        ("results/0/fixes/0/artifactChanges/0/replacements", []),
        ("results/0/fixes/0/artifactChanges/0/replacements/0/deletedRegion", None),
        ("results/0/level", "fatal"),
        ("results/0/ruleIndex", -2),
        ("results/0/line", 3),
        ("columnKind", "bytes"),
        ("invocations/0/executionSuccessful", None),
        ("tool/driver/name", None),
        ("tool/driver/rules/0/id", None),
    ],
)
def test_the_schema_rejects_what_is_broken_on_purpose(path, value):
    with pytest.raises(ValidationError):
        validator().validate(change(log_of(wrong()), path, value))


def test_a_finding_is_a_result_at_its_place():
    (result,) = results(wrong("sub/net.py"))
    assert (result["ruleId"], result["level"]) == ("GC213", "error")
    assert physical(result) == {
        "artifactLocation": {"uri": "sub/net.py", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 2, "startColumn": 10, "endLine": 2, "endColumn": 15},
    }
    assert result["locations"][0]["logicalLocations"] == [{"fullyQualifiedName": "backward", "kind": "function"}]
    assert result["message"]["text"].startswith("`dw` has `3`, where `2` belongs\nnumerical = analytic x 0.667")


def test_the_rules_are_those_of_the_findings():
    (run,) = log_of(wrong(), mixed().scripts[2], failed())["runs"]
    known = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert list(known) == ["GC213", "inconclusive", "no-loss"]
    assert known["GC213"]["name"] == "constant-factor"
    assert known["GC213"]["shortDescription"]["text"] == rules()["GC213"].summary
    assert "## How it is recognised" in known["GC213"]["help"]["markdown"]
    assert not any("helpUri" in rule for rule in known.values())


@pytest.mark.parametrize(("confidence", "level"), [("verified", "error"), ("likely", "error"), ("possible", "warning")])
def test_the_level_follows_the_confidence(confidence, level):
    (result,) = results(wrong(findings=(finding(confidence=Confidence(confidence)),)))
    assert result["level"] == level


def test_what_no_finding_explains_and_errors_have_results():
    found = results(script("n.py", parameter("w", 1.0, 2.0), sources=()), mixed().scripts[2], failed(line=2), failed())
    assert [(r["ruleId"], r["level"]) for r in found] == [
        ("mismatch", "error"),
        ("inconclusive", "warning"),
        ("no-loss", "error"),
        ("no-loss", "error"),
    ]
    assert [physical(r).get("region") for r in found] == [
        {"startLine": 1, "endLine": 1},
        {"startLine": 2, "endLine": 2, "startColumn": 10, "endColumn": 15},
        {"startLine": 2, "endLine": 2},
        None,
    ]


def test_a_notebook_has_no_region_and_no_fix_but_its_cell():
    found = results(notebook("a b.ipynb"), failed("c.ipynb", line=3))
    for result in found:
        assert "region" not in physical(result)
        assert "fixes" not in result
    assert physical(found[0])["artifactLocation"]["uri"] == "a%20b.ipynb"
    assert found[0]["message"]["text"].startswith("cell 2, line 1: ")
    assert {"name": "cell 2, line 1"} in found[0]["locations"][0]["logicalLocations"]
    assert "+    dw = 2 * x" in found[0]["message"]["text"]


def test_an_absolute_path_is_a_file(tmp_path):
    (result,) = results(wrong(str(tmp_path / "ü.py")))
    assert physical(result)["artifactLocation"] == {"uri": (tmp_path / "ü.py").as_uri()}


def test_fingerprints_do_not_depend_on_lines_and_tell_results_apart():
    def prints(*findings):
        return [r["partialFingerprints"]["gradcheck/v1"] for r in results(wrong(findings=findings))]

    assert prints(finding()) == prints(finding(span=Span(1, 1, 1, 4))) == ["backward:w:GC213"]
    twice = prints(finding(), finding(span=Span(1, 1, 1, 4)), finding(parameters=("b",)))
    assert twice == ["backward:w:GC213", "backward:w:GC213:2", "backward:b:GC213"]


def test_brackets_before_parentheses_are_no_link():
    (result,) = results(wrong(findings=(finding(message="`f[0](x)` and `g[1]`"),)))
    assert result["message"]["text"].startswith("`f\\[0](x)` and `g[1]`")


def applied(text: str, replacements: list[dict[str, Any]]) -> str:
    """Apply replacements as the specification says."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for replacement in reversed(replacements):
        region = replacement["deletedRegion"]
        begin = starts[region["startLine"] - 1] + region["startColumn"] - 1
        end = starts[region["endLine"] - 1] + region["endColumn"] - 1
        text = text[:begin] + replacement.get("insertedContent", {"text": ""})["text"] + text[end:]
    return text


LINES = ("a = 'ä'", "  b", "", "d 𝄞 d", "e")


@pytest.mark.parametrize(
    "changes",
    [
        {1: "A"},
        {2: "x\ny\nz"},
        {2: ""},
        {1: ""},
        {5: ""},
        {4: "", 5: ""},
        {4: "D", 5: ""},
        {4: "", 5: "E"},
        {1: "", 2: "", 4: "x\n"},
        {2: "", 4: "", 5: ""},
        {1: "A", 3: "c", 5: "E\nF"},
        {1: "", 2: "", 3: "", 4: "", 5: ""},
    ],
    ids=str,
)
def test_a_fix_can_be_applied(changes):
    edits = tuple(edit(line, LINES[line - 1], new) for line, new in changes.items())
    (result,) = results(wrong(lines=LINES, findings=(finding(*edits),)))
    (fix,) = result["fixes"]
    assert fix["description"]["text"] == "fix, verified at 8 fresh points"
    (artifact,) = fix["artifactChanges"]
    assert artifact["artifactLocation"] == physical(result)["artifactLocation"]
    wanted = apply_edits(LINES, edits)
    whole = applied("\n".join(LINES) + "\n", artifact["replacements"])
    assert whole.removesuffix("\n") == "\n".join(wanted)
    if wanted:
        assert applied("\n".join(LINES), artifact["replacements"]) == "\n".join(wanted)


def test_a_fix_that_is_not_verified_is_not_offered():
    unsure = finding(fix=Fix((edit(),), False, 0))
    (result,) = results(wrong(findings=(unsure,)))
    assert "fixes" not in result
    assert "fix, not verified:" in result["message"]["text"]
