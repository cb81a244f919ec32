"""Where nodes stand in a text, and what is left alone when a part of it is replaced."""

from __future__ import annotations

import ast

import pytest

from gradcheck.script.source.finding import Edit
from gradcheck.script.source.text import Splice, Text, edits_between, line_map, spliced


def test_offsets_count_characters_where_the_line_is_not_ascii():
    code = "größe = 1\nhöhe = größe * dx  # Höhe\n"
    (_, statement) = ast.parse(code).body
    text = Text(code)
    assert text.of(statement.value) == "größe * dx"
    assert text.of(statement.value.right) == "dx"


def test_splices_do_not_move_each_other():
    assert spliced("a * b + c", [Splice(0, 1, "long"), Splice(8, 9, "d")]) == "long * b + d"


@pytest.mark.parametrize(
    ("new", "edits"),
    [
        ("a\nB\nc\n", [Edit(2, "b", "B")]),
        ("a\nb\nx\ny\nc\n", [Edit(2, "b", "b\nx\ny")]),
        ("a\nc\n", [Edit(2, "b", "")]),
        ("b\na\nc\n", [Edit(1, "a", "b\na"), Edit(2, "b", "")]),
        ("a\nb\nc\n", []),
    ],
    ids=["replaced", "inserted", "taken away", "moved", "the same"],
)
def test_edits_are_given_by_line(new, edits):
    old = "a\nb\nc\n"
    found = edits_between(["a", "b", "c"], old, new)
    lines = old.split("\n")
    for edit in sorted(found, key=lambda e: -e.line):
        lines[edit.line - 1 : edit.line] = edit.new.split("\n") if edit.new else []
    assert "\n".join(lines) == new
    assert found == tuple(edits)


def test_lines_are_found_again_behind_an_insertion():
    assert line_map("a\nb\nc", "a\nx\nb\nc")[4] == 3
