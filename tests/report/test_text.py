"""The report for a terminal or a log: carets under the right place, whole names, narrow terminals."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gradcheck.checker.functions import check_grad
from gradcheck.errors import ScriptError
from gradcheck.report.text import summary
from gradcheck.script.source.file import Span
from gradcheck.session.report import ExitCode, Report
from gradcheck.session.result import ScriptResult
from terminal_reports import result, shown

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

LONG = "self.encoder.layers[0].attention['a_rather_long_name_of_a_weight_matrix_that_somebody_chose']"


def caret_place(text):
    """Return what stands above the carets of a report, by display column with tabs of eight."""
    lines = [line.expandtabs() for line in text.splitlines()]
    (row,) = (i for i, line in enumerate(lines) if "^" in line)
    start, end = lines[row].index("^"), lines[row].rindex("^") + 1
    return lines[row - 1][start:end]


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("dw = 2 * error * x", "2 * error * x"),
        ("    dw = 2 * error", "2 * error"),
        ("\tdw = 2 * error", "2 * error"),
        ("\t\tgröße = über * 2", "über * 2"),
        ("größe_änderung = schritt * fehler", "schritt * fehler"),
        ("x = 1;\tdw = a * b", "a * b"),
    ],
)
def test_carets_stand_under_what_they_mark(line, part):
    column = line.index(part) + 1
    span = Span(1, column, 1, column + len(part))
    assert caret_place(shown(result(factor=3.0, lines=(line,), span=span))) == part


@pytest.mark.xfail(strict=True, reason="characters that are two columns wide are counted as one")
def test_carets_stand_right_after_wide_characters():
    line = "x = '損失', a * b"
    text = shown(result(factor=3.0, lines=(line,), span=Span(1, 12, 1, 17)))
    (row,) = (i for i, item in enumerate(text.splitlines()) if "^" in item)
    above, carets = text.splitlines()[row - 1 : row + 1]
    assert carets.index("^") == above.index("a * b") + 2


def test_a_statement_over_several_lines_is_marked_on_each():
    lines = ("dw = (a *", "      b)", "x = 1")
    text = shown(result(factor=3.0, lines=lines, span=Span(1, 1, 2, 9)))
    assert [len(re.sub(r"[^^]", "", line)) for line in text.splitlines() if "^" in line] == [9, 2]


def test_a_place_beyond_the_file_does_no_harm():
    assert "net.py" in shown(result(factor=3.0, lines=("x",), span=Span(5, 1, 9, 3)))


def test_names_are_whole_in_a_log():
    text = shown(result((LONG, "b"), factor=3.0), width=10_000)
    assert sum(LONG in line and "mismatch" in line for line in text.splitlines()) == 1
    assert "…" not in text


def test_a_narrow_terminal_keeps_the_names_and_verdicts():
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(result((LONG,), factor=3.0), width=40, terminal=True))
    assert "…" not in text
    table = text.split("+-")[0]
    assert "mismatch" in table or "mism" in table
    assert LONG in re.sub(r"\s+", "", text)


def test_brackets_in_names_are_no_markup():
    assert "params[red]" in shown(result(("params[red]",), factor=3.0))
    assert "[bold]" in shown(ScriptResult("[bold].py", error=ScriptError("a [link] b", slug="unreadable")))


def test_emoji_names_are_left_alone():
    assert ":smile:" in shown(ScriptResult("net.py", error=ScriptError(":smile:", slug="unreadable")))


def test_a_match_is_one_headline_and_a_table():
    text = shown(result())
    assert "net.py: the gradient matches" in text
    assert "^" not in text


@pytest.mark.parametrize(
    ("names", "factor", "headline"),
    [
        (("w",), 2.0, "the gradient matches"),
        (("w", "b"), 2.0, "both gradients match"),
        (("w",), 3.0, "the gradient is wrong"),
        (("w", "b"), 3.0, "2 of 2 gradients are wrong"),
        (("w", "b", "c"), 2.0, "all 3 gradients match"),
    ],
)
def test_headlines(names, factor, headline):
    assert shown(result(names, factor), verbosity=-1).rstrip("\n") == f"net.py: {headline}"


def test_an_error_shows_its_line():
    script = ScriptResult("net.py", error=ScriptError("not valid Python", slug="syntax-error", line=2))
    text = shown(replace(script, lines=("a = 1", "    def f(x)", "")))
    assert "net.py: line 2: syntax-error: not valid Python" in text
    assert caret_place(text) == "def f(x)"


def test_control_characters_of_a_script_do_not_reach_the_terminal():
    script = ScriptResult("net.py", error=ScriptError("bad", slug="syntax-error", line=1), lines=("x = '\x1b[31m'",))
    assert "\x1b" not in shown(script)


def test_the_counts_of_a_run():
    scripts = (result(), result(factor=3.0), ScriptResult("x.py", error=ScriptError("no", slug="empty")))
    text = summary(Report(scripts))
    assert text.startswith("3 scripts: 1 match, 1 mismatch, 1 error (")
    assert text.endswith("seed 0)")


@pytest.mark.parametrize(
    ("verdicts", "options", "code"),
    [
        ("", {}, ExitCode.NOTHING),
        ("m", {}, ExitCode.MATCH),
        ("mi", {}, ExitCode.MATCH),
        ("mi", {"strict": True}, ExitCode.MISMATCH),
        ("mie", {}, ExitCode.ERROR),
        ("mexi", {}, ExitCode.MISMATCH),
        ("mx", {"exit_zero": True}, ExitCode.MATCH),
        ("ex", {"exit_zero": True}, ExitCode.ERROR),
        ("i", {"strict": True, "exit_zero": True}, ExitCode.MATCH),
    ],
)
def test_the_exit_code_of_several_scripts(verdicts, options, code):
    undecided = check_grad(lambda w: abs(w) + 1e17, lambda w: 0.3 + 0 * w, 0.5)
    made = {
        "m": result(),
        "x": result(factor=3.0),
        "e": ScriptResult("x.py", error=ScriptError("no", slug="empty")),
        "i": ScriptResult("x.py", check=undecided),
    }
    report = Report(tuple(made[letter] for letter in verdicts))
    assert report.exit_code(**options) is code


def test_a_report_is_true_only_if_something_was_checked_and_all_of_it_matches():
    assert Report((result(),))
    assert not Report(())
    assert not Report((result(factor=3.0),))
    assert not Report((ScriptResult("x.py", error=ScriptError("no", slug="empty")),))
