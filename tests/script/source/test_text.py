"""Where nodes stand in a text, and what is left alone when a part of it is replaced."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from gradcheck.errors import ScriptError
from gradcheck.repair.statements import restated
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.text import Splice, Text, edits_between, line_map, spliced, with_edit, with_text
from gradcheck.script.source.updates import updates_in


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


_PROGRAM = """import numpy as np
def step(w):
    g = 2 * w
    return w - g
for _ in range(3):
    w_new = w - 0.1 * w
    w = w_new
print(w)
"""


def _program(code=_PROGRAM):
    return SourceFile.read(Path("script.py"), code)


def _edit(code, old, new):
    start = code.index(old)
    return [Splice(start, start + len(old), new)]


@pytest.mark.parametrize(
    ("old", "new", "shared"),
    [
        ("2 * w", "3 * w", (0, 2, 3)),
        ("0.1", "0.2", (0, 1, 3)),
        ("    g = 2 * w\n", "    g = w\n    g *= 2\n", (0, 2, 3)),
        ("def step", "f = 1\ndef step", ()),
        ("print(w)", "print(-w)", ()),
        ("2 * w", "(lambda v: 2 * v)(w)", ()),
    ],
    ids=["function", "loop", "one line more", "two statements", "no definition", "lambda"],
)
def test_an_edit_shares_what_it_leaves_alone(old, new, shared):
    source = _program()
    edited = with_edit(source, _edit(_PROGRAM, old, new))
    anew = with_text(source, _PROGRAM.replace(old, new))
    assert (edited.text, edited.lines) == (anew.text, anew.lines)
    assert ast.dump(edited.tree) == ast.dump(anew.tree)
    assert [u.target for u in updates_in(edited.tree)] == [u.target for u in updates_in(anew.tree)]
    same = [n for n, node in enumerate(edited.tree.body) if node in source.tree.body]
    assert tuple(same) == shared


def test_what_stands_below_an_edit_keeps_the_line_that_its_living_code_has():
    source = _program()
    edited = with_edit(source, _edit(_PROGRAM, "    g = 2 * w\n", ""))
    assert [loop.name for loop in edited.loops] == [loop.name for loop in source.loops] == ["the loop in line 5"]


@pytest.mark.parametrize("code", ["def f(w):\n    return w\nx = 1", "def f(w): return w; x = 1"])
def test_an_edit_that_breaks_the_text_is_refused(code):
    with pytest.raises((SyntaxError, ScriptError)):
        with_edit(_program(code), _edit(code, "return w", "return ("))


@pytest.mark.parametrize("name", ["adam_states", "attention_class", "nabla_lists", "gru_sum", "global_statement"])
def test_an_edit_gives_the_tree_of_its_text(name):
    source = SourceFile.read(Path(__file__).parents[3] / "fixtures" / "buggy" / f"{name}.py")
    tried = 0
    for rewrite in list(restated(source.tree, Text(source.text), range(len(source.lines) + 1)))[::7]:
        code = spliced(source.text, rewrite.splices)
        try:
            anew = with_text(source, code)
        except ScriptError:
            with pytest.raises((SyntaxError, ScriptError)):
                with_edit(source, rewrite.splices)
            continue
        keeps_lines = code.count("\n") == source.text.count("\n")
        edited = with_edit(source, rewrite.splices)
        assert ast.dump(edited.tree, include_attributes=keeps_lines) == ast.dump(
            anew.tree, include_attributes=keeps_lines
        )
        tried += 1
    assert tried > 10
