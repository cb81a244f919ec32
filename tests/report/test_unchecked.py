"""What the training moves and what was not checked: in the record, in every format, and in the exit codes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from click.testing import CliRunner
from junitparser import Failure, JUnitXml, Skipped
from rich.console import Console

from gradcheck.checker.result import Reason
from gradcheck.cli import cli
from gradcheck.errors import UsageError
from gradcheck.report.formats import FORMATS
from gradcheck.report.fragment_markdown import report_markdown
from gradcheck.report.fragment_text import report_text
from gradcheck.report.text import as_log, render, sentence, summary
from gradcheck.script.source.place import Cells, Layout
from gradcheck.session.outcome import reported
from gradcheck.session.report import Report
from gradcheck.session.result import Unchecked
from report_readers import annotations, rows_of
from report_records import UNCHECKED, failed, parameter, script, wrong
from sarif_logs import log_of, results
from script_runs import write

RIGHT = script("net.py", parameter("W1", [[0.1, 0.2]]), parameter("b1", 1.0))
PARTLY = replace(RIGHT, unchecked=UNCHECKED)
WRONG = wrong("bad.py", unchecked=UNCHECKED)
UNDECIDED = script("kink.py", parameter("w", 0.3, -0.2, verdict="inconclusive", reason=Reason.KINK))
NAMES, REASONS = [row.name for row in UNCHECKED], list(dict.fromkeys(row.reason for row in UNCHECKED))
NOTE = "all gradients are 1/2 of those of `loss`"
# what shows a whole report to somebody
SHOWN = {
    "text": as_log,
    **{name: form.render for name, form in FORMATS.items()},
    "notebook": lambda report: report._repr_html_(),
    "notebook without HTML": report_markdown,
    "shell": report_text,
}


def words(text: str) -> str:
    """Return a text without what the formats put around code."""
    for mark in ("`", "\\", "<code>", "</code>"):
        text = text.replace(mark, "")
    return text


# -- the record ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (RIGHT, "match"),
        (PARTLY, "inconclusive"),
        (wrong(), "mismatch"),
        (WRONG, "mismatch"),
        (UNDECIDED, "inconclusive"),
        (replace(UNDECIDED, unchecked=UNCHECKED), "inconclusive"),
        (failed(), "error"),
    ],
)
def test_what_was_not_checked_is_no_match_and_hides_no_mismatch(result, verdict):
    assert result.verdict == verdict


def test_rows_are_the_parameters_and_then_what_was_not_checked():
    assert [row.name for row in PARTLY.rows] == ["W1", "b1", *NAMES]
    assert [p.name for p in PARTLY.parameters] == ["W1", "b1"]
    assert PARTLY.undecided == PARTLY.mismatching == ()


def test_reasons_in_notebooks_speak_of_cells():
    row = Unchecked("W2", (), "line 2 computes it")
    (said,) = replace(RIGHT, unchecked=(row,)).laid_out(Layout(Cells((1, 2), 3))).unchecked
    assert said == replace(row, reason="cell 2, line 1 computes it")


def test_what_one_model_leaves_out_and_another_one_has_is_checked():
    one = script("net.py", parameter("W1"), unchecked=(Unchecked("W2", (), "why"), UNCHECKED[1]))
    other = script("net.py", parameter("W2"), unchecked=(Unchecked("W1", (), "why"), UNCHECKED[1], UNCHECKED[2]))
    result = reported([one, other])
    assert [p.name for p in result.parameters] == ["W1", "W2"]
    assert result.unchecked == UNCHECKED[1:]
    assert result.verdict == "inconclusive"


def test_models_that_have_everything_between_them_match():
    one = script("net.py", parameter("W1"), unchecked=(Unchecked("W2", (), "why"),))
    other = script("net.py", parameter("W2"), unchecked=(Unchecked("W1", (), "why"),))
    result = reported([one, other])
    assert (result.unchecked, result.verdict) == ((), "match")


# -- all formats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", SHOWN)
@pytest.mark.parametrize("result", [PARTLY, WRONG], ids=["right", "wrong"])
def test_every_format_has_names_and_reasons(form, result):
    said = words(SHOWN[form](Report((result,))))
    for text in (*NAMES, *REASONS):
        assert words(text) in said


@pytest.mark.parametrize("form", SHOWN)
def test_nothing_is_said_where_all_was_checked(form):
    said = SHOWN[form](Report((RIGHT, wrong()))).partition("</style>")[2] or SHOWN[form](Report((RIGHT, wrong())))
    assert "unchecked" not in said
    assert "not checked" not in said
    assert "parameters checked" not in said


@pytest.mark.parametrize("form", SHOWN)
def test_every_format_has_the_notes_of_a_script(form):
    assert words(NOTE) in words(SHOWN[form](Report((replace(RIGHT, notes=(NOTE,)),))))
    assert words(NOTE) in words(SHOWN[form](Report((replace(WRONG, notes=(NOTE,)), RIGHT))))


def test_a_match_among_several_says_in_a_notebook_that_it_has_notes():
    said = report_text(Report((replace(RIGHT, notes=(NOTE,)), RIGHT)))
    assert said.splitlines()[1:] == ["net.py: both gradients match (1 note not shown)", "net.py: both gradients match"]


def test_json_has_rows_without_numbers():
    (found,) = json.loads(FORMATS["json"].render(Report((PARTLY,))))["scripts"]
    assert found["verdict"] == "inconclusive"
    assert [row["verdict"] for row in found["parameters"]] == ["match", "match", *["unchecked"] * 3]
    assert found["parameters"][2] == {
        "name": "W2",
        "shape": [4, 3],
        "checked": 0,
        "mismatched": 0,
        "max_abs_error": None,
        "max_rel_error": None,
        "worst_index": None,
        "analytic": None,
        "numerical": None,
        "numerical_error": None,
        "verdict": "unchecked",
        "reason": UNCHECKED[0].reason,
        "signature": None,
        "certified": None,
    }
    assert found["parameters"][4]["shape"] == []
    assert list(found["parameters"][0]) == list(found["parameters"][2])
    assert found["entry_points"]["parameters"] == ["W1", "b1"]


def test_a_json_line_is_the_same_object():
    whole = json.loads(FORMATS["json"].render(Report((PARTLY,))))
    assert json.loads(FORMATS["jsonl"].render(Report((PARTLY,))))["parameters"] == whole["scripts"][0]["parameters"]


def test_csv_has_rows_with_empty_numbers_and_the_notes():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(Report((replace(WRONG, notes=("a", "b")),))))))
    assert [(row["parameter"], row["verdict"]) for row in rows] == [
        ("w", "mismatch"),
        ("b", "match"),
        *((name, "unchecked") for name in NAMES),
    ]
    assert {row["notes"] for row in rows} == {"a; b"}
    last = rows[-1]
    assert (last["shape"], last["checked"], last["analytic"], last["findings"]) == ("[]", "0", "", "")
    assert last["reason"] == UNCHECKED[2].reason
    frame = pd.read_csv(io.StringIO(FORMATS["csv"].render(Report((WRONG,)))))
    assert frame["analytic"].isna().tolist() == [False, False, True, True, True]


def test_csv_has_no_row_of_an_error_where_there_is_none():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].render(Report((PARTLY, failed()))))))
    assert [row["verdict"] for row in rows] == ["match", "match", *["unchecked"] * 3, "error"]


def test_markdown_has_rows_and_says_why_once_for_a_reason():
    text = FORMATS["markdown"].render(Report((PARTLY,)))
    assert rows_of(text)[2:] == [("net.py", [name, "", "", "", "", "", "unchecked"]) for name in NAMES]
    assert f"- `W2`, `b2` not checked: {UNCHECKED[0].reason}\n" in text
    assert "<details>" not in FORMATS["markdown"].render(Report((PARTLY, WRONG))), "what is no match is not folded"


def test_sarif_has_a_note_for_a_reason_and_never_an_error():
    found = results(PARTLY)
    assert [(r["ruleId"], r["level"]) for r in found] == [("unchecked", "note")] * 2
    assert [[p["name"] for p in r["properties"]["parameters"]] for r in found] == [["W2", "b2"], ["scale"]]
    assert found[0]["message"]["text"] == f"the gradients of `W2`, `b2` were not checked\n{UNCHECKED[0].reason}"
    assert len({r["partialFingerprints"]["gradcheck/v1"] for r in found}) == 2
    assert [(r["ruleId"], r["level"]) for r in results(WRONG)] == [("GC213", "error"), *[("unchecked", "note")] * 2]
    (invocation,) = log_of(PARTLY)["runs"][0]["invocations"]
    assert invocation == {"executionSuccessful": True}


def test_notes_are_notifications_in_sarif():
    (run,) = log_of(replace(RIGHT, notes=(NOTE, "and [this](http://x)")), wrong())["runs"]
    (said,) = run["invocations"][0]["toolExecutionNotifications"]
    assert said["level"] == "note"
    assert said["message"]["text"] == f"{NOTE}\nand \\[this](http://x)"
    assert said["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "net.py"
    assert [r["ruleId"] for r in run["results"]] == ["GC213"]


def test_annotations_are_notices():
    found = annotations(FORMATS["github"].render(Report((replace(PARTLY, notes=(NOTE,)),))))
    assert [a.level for a in found] == ["notice"] * 3
    assert [a.properties["title"] for a in found] == [
        "gradients not checked: W2, b2",
        "gradient not checked: scale",
        "note",
    ]
    assert {a.properties["file"] for a in found} == {"net.py"}
    assert found[1].message == f"the gradient of `scale` was not checked\n{UNCHECKED[2].reason}"


def test_notices_stay_within_what_github_shows():
    scripts = [replace(PARTLY, path=f"net{i}.py", unchecked=UNCHECKED[:1]) for i in range(12)]
    found = annotations(FORMATS["github"].render(Report(tuple(scripts))))
    assert [a.level for a in found] == ["notice"] * 10
    assert found[-1].message.startswith("3 more notices than GitHub shows")


def test_junit_skips_with_the_reason():
    right, bad = JUnitXml.fromstring(FORMATS["junit"].render(Report((PARTLY, replace(WRONG, notes=(NOTE,))))).encode())
    assert [case.name for case in right] == ["W1", "b1", *NAMES]
    for case, row in zip(list(right)[2:], UNCHECKED, strict=True):
        (skipped,) = case.result
        assert isinstance(skipped, Skipped)
        assert (skipped.type, skipped.message) == ("unchecked", f"not checked: {row.reason}")
    assert (right.tests, right.skipped, right.failures) == (5, 3, 0)
    assert isinstance(next(iter(bad)).result[0], Failure)
    assert (bad.tests, bad.skipped, bad.failures) == (5, 3, 1)
    assert f"<system-out>note: {NOTE}</system-out>" in FORMATS["junit"].render(Report((replace(RIGHT, notes=(NOTE,)),)))


# -- the text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (PARTLY, "net.py: 2 of 5 parameters checked: both gradients match"),
        (WRONG, "bad.py: 1 of 2 gradients is wrong; 2 of 5 parameters checked"),
        (
            replace(UNDECIDED, unchecked=UNCHECKED),
            "kink.py: 1 of 4 parameters checked: its gradient could not be decided",
        ),
        (
            script("one.py", parameter(), unchecked=UNCHECKED[:1]),
            "one.py: 1 of 2 parameters checked: its gradient matches",
        ),
        (
            script("one.py", parameter("w", 1.0, 2.0), unchecked=UNCHECKED[:1]),
            "one.py: the gradient is wrong; 1 of 2 parameters checked",
        ),
    ],
)
def test_the_sentence_says_how_much_was_checked(result, said):
    assert sentence(result) == said
    assert as_log(Report((result,)), verbosity=-1) == said


def test_the_text_has_rows_and_says_why_once_for_a_reason():
    lines = as_log(Report((PARTLY,))).splitlines()
    table = lines.index("  parameter   shape   wrong  analytic  numerical  rel. error    verdict")
    assert [line.split() for line in lines[table + 3 : table + 6]] == [
        ["W2", "4", "x", "3", "unchecked"],
        ["b2", "3", "unchecked"],
        ["scale", "scalar", "unchecked"],
    ]
    assert lines[table + 6 :] == [
        *("", "W2, b2: not checked", f"  {UNCHECKED[0].reason}"),
        *("", "scale: not checked", f"  {UNCHECKED[2].reason}"),
    ]


def test_a_narrow_terminal_keeps_names_verdicts_and_reasons():
    out = io.StringIO()
    render(Report((PARTLY,)), Console(file=out, width=26, color_system=None))
    lines = out.getvalue().splitlines()
    assert ["W2", "unchecked"] in [line.split() for line in lines]
    assert f"  {UNCHECKED[0].reason}" in lines


def test_of_many_names_with_one_reason_the_first_are_named():
    rows = tuple(Unchecked(f"w{i}", (), "why") for i in range(40))
    text = as_log(Report((replace(RIGHT, unchecked=rows),)))
    assert "w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11 and 28 more: not checked\n  why" in text
    assert "  w39" in text, "the table has all of them"
    (few,) = [line for line in as_log(Report((replace(RIGHT, unchecked=rows[:13]),))).splitlines() if "not ch" in line]
    assert few.endswith("w11, w12: not checked")


def test_among_several_scripts_the_details_name_what_was_not_checked():
    results_of = (PARTLY, WRONG, replace(UNDECIDED, unchecked=UNCHECKED[:1]), replace(RIGHT, path="right.py"))
    rows = as_log(Report(results_of)).splitlines()[-4:]
    assert [" ".join(line.split()) for line in rows] == [
        "net.py inconclusive not checked: W2, b2, scale 0.2",
        "bad.py mismatch w 0.2",
        "kink.py inconclusive w; not checked: W2 0.2",
        "right.py match 0.2",
    ]
    assert summary(Report(results_of)).startswith("4 scripts: 1 match, 1 mismatch, 2 inconclusive (")


# -- the page -----------------------------------------------------------------------------------------------------


class Rows(HTMLParser):
    """The rows of the tables of gradients, and the notes, as plain text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.notes: list[str] = []
        self.headings: list[str] = []
        self._into: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        if tag == "tr" and "data-verdict" in known:
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._into = self.rows[-1]
        elif tag in ("p", "h1", "dd"):
            found = self.notes if known.get("class") == "note" else self.headings
            found.append("")
            self._into = found

    def handle_endtag(self, tag):
        if tag in ("td", "th", "p", "h1", "dd"):
            self._into = None

    def handle_data(self, data):
        if self._into is not None:
            self._into[-1] += data


