"""Findings in the text report: cause, place, evidence and fix."""

from __future__ import annotations

import json
from dataclasses import replace

from gradcheck.report.json import render
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Edit, Finding, Fix
from gradcheck.script.source.place import Cells
from gradcheck.session.report import Report
from terminal_reports import ESCAPES, result, shown

LINES = ("def f(w):", "    dw = 3 * w", "    return dw")
SPAN = Span(2, 10, 2, 15)
FINDING = Finding(
    "GC213",
    "constant-factor",
    "`dw` is 1.5 times too large",
    ("w",),
    SPAN,
    Confidence.VERIFIED,
    ("analytic = 1.5 x numerical in all 2 entries",),
    Fix((Edit(2, LINES[1], "    dw = 2 * w"),), verified=True, points=8),
)
GOLDEN = """
GC213 constant-factor  w  (verified)
  --> net.py:2:10
  1 | def f(w):
  2 |     dw = 3 * w
    |          ^^^^^
  3 |     return dw
  `dw` is 1.5 times too large
  analytic = 1.5 x numerical in all 2 entries
  fix, verified at 8 fresh points:
    line 2
    -     dw = 3 * w
    +     dw = 2 * w

help: gradcheck fix net.py --write makes the edits
help: gradcheck explain GC213 says more about a code
"""


def script(*findings):
    return replace(result(factor=3.0, lines=LINES, span=SPAN), findings=findings)


def test_a_finding_is_shown_whole():
    assert shown(script(FINDING)).endswith(GOLDEN)


def test_the_source_of_an_explained_parameter_is_shown_once():
    assert shown(script()).count("-->") == 1
    assert shown(script(FINDING)).count("-->") == 1
    assert shown(script(replace(FINDING, parameters=("b",)))).count("-->") == 2


def test_a_fix_that_is_not_verified_does_not_look_like_one():
    fix = Fix((Edit(2, LINES[1], ""), Edit(3, LINES[2], "    a\n    b")), verified=False, points=0)
    text = shown(script(replace(FINDING, confidence=Confidence.LIKELY, fix=fix)))
    assert "(likely)" in text
    assert "verified at" not in text
    lines = text.splitlines()
    assert lines[lines.index("  fix, not verified:") + 1 :] == [
        "    line 2",
        "    -     dw = 3 * w",
        "    line 3",
        "    -     return dw",
        "    +     a",
        "    +     b",
        "",
        "help: gradcheck explain GC213 says more about a code",
    ]


def test_a_finding_without_a_fix_ends_with_its_evidence():
    assert shown(script(replace(FINDING, fix=None))).endswith(
        "in all 2 entries\n\nhelp: gradcheck explain GC213 says more about a code\n"
    )


def test_places_in_a_notebook_name_the_cell():
    text = shown(replace(script(FINDING), cells=Cells((1, 2), 3)))
    assert "--> net.py: cell 2, line 1:10" in text
    assert "    cell 2, line 1\n    -     dw" in text


def test_control_characters_do_not_reach_the_terminal():
    fix = Fix((Edit(2, LINES[1], "    dw = '\x1b[31m'"),), verified=True, points=1)
    text = shown(script(replace(FINDING, message="\x1b[0m", evidence=("\x1b",), fix=fix)))
    assert "\x1b" not in text
    assert "verified at 1 fresh point:" in text


def test_colours_only_on_a_terminal():
    assert ESCAPES.search(shown(script(FINDING), terminal=True))
    assert not ESCAPES.search(shown(script(FINDING)))


def test_other_fixes_show_what_they_do_in_place_of_an_edit():
    first = FINDING.fix.edits[0]
    common = Edit(1, LINES[0], "def f(w, x):")
    same_line, elsewhere = Edit(2, LINES[1], "    dw = w + w"), Edit(3, LINES[2], "    return 2 * dw / 3")
    others = (Fix((common, same_line), True, 8), Fix((common, elsewhere), True, 8))
    text = shown(script(replace(FINDING, fix=Fix((common, first), True, 8, others))))
    lines = text.splitlines()
    assert lines[lines.index("  other edits that also make every gradient match:") + 1 : -3] == [
        "    line 2",
        "    -     dw = 3 * w",
        "    +     dw = w + w",
        "    line 3, in place of that of line 2",
        "    -     return dw",
        "    +     return 2 * dw / 3",
    ]


def test_json_has_other_fixes_whole():
    edit = {"path": None, "line": 3, "cell": None, "cell_line": None, "old": LINES[2], "new": "    return 2 * dw / 3"}
    fix = replace(FINDING.fix, alternatives=(Fix((Edit(3, LINES[2], edit["new"]),), True, 7),))
    report = json.loads(render(Report((script(replace(FINDING, fix=fix)),))))
    assert report["scripts"][0]["findings"][0]["fix"]["alternatives"] == [{"edits": [edit], "points": 7}]


def test_what_to_type_has_what_was_asked_for():
    asked = replace(script(FINDING), flags=("--call", "train('a b')", "--seed", "3"))
    assert "help: gradcheck fix net.py --call 'train('\"'\"'a b'\"'\"')' --seed 3 --write makes the edits\n" in shown(
        asked
    )
    with_arguments = replace(script(FINDING), flags=("--seed", "3"), argv=("--rounds", "2"))
    assert "help: to make the edits: gradcheck fix net.py --seed 3 --write -- --rounds 2\n" in shown(with_arguments)
