"""Where a line stands: in a script, or in a cell of a notebook; and sentences about it."""

from __future__ import annotations

import pytest

from gradcheck.script.source.place import Cells, Place

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
    assert CELLS.reword(text).endswith(reworded)
