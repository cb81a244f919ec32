"""The report as Markdown: nothing that a script says is markup, fixes are differences, the size has a limit."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from gradcheck.checker.certificate import Certificate
from gradcheck.checker.result import Reason, Verdict
from gradcheck.report.markdown import LIMIT, code, prose, render, within
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Fix
from gradcheck.session.report import Report
from report_readers import rows_of
from report_records import AWKWARD, edit, failed, finding, mixed, notebook, parameter, script, wrong

NAMES = (
    *AWKWARD,
    "a`b``c",
    "`a`",
    "W|",
    "\\|",
    "a\\",
    " a ",
    "![x](javascript:alert(1))",
    "**bold**",
    "&lt;",
    "$x$",
    "http://a.b",
)


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))

    def handle_starttag(self, tag, _attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_letter_by_letter(name):
    report = Report((script(name, parameter(name, [1.0, 2.0], [2.0, 1.0])),))
    ((path, row),) = rows_of(render(report))
    assert (path.strip(), row[0].strip()) == (name.strip(), name.strip())
    assert row[2].strip() == f"{name}[0]".strip()
    assert len(row) == 7
    assert Page(render(report)).tags <= {
        "h2",
        "h3",
        "p",
        "code",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "ul",
        "li",
    }


@pytest.mark.parametrize(
    "text", [*NAMES, "<b>x</b>", "# x", "a_b_c", "~~x~~", "[a][b]", "<!-- x", "a\nb\n\n# c", "x < y & z"]
)
def test_sentences_are_no_markup(text):
    page = Page(f"say {prose(text.replace('`', ''))}")
    assert page.tags <= {"p"}
    assert page.text.strip() == f"say {' '.join(text.replace('`', '').splitlines())}".strip()


def test_what_a_sentence_quotes_is_code():
    assert prose("`dw` has `3*x|<y>`, `` where") == "`dw` has `3*x|<y>`, \\`\\` where"
    assert code("a\nb\x1b") == "`a?b?`"
    assert code("") == ""


def test_a_finding_is_shown_whole():
    text = render(Report((wrong(),)))
    assert text.endswith(
        """
#### GC213 constant-factor: `w` (verified)

Line 2, column 10: `dw` has `3`, where `2` belongs

- numerical = analytic x 0.667 in every entry

Fix, verified at 8 fresh points:

```diff
@@ line 2 @@
-    dw = 3 * x  # é
+    dw = 2 * x  # é
```"""
    )
    assert "### `net.py`: 1 of 2 gradients is wrong" in text
    assert "- `w`: numerical = analytic x 0.667 in every entry, at every point" in text


def test_an_error_is_shown_with_its_line():
    text = render(Report((failed("bad.py", "syntax-error", "no <python>", line=2), failed("gone.py"))))
    assert "### `bad.py`: not checked: syntax-error\n\nLine 2: no &lt;python&gt;\n\n```python\nb = (\n```" in text
    assert text.endswith("### `gone.py`: not checked: no-loss\n\nno loss was found")


def test_among_several_scripts_the_table_of_what_matches_is_folded():
    right = script("right.py", parameter())
    assert "<details>" not in render(Report((right,)))
    text = render(Report((right, wrong())))
    assert text.count("<details><summary>") == text.count("</details>") == 1
    assert [path for path, _ in rows_of(text)] == ["right.py", "net.py", "net.py"]


def test_a_finding_that_is_mended_with_another_says_so():
    second = finding(code="GC201", parameters=("b",), span=Span(3, 1, 3, 4))
    text = render(Report((wrong(findings=(finding(edit(), edit(3, "    return dw", "x")), second)),)))
    assert text.endswith("- the fix of GC213 in line 2 mends this, too")
    alone = finding(code="GC201", parameters=("b",), span=Span(1, 1, 1, 4))
    assert "mends this" not in render(Report((wrong(findings=(finding(edit()), alone)),)))


def test_places_in_a_notebook_name_the_cell():
    text = render(Report((notebook(),)))
    assert "\nCell 2, line 1, column 10: " in text
    assert "@@ cell 2, line 1 @@" in text


def test_edits_may_add_and_take_away_lines_and_hold_fences():
    edits = (edit(2, "    '''```'''", "    a\n    b"), edit(3, "    ````", ""))
    text = render(Report((wrong(findings=(finding(*edits),)),)))
    assert "\n`````diff\n@@ line 2 @@\n-    '''```'''\n+    a\n+    b\n@@ line 3 @@\n-    ````\n`````" in text
    (block,) = (token for token in MarkdownIt().parse(text) if token.type == "fence")
    assert block.content.count("\n") == 6


def test_other_fixes_and_fixes_that_are_not_verified_say_what_they_are():
    other = Fix((edit(3, "    return dw", "    return 2 * dw / 3"),), True, 7)
    text = render(Report((wrong(findings=(finding(fix=Fix((edit(),), True, 1, (other,))),)),)))
    assert "Fix, verified at 1 fresh point:" in text
    assert "Other edits that also make every gradient match:\n\n```diff\n@@ line 3 @@" in text
    unsure = finding(fix=Fix((edit(),), False, 0), confidence=Confidence.LIKELY)
    text = render(Report((wrong(findings=(unsure,)),)))
    assert "Fix, not verified:" in text
    assert "verified at" not in text


def test_what_no_finding_explains_is_told_with_its_reason_and_signature():
    said = "numerical = analytic x 2"
    undecided = parameter("b", 0.0, 1.0, verdict="inconclusive", reason=Reason.KINK)
    text = render(Report((script("n.py", parameter("w", 1.0, 2.0), undecided, signatures=(("w", said),)),)))
    assert f"- `w`: {said}" in text
    assert f"- `b`: {Reason.KINK.sentence}" in text


def test_what_was_not_compared_entry_by_entry_is_told():
    certificate = Certificate(4, 1e-4, Verdict.MATCH)
    text = render(
        Report((script("n.py", parameter("w", [1.0], shape=(10, 1), certificate=certificate), notes=("a <note>",)),))
    )
    assert "- `w`: all 10 entries were compared along 4 random directions" in text
    assert "- note: a &lt;note&gt;" in text


def test_a_report_beyond_the_limit_is_cut_between_scripts():
    scripts = [*(wrong(f"ü{i}.py") for i in range(2500)), failed()]
    text = render(Report(tuple(scripts)))
    size = len(text.encode())
    assert LIMIT - 1500 < size <= LIMIT
    shown = len(re.findall("^### ", text, flags=re.MULTILINE))
    assert text.endswith(
        f"**{2501 - shown} more scripts are left out here for want of room: {2500 - shown} mismatch, 1 error.**"
    )
    assert text.count("```") == 2 * shown
    assert text.startswith("## gradcheck\n\n2501 scripts: ")


@pytest.mark.parametrize("limit", [0, 100, 400, 1000, 2000, 4000])
def test_a_limit_is_kept(limit):
    assert len(within(mixed(), limit).encode()) <= limit


def test_everything_is_there_within_the_limit():
    assert "left out" not in render(mixed())
