"""Where a line stands: in a script, or in a cell of a notebook; and sentences about it."""

from __future__ import annotations

import pytest

from gradcheck.script.source.place import Cells, Layout, Part, Place

# cells of three lines, of one, and of two
CELLS = Cells((1, 4, 5), 6)


@pytest.mark.parametrize(
    ("line", "cell", "cell_line", "extent"),
    [(1, 1, 1, (1, 3)), (3, 1, 3, (1, 3)), (4, 2, 1, (4, 4)), (5, 3, 1, (5, 6)), (6, 3, 2, (5, 6)), (9, 3, 5, (5, 6))],
)
def test_a_line_belongs_to_the_cell_that_begins_before_it(line, cell, cell_line, extent):
    assert CELLS.place("net.ipynb", line) == Place("net.ipynb", line, cell, cell_line)
    assert CELLS.extent(line) == extent


def test_a_place_is_shown_as_a_reader_counts():
    assert str(Place("net.py", 27)) == "line 27"
    assert Place("net.py", 27).at(9) == "net.py:27:9"
    assert str(Place("net.ipynb", 27, 3, 5)) == "cell 3, line 5"
    assert Place("net.ipynb", 27, 3, 5).at(9) == "net.ipynb: cell 3, line 5:9"


@pytest.mark.parametrize(
    ("text", "reworded"),
    [
        ("`f` in line 5 and `g` in line 2", "`f` in cell 3, line 1 and `g` in cell 1, line 2"),
        ("the loop in line 4, line 6: w -= ...", "the loop in cell 2, line 1, cell 3, line 2: w -= ..."),
        ("expected an indented block after 'if' statement on line 4", "after 'if' statement in cell 2, line 1"),
        ("the name `line 5` in line 5", "the name `line 5` in cell 3, line 1"),
        ("`the loop in line 4` in line 4 and `x`", "`the loop in cell 2, line 1` in cell 2, line 1 and `x`"),
        ("the script raised ValueError: line 5 of the data", "the script raised ValueError: line 5 of the data"),
        ("it ended early: the script raised E: bad\nline 5", "it ended early: the script raised E: bad\nline 5"),
        ("the script ended itself and said: see line 5", "the script ended itself and said: see line 5"),
        ("a line, 5 of them, and outline 5", "a line, 5 of them, and outline 5"),
    ],
)
def test_sentences_name_the_cell_and_quotations_stay(text, reworded):
    assert Layout(CELLS).reword(text).endswith(reworded)


PARTS = (Part("__main__", "/a/project/train.py", 1, 10), Part("net.layers", "/a/project/net/layers.py", 11, 30, "net"))


@pytest.mark.parametrize(
    ("text", "reworded"),
    [
        ("it is in line 3", "it is in line 3"),
        ("it is in line 13", "it is in net/layers.py, line 3"),
        ("on line 11", "in net/layers.py, line 1"),
        ("`the loop in line 12` and `layersˑW`", "`the loop in net/layers.py, line 2` and `layers.W`"),
    ],
)
def test_sentences_name_the_file_of_a_module(text, reworded):
    assert Layout(parts=PARTS).reword(text) == reworded


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("train.py", 10, "train.py:10:4"),
        ("train.py", 11, "net/layers.py:1:4"),
        ("../project/train.py", 30, "../project/net/layers.py:20:4"),
        ("/a/project/train.py", 12, "/a/project/net/layers.py:2:4"),
    ],
)
def test_a_place_in_a_module_is_told_from_where_the_user_is(path, line, expected):
    assert Layout(parts=PARTS).place(path, line).at(4) == expected


def test_what_belongs_together_is_a_file():
    layout = Layout(Cells((1, 5), 10), PARTS)
    assert [layout.extent(line, 30) for line in (2, 7, 11, 30)] == [(1, 4), (5, 10), (11, 30), (11, 30)]
    assert [Layout(parts=PARTS).extent(line, 30) for line in (2, 20)] == [(1, 10), (11, 30)]
