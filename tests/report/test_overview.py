"""The table at the end of a report on several scripts."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from gradcheck.checker.functions import check_grad
from gradcheck.errors import ScriptError
from gradcheck.report.text import render
from gradcheck.script.source.place import Cells
from gradcheck.session.report import Report
from gradcheck.session.result import EntryPoints, ScriptResult


def script(path, factor=2.0, names=("w",), notes=()):
    check = check_grad(
        lambda p: sum(v**2 for v in p.values()),
        lambda p: {name: factor * v for name, v in p.items()},
        dict.fromkeys(names, 1.5),
    )
    points = EntryPoints("backward", None, "loss(w)", tuple(names), 1, 1)
    return ScriptResult(path, check=check, entry_points=points, notes=notes, seconds=1.25)


def failed(path, line=None, cells=None):
    return ScriptResult(path, error=ScriptError("no", slug="timeout", line=line), seconds=30, cells=cells)


def shown(*scripts, width=100, verbosity=0):
    out = io.StringIO()
    render(Report(scripts), Console(file=out, width=width, color_system=None), verbosity=verbosity)
    return out.getvalue()


def table(text):
    lines = text[text.index("\n  script") + 1 :].splitlines()
    return [re.split(r"  +", line.strip()) for line in lines]


def test_one_row_per_script_in_the_order_of_the_blocks():
    cells = Cells((1, 4), 9)
    wrong = script("b.py", 3.0, ("w", "b"))
    assert table(shown(script("z.py"), wrong, failed("a.py", 7), failed("n.ipynb", 5, cells), failed("x.py"))) == [
        ["script", "verdict", "details", "seconds"],
        ["z.py", "match", "1.2"],
        ["b.py", "mismatch", "w, b", "1.2"],
        ["a.py", "error", "timeout in line 7", "30.0"],
        ["n.ipynb", "error", "timeout in cell 2, line 2", "30.0"],
        ["x.py", "error", "timeout", "30.0"],
    ]


def test_what_could_not_be_decided_is_named():
    undecided = ScriptResult("a.py", check=check_grad(lambda w: abs(w) + 1e17, lambda w: 0.3 + 0 * w, 0.5))
    assert table(shown(undecided, script("b.py")))[1][:2] == ["a.py", "inconclusive"]


@pytest.mark.parametrize(("scripts", "verbosity"), [(1, 0), (1, 1), (2, -1)])
def test_there_is_no_table_for_one_script_or_in_a_quiet_report(scripts, verbosity):
    assert "seconds" not in shown(*[script("a.py")] * scripts, verbosity=verbosity).replace("1.25 seconds", "")


def test_matching_scripts_among_several_are_one_line_unless_more_is_asked_for():
    several = [script("a.py"), script("b.py", 3.0), script("c.py"), script("d.py")]
    lines = shown(*several).splitlines()
    assert lines[:2] == ["a.py: the gradient matches", ""]
    assert lines[lines.index("c.py: the gradient matches") + 1] == "d.py: the gradient matches"
    assert shown(*several).count("rel. error") == 1
    assert shown(*several, verbosity=1).count("rel. error") == 4


def test_a_note_that_is_left_out_is_told():
    noted = script("a.py", notes=("not checked: `b`",))
    assert "a.py: the gradient matches (1 note, see -v)\n" in shown(noted, script("b.py"))
    assert "not checked" in shown(noted)


def test_a_script_that_was_checked_for_two_functions_has_two_names():
    first = script("a.py")
    second = replace(first, entry_points=replace(first.entry_points, backward="Net.backward"))
    names = [row[0] for row in table(shown(first, second, script("b.py")))[1:]]
    assert names == ["a.py::backward", "a.py::Net.backward", "b.py"]


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80])
def test_a_narrow_terminal_keeps_whole_names_and_verdicts(width):
    name = "submissions/a_rather_long_name_of_a_student/homework.ipynb"
    text = shown(script(name, 3.0, ("w1", "w2")), script("b.py"), width=width)
    rows = text[text.index("\n  script") + 1 :].splitlines()
    assert "…" not in text
    assert all(len(row.rstrip()) <= width for row in rows)
    assert name in "".join(re.match(r"  (\S*)", row)[1] for row in rows)
    assert any("mismatch" in row for row in rows)


def test_control_characters_in_paths_do_not_reach_the_terminal():
    text = shown(script("a\x1b[31m.py"), script("b.py"))
    assert "\x1b" not in text[text.index("\n  script") :]


def test_brackets_in_paths_are_no_markup():
    assert table(shown(script("[red].py"), script("b.py")))[1][0] == "[red].py"
