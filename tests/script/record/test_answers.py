"""Scripts that ask for input: what is piped in answers them, an empty line where nothing is, and a note says so."""

from __future__ import annotations

import pytest

from script_runs import check, command, verdicts, write

pytestmark = pytest.mark.usefixtures("forked")

SCRIPT = """
START
def loss(w):
    return (w - 3) ** 2
def gradient(w):
    return FACTOR * (w - 3)
w = 0.5
for step in range(5):
    w -= 0.1 * gradient(w)
print(loss(w))
END
"""
HALVES = [("2", "match"), ("3", "mismatch")]


def script(factor: str, start: str = "", end: str = "") -> str:
    return SCRIPT.replace("FACTOR", factor).replace("START", start or "pass").replace("END", end)


@pytest.mark.parametrize(("factor", "verdict"), HALVES)
@pytest.mark.parametrize(
    ("start", "end", "lines"),
    [
        ("input('Press Enter')", "", "line 1"),
        ("", "input()", "line 10"),
        ("name = input('Name? ') or 'nobody'", "input('Press Enter')", "line 1, line 10"),
        ("for _ in range(3): input()", "", "line 1"),
        ("def ask(): return input('? ')", "ask()", "line 1"),
    ],
)
def test_what_nobody_answers_gets_an_empty_line_and_a_note(tmp_path, factor, verdict, start, end, lines):
    result = check(tmp_path, script(factor, start, end), fix=False)
    assert verdicts(result) == {"w": verdict}
    (note,) = [note for note in result.notes if "input" in note]
    assert note == (
        f"nothing (more) was piped in for `input` in {lines}, so it was given an empty line; to answer it: "
        "printf 'first\\nsecond\\n' | gradcheck run script.py"
    )


@pytest.mark.parametrize(("factor", "verdict"), HALVES)
def test_a_script_that_asks_nothing_has_no_such_note(tmp_path, factor, verdict):
    result = check(tmp_path, script(factor, "def never(): return input()"), fix=False)
    assert verdicts(result) == {"w": verdict}
    assert not [note for note in result.notes if "input" in note]


@pytest.mark.parametrize(
    ("start", "line", "raised"),
    [
        ("rounds = int(input('How many? '))", 1, "ValueError: invalid literal for int"),
        ("text = input()\nrate = float(text)", 1, "ValueError: could not convert string to float: ''"),
        ("first, second = input().split()", 1, "ValueError: not enough values to unpack"),
    ],
)
def test_where_an_empty_line_is_no_answer_the_question_is_named(tmp_path, start, line, raised):
    error = check(tmp_path, script("2", start)).error
    assert error is not None
    assert (error.slug, error.line) == ("needs-input", line)
    assert f"with an empty line in its place, it raised {raised}" in error.message


def test_a_script_that_asks_for_ever_is_told(tmp_path):
    error = check(tmp_path, script("2", "while not input('Go? '): pass")).error
    assert error is not None
    assert (error.slug, error.line) == ("needs-input", 1)


def test_an_exception_that_has_nothing_to_do_with_the_question_is_the_scripts(tmp_path):
    error = check(tmp_path, script("2", "input()\nprint(1 / 0)")).error
    assert error is not None
    assert (error.slug, error.line) == ("script-raised", 2)


@pytest.mark.parametrize(("factor", "code", "said"), [("2", 0, "the gradient matches"), ("3", 1, "the gradient is")])
def test_what_is_piped_in_is_read_and_the_rest_is_empty(tmp_path, factor, code, said):
    write(tmp_path, script(factor, "n = int(input())", "print('read', n, repr(input()))"), "asks.py")
    done = command("run", "asks.py", "--no-fix", "-v", cwd=tmp_path, stdin="12\n")
    assert done.returncode == code
    assert said in done.stdout
    assert "read 12 ''" in done.stderr
    assert "line 10" in done.stdout


def test_messages_do_not_name_what_stands_in_for_input(tmp_path):
    """A method may have an argument of that name, of which a loss is computed elsewhere."""
    text = "def half(v):\n    print(type(input).__name__)\n    return input.total(v)\nprint(half(3.0))\n"
    error = check(tmp_path, text).error
    assert (
        error.message
        == "the script raised AttributeError: 'builtin_function_or_method' object has no attribute 'total'"
    )
