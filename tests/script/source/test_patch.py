"""Edits in the text of a script or of a notebook: what they do not name keeps its bytes."""

from __future__ import annotations

import codecs
import json

import pytest

from gradcheck.errors import FixError
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Edit, Finding, Fix
from gradcheck.script.source.notebook import read_notebook
from gradcheck.script.source.patch import apply_edits, edited_notebook, edited_script, unified_diff, verified_edits
from notebooks import cell, markdown, notebook


def finding(*edits, verified=True):
    return Finding(
        "GC201", "wrong-variable", "m", ("w",), Span(1, 1, 1, 2), Confidence.VERIFIED, (), Fix(edits, verified, 8)
    )


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], b"a\nb\nc\n"),
        ([Edit(2, "b", "x")], b"a\nx\nc\n"),
        ([Edit(3, "c", "x\nc"), Edit(1, "a", "")], b"b\nx\nc\n"),
    ],
)
def test_edits_of_lines(edits, expected):
    assert edited_script(b"a\nb\nc\n", edits) == expected
    assert apply_edits(["a", "b", "c"], edits) == expected.decode().splitlines()


@pytest.mark.parametrize("edit", [Edit(2, "x", "y"), Edit(0, "a", "y"), Edit(4, "d", "y")])
def test_a_line_that_is_another_one_is_refused(edit):
    with pytest.raises(FixError, match=f"line {edit.line} is not what the fix was made for"):
        edited_script(b"a\nb\nc\n", [edit])


@pytest.mark.parametrize(
    ("raw", "edit", "expected"),
    [
        (b"a\r\nb\r\nc", Edit(2, "b", "x\ny"), b"a\r\nx\r\ny\r\nc"),
        (b"a\r\nb\nc\r", Edit(2, "b", "x\ny"), b"a\r\nx\ny\nc\r"),
        (b"a\r\nb", Edit(2, "b", "x\ny"), b"a\r\nx\r\ny"),
        (b"a\nb\r\nc", Edit(2, "b", ""), b"a\nc"),
        (b"a\x0cb\nc\n", Edit(1, "a\x0cb", "d"), b"d\nc\n"),
        (codecs.BOM_UTF8 + "ä\nb\n".encode(), Edit(2, "b", "ü"), codecs.BOM_UTF8 + "ä\nü\n".encode()),
        (
            "# coding: latin-1\nä = 1\nb = 2\n".encode("latin-1"),
            Edit(3, "b = 2", "b = ä"),
            "# coding: latin-1\nä = 1\nb = ä\n".encode("latin-1"),
        ),
    ],
)
def test_the_bytes_of_a_script(raw, edit, expected):
    assert edited_script(raw, [edit]) == expected


def test_a_letter_that_the_encoding_does_not_have_is_told():
    with pytest.raises(FixError, match="'λ', which iso-8859-1 does not have"):
        edited_script(b"# coding: latin-1\nb = 2\n", [Edit(2, "b = 2", "b = λ")])


CELLS = (cell("  a = 1\n  b = 2\n  c = 3"), markdown("b = 2"), {**cell(""), "source": 'd = "ü\\n"\ne = 2'})


@pytest.mark.parametrize("indent", [None, 1, 2])
@pytest.mark.parametrize(
    ("edit", "sources"),
    [
        (Edit(2, "b = 2", "b = 5"), (["  a = 1\n", "  b = 5\n", "  c = 3"], 'd = "ü\\n"\ne = 2')),
        (Edit(2, "b = 2", "b = 5\nq = 1"), (["  a = 1\n", "  b = 5\n", "  q = 1\n", "  c = 3"], 'd = "ü\\n"\ne = 2')),
        (Edit(3, "c = 3", "c = 4\nq = 1"), (["  a = 1\n", "  b = 2\n", "  c = 4\n", "  q = 1"], 'd = "ü\\n"\ne = 2')),
        (Edit(1, "a = 1", ""), (["  b = 2\n", "  c = 3"], 'd = "ü\\n"\ne = 2')),
        (Edit(3, "c = 3", ""), (["  a = 1\n", "  b = 2\n"], 'd = "ü\\n"\ne = 2')),
        (
            Edit(4, 'd = "ü\\n"', 'd = "ä\\n"\nq = 1'),
            (["  a = 1\n", "  b = 2\n", "  c = 3"], 'd = "ä\\n"\nq = 1\ne = 2'),
        ),
    ],
)
def test_the_source_of_a_cell(edit, sources, indent):
    text = json.dumps(json.loads(notebook(*CELLS)), indent=indent, ensure_ascii=False)
    raw = text.encode()
    after = edited_notebook(raw, [edit], read_notebook(text).cells)
    expected = json.loads(raw)
    expected["cells"][0]["source"], expected["cells"][2]["source"] = sources
    assert after == json.dumps(expected, indent=indent, ensure_ascii=False).encode()


def test_a_notebook_that_has_changed_is_refused():
    text = notebook(*CELLS)
    with pytest.raises(FixError, match="line 2 is not what the fix was made for"):
        edited_notebook(text.encode(), [Edit(2, "b = 7", "b = 8")], read_notebook(text).cells)


def test_an_old_notebook_is_refused():
    text = notebook(*CELLS)
    old = json.dumps({"worksheets": [], "nbformat": 3}).encode()
    with pytest.raises(FixError, match="old version of the format"):
        edited_notebook(old, [Edit(2, "b = 2", "b = 8")], read_notebook(text).cells)


def test_a_diff_says_where_a_line_has_no_end():
    assert unified_diff("net.py", b"a\r\nb", b"a\r\nc") == (
        b"--- a/net.py\n+++ b/net.py\n@@ -1,2 +1,2 @@\n a\r\n"
        b"-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    )
    assert unified_diff("net.py", b"a\n", b"a\n") == b""


def test_edits_of_several_findings_are_joined_and_the_better_one_wins():
    first, second, third = Edit(2, "b", "x"), Edit(2, "b", "y"), Edit(1, "a", "z")
    assert verified_edits([finding(first), finding(second), finding(third)]) == (third, first)
    assert verified_edits([finding(first, verified=False)]) == ()
