"""Magics and shell commands become Python that does nothing, and every line keeps its number."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from gradcheck.script.source.magics import without_magics


def cleaned(text: str) -> list[str]:
    lines = dedent(text).strip("\n").split("\n")
    found = without_magics(lines)
    assert len(found) == len(lines)
    return found


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "%load_ext autoreload",
        "!pip install numpy > /dev/null",
        '!echo "it\'s (not closed"',
        "!!ls",
        "?np.mean",
        "??np.mean",
        "np.mean?",
        "np.linalg.norm??",
        "%timeit?",
        "np.mean?  # what does it do",
        "pip install torch",
        "conda install numpy -y",
        "%time",
    ],
)
def test_a_line_for_the_notebook_becomes_a_line_that_does_nothing(line):
    assert cleaned(f"a = 1\n{line}\nb = 2") == ["a = 1", "pass", "b = 2"]


def test_a_magic_in_a_block_keeps_the_block():
    assert cleaned("if a:\n    %matplotlib inline\nelse:\n    !ls") == ["if a:", "    pass", "else:", "    pass"]


@pytest.mark.parametrize(
    "text",
    [
        "x = (7\n% 2)",
        "x = 7 \\\n% 2",
        's = """\n%matplotlib inline\n!ls\nwhat?\n"""',
        "x = 7 % 2\ny = x != 3",
        "s = 'really?'",
        "# what is this?",
        "",
        "   ",
    ],
)
@pytest.mark.parametrize("beside", ["", "\n%matplotlib inline"], ids=["alone", "beside-a-magic"])
def test_python_is_left_as_it_is(text, beside):
    lines = text.split("\n")
    assert without_magics((text + beside).split("\n"))[: len(lines)] == lines


def test_a_magic_is_recognised_after_a_string_and_a_bracket_that_are_closed():
    assert cleaned('s = """\n%a\n"""\n%b\nx = (1,\n  2)\n!c') == [
        's = """',
        "%a",
        '"""',
        "pass",
        "x = (1,",
        "  2)",
        "pass",
    ]


def test_a_command_over_several_lines_goes_as_a_whole():
    assert cleaned("!pip install \\\n  numpy \\\n  scipy\nx = 1") == ["pass", "", "", "x = 1"]


@pytest.mark.parametrize(
    ("line", "python"), [("files = !ls", "files = []"), ("t = %timeit -o f()", "t = None"), ("a, b = !ls", "a, b = []")]
)
def test_what_a_command_is_assigned_to_stays_assigned(line, python):
    assert cleaned(line) == [python]


@pytest.mark.parametrize("magic", ["%time ", "%timeit ", "%timeit -n 10 -r 3 ", "%time  "])
def test_a_statement_that_is_timed_is_run_and_keeps_its_columns(magic):
    (line,) = cleaned(f"{magic}w = train(w)")
    (node,) = (n for n in ast.walk(ast.parse(line)) if isinstance(n, ast.Assign))
    assert node.col_offset == len(magic)
    assert ast.unparse(node) == "w = train(w)"


@pytest.mark.parametrize("magic", ["%%time", "%%timeit -n 1", "%%capture output", "\n%%time", "%%capture\n%%time"])
def test_a_magic_above_a_cell_that_is_run_leaves_the_cell(magic):
    above = magic.count("\n") + 1
    assert cleaned(f"x = 0\n{magic}") != [""] * (above + 1)
    assert without_magics([*magic.split("\n"), "x = 1", "!ls"]) == [*[""] * above, "x = 1", "pass"]


@pytest.mark.parametrize("magic", ["%%bash", "%%html", "%%javascript", "%%writefile net.py", "%%latex", "%%R -i x"])
def test_a_cell_for_another_program_is_left_out_as_a_whole(magic):
    assert without_magics([magic, "x = 1", "<b>'</b>"]) == ["", "", ""]


def test_what_is_neither_python_nor_magic_is_left_for_the_parser_to_refuse():
    assert cleaned("x = = 1\n%matplotlib inline") == ["x = = 1", "pass"]


def test_a_change_of_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in here").mkdir()
    (line,) = cleaned("%cd 'in here'  # where the data lie")
    exec(line)
    assert Path.cwd() == tmp_path / "in here"
    exec(cleaned("%cd nowhere")[0])
    assert Path.cwd() == tmp_path / "in here"
    assert cleaned("%cd") == cleaned("%cd -") == cleaned("%cd {folder}") == ["pass"]