def test_the_page_has_rows_reasons_below_and_a_banner():
    text = FORMATS["html"].render(Report((PARTLY,)))
    page = Rows(text)
    assert [(row[0], row[2]) for row in page.rows[2:5]] == [(name, "unchecked") for name in NAMES]
    assert page.rows[2][1] == "4 \N{MULTIPLICATION SIGN} 3"
    assert set(page.rows[2][3:]) == {""}
    assert [note.split() for note in page.notes] == [
        f"Not checked W2, b2: {UNCHECKED[0].reason.replace('`', '')}".split(),
        f"Not checked scale: {UNCHECKED[2].reason}".split(),
    ]
    assert '<h1 class="inconclusive">' in text
    assert "net.py: 2 of 5 parameters checked: both gradients match" in page.headings
    assert "2 of 5" in page.headings
    assert 'href="#s1-p3"' not in text, "there is no picture of what was not checked"


def test_the_overview_of_a_page_says_how_much_was_checked():
    page = Rows(FORMATS["html"].render(Report((PARTLY, WRONG, RIGHT))))
    assert [row[1:4] for row in page.rows[:3]] == [
        ["inconclusive", "not checked: W2, b2, scale", "2 of 5 checked"],
        ["mismatch", "w", "2 of 5 checked"],
        ["match", "", "2"],
    ]


