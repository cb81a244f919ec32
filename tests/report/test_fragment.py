"""What notebooks show: fragments of HTML and Markdown in which everything is escaped and nothing is passed over."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from gradcheck import CheckResult, Report, check_grad
from gradcheck.errors import ScriptError
from gradcheck.report.condensed import COLUMNS, MOST_ROWS
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Edit, Finding, Fix
from gradcheck.script.source.place import Cells
from gradcheck.session.result import ScriptResult

EVIL = "<script>alert('$x$ | `W`')</script>"
EMPTY = {"br", "hr", "img"}


class Fragment(HTMLParser):
    """The tags, the texts of the cells, and all text of a fragment; tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert not {name for name, _ in attrs} - {"style", "class"}
        assert "color:" not in re.sub(r"border-[a-z-]*:[^;]*", "", dict(attrs).get("style") or "")
        self.tags.append(tag)
        self.open += [] if tag in EMPTY else [tag]
        self.cells += [""] if tag == "td" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "td" in self.open:
            self.cells[-1] += data

    @property
    def rows(self) -> list[dict[str, str]]:
        found = [self.cells[i : i + len(COLUMNS)] for i in range(0, len(self.cells), len(COLUMNS))]
        return [dict(zip(COLUMNS, row, strict=True)) for row in found]


def checked(wrong: int = 1, names: tuple[str, ...] = ("W", "b"), scale: float = 1.0) -> CheckResult:
    """Check sums of squares, of which the gradients of the last parameters are wrong."""
    params = {name: np.array([1.0, 2.0]) for name in names}
    bad = names[len(names) - wrong :]
    return check_grad(
        lambda p: scale * sum(np.sum(w**2) for w in p.values()),
        lambda p: {name: scale * (3 if name in bad else 2) * w for name, w in p.items()},
        params,
    )


def script(path: str = "net.py", check: CheckResult | None = None, **more: object) -> ScriptResult:
    return ScriptResult(path, check=check if check is not None or "error" in more else checked(0), **more)


def test_a_result_is_a_table_with_the_worst_first_and_its_verdict_in_words():
    result = checked()
    page = Fragment(result._repr_html_())
    assert page.text.strip().startswith("mismatch: 1 of 2 gradients is wrong")
    assert [(row["parameter"], row["wrong"], row["verdict"]) for row in page.rows] == [
        ("b", "2 of 2", "mismatch"),
        ("W", "0 of 2", "match"),
    ]
    assert result.footer in page.text
    assert not {"html", "body", "head", "script", "style", "link"} & set(page.tags)


def test_names_are_text_and_never_tags_or_formulas():
    result = checked(names=("w", EVIL))
    shown = result._repr_html_()
    page = Fragment(shown)
    assert "script" not in page.tags
    assert page.rows[0]["parameter"] == EVIL
    assert "tex2jax_ignore" in shown
    (row,) = [line for line in result._repr_markdown_().split("\n") if "alert" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == len(COLUMNS) + 1
    assert not re.search(r"(?<!\\)[<>`$]", row)


def test_tiny_numbers_are_not_zero():
    result = checked(1, names=("w",), scale=1e-13)
    (row,) = Fragment(result._repr_html_()).rows
    assert (row["analytic"], row["numerical"]) == ("3e-13", "2e-13")
    assert "| 3e-13 | 2e-13 |" in result._repr_markdown_()


def test_many_parameters_are_cut_and_it_is_said_how_many():
    names = tuple(f"w{i}" for i in range(MOST_ROWS + 7))
    result = checked(MOST_ROWS + 3, names)
    page = Fragment(result._repr_html_())
    assert len(page.rows) == MOST_ROWS
    assert {row["verdict"] for row in page.rows} == {"mismatch"}
    assert "not shown: 7 more parameters, 3 of them wrong" in page.text
    assert "not shown: 7 more parameters, 3 of them wrong" in result._repr_markdown_()


def test_what_was_not_checked_is_said():
    result = check_grad(lambda w: np.sum(w**2), lambda w: 2 * w, np.ones(50), entries=5)
    said = "w: 5 of 50 entries were checked, drawn at random"
    assert said in Fragment(result._repr_html_()).text
    assert said in result._repr_markdown_()


def test_a_terminal_shows_the_table_as_text():
    shown: list[str] = []
    Report((script(check=checked(names=("W", "b\x1b[2J"))),))._repr_pretty_(SimpleNamespace(text=shown.append), False)
    lines = shown[0].split("\n")
    assert lines[:2] == ["<Report: 1 script: 1 mismatch>", "net.py: 1 of 2 gradients is wrong"]
    # what a terminal would obey is not sent to it
    assert [line.split()[0] for line in lines[2:5]] == ["parameter", "b?[2J", "W"]


FIX = Fix((Edit(3, "    db = s(<e>)", "    db = m(<e>)\n    # ```"),), verified=True, points=8)
FINDING = Finding("GC212", "normalisation", "`db` is <b>", ("b",), Span(3, 5, 3, 9), Confidence.VERIFIED, ("e",), FIX)


@pytest.mark.parametrize(("cells", "place"), [(None, "line 3"), (Cells((1, 2), 4), "cell 2, line 2")])
def test_findings_are_shown_with_their_place_and_the_edit(cells, place):
    report = Report((script(check=checked(), findings=(FINDING,), cells=cells, notes=("a note",)),))
    page = Fragment(report._repr_html_())
    for text in ("net.py: 1 of 2 gradients is wrong", "a note", f"GC212 normalisation  b  (verified), {place}"):
        assert text in page.text
    assert f"fix, verified at 8 fresh points:\n  {place}\n-     db = s(<e>)\n+     db = m(<e>)\n" in page.text
    assert "<code>db</code> is &lt;b&gt;" in report._repr_html_()
    assert "````diff\n" in report._repr_markdown_()


def test_of_several_scripts_the_worst_come_first_and_matches_are_one_line():
    failed = script("bad.py", error=ScriptError("not <valid>", slug="syntax-error", line=2))
    report = Report((script("good.py"), failed, script("wrong.py", checked())))
    assert repr(report) == "<Report: 3 scripts: 1 mismatch, 1 error, 1 match>"
    page = Fragment(report._repr_html_())
    order = ["3 scripts: 1 mismatch", "wrong.py: 1 of 2", "bad.py: line 2: syntax-error: not <valid>", "good.py: both"]
    places = [page.text.index(text) for text in order]
    assert places == sorted(places)
    assert len(page.rows) == 2


def test_a_long_report_is_cut_and_it_is_said_how_many():
    many = Report(tuple(script(f"s{i}.py", checked()) for i in range(MOST_ROWS + 5)))
    page = Fragment(many._repr_html_())
    assert len(page.rows) == MOST_ROWS
    assert "not shown: 2 more parameters, 1 of them wrong" in page.text
    assert "not shown: 5 scripts: 5 mismatch" in page.text


def test_an_empty_report_is_shown():
    assert "0 scripts" in Fragment(Report(())._repr_html_()).text
    assert Report(())._repr_markdown_() == "0 scripts"


def test_nothing_but_one_line_stands_for_a_result_in_text():
    for shown in (repr(checked()), repr(Report((replace(script(), lines=("a", "b")),)))):
        assert "\n" not in shown
        assert len(shown) < 120