# -- pictures, exit codes -----------------------------------------------------------------------------------------


def test_a_picture_of_what_was_not_checked_is_refused_with_the_reason():
    with pytest.raises(UsageError, match=r"nothing to draw of scale, which was not checked: the loss does not depend"):
        Report((PARTLY,)).plot(parameters="scale")
    assert Report((PARTLY,)).plot(parameters="W1") is not None


@pytest.mark.parametrize(
    ("scripts", "passed"),
    [
        ((RIGHT,), True),
        ((PARTLY,), False),
        ((RIGHT, UNDECIDED), False),
        ((WRONG,), False),
        ((failed(),), False),
        ((), False),
    ],
)
def test_a_report_passes_where_all_was_shown_to_match(scripts, passed):
    assert Report(scripts).passed is bool(Report(scripts)) is passed


@pytest.mark.parametrize(
    ("result", "flags", "code"),
    [
        (RIGHT, ("--strict",), 0),
        (PARTLY, (), 0),
        (PARTLY, ("--strict",), 1),
        (PARTLY, ("--strict", "--exit-zero"), 0),
        (WRONG, (), 1),
    ],
)
def test_exit_codes(monkeypatch, tmp_path, result, flags, code):
    path = str(write(tmp_path, "x = 1\n", "net.py"))
    monkeypatch.setattr("gradcheck.batch.run_all", lambda *_: (result,))
    done = CliRunner().invoke(cli, ["run", path, *flags])
    assert done.exit_code == code
    assert sentence(result) in done.stdout
    assert done.stderr.startswith("1 script: 1 ")
