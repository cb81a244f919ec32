"""Reading a script: encodings, parse errors with their lines, and what the text says without being run."""

from __future__ import annotations

import ast

import pytest

from gradcheck.errors import ScriptError
from gradcheck.script.source.file import SourceFile
from script_runs import write


@pytest.fixture
def read(tmp_path):
    def of(text: str) -> SourceFile:
        return SourceFile.read(write(tmp_path, text))

    return of


def refusal(path) -> ScriptError:
    with pytest.raises(ScriptError, match=r"\w") as caught:
        SourceFile.read(path)
    return caught.value


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("größe = 1\n".encode(), "größe"),
        (b"\xef\xbb\xbf" + "größe = 1\n".encode(), "größe"),
        ("# -*- coding: latin-1 -*-\ngröße = 1\n".encode("latin-1"), "größe"),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\ngröße = 1\n".encode("cp1252"), "größe"),
        (b"a = 1\r\nb = 2\r\n", "a"),
        (b"a = 1\rb = 2\r", "a"),
        (b"a = 1", "a"),
    ],
    ids=["utf-8", "byte-order-mark", "latin-1", "second-line", "windows", "old-mac", "no-newline"],
)
def test_declared_encodings_and_line_ends_are_read(tmp_path, data, name):
    path = tmp_path / "script.py"
    path.write_bytes(data)
    source = SourceFile.read(path)
    assert name in {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)}


@pytest.mark.parametrize(
    ("data", "slug", "line", "said"),
    [
        (b"", "empty", 1, "nothing to check"),
        (b"\n  \n\t\n", "empty", 1, "nothing to check"),
        (b"a = 1\nb = '\xe4'\n", "unreadable", None, "0xe4"),
        (b"# -*- coding: klingon -*-\na = 1\n", "unreadable", None, "klingon"),
        (b"a = 1\nb = 2\nc = \0\n", "unreadable", 3, "null bytes"),
        (b"def f(x)\n    return x\n", "syntax-error", 1, "expected ':'"),
        (b"a = 1\nb = (2,\n", "syntax-error", 2, "never closed"),
        (b"if True:\nprint()\n", "syntax-error", 2, "indented block"),
        (b"if True:\n    a = 1\n\tb = 2\n", "syntax-error", 3, "inconsistent|unindent"),
        (b"print 'python 2'\n", "syntax-error", 1, "parentheses"),
        (b"return 1\n", None, None, ""),
    ],
)
def test_files_that_are_no_python_are_refused_with_their_line(tmp_path, data, slug, line, said):
    path = tmp_path / "script.py"
    path.write_bytes(data)
    if slug is None:
        assert SourceFile.read(path).functions == {}
        return
    with pytest.raises(ScriptError, match=said) as caught:
        SourceFile.read(path)
    assert (caught.value.slug, caught.value.line) == (slug, line)


def test_deep_nesting_is_refused_without_a_traceback(tmp_path):
    path = write(tmp_path, "x = " + "(" * 5000 + "1" + ")" * 5000)
    assert refusal(path).slug == "syntax-error"


def test_a_long_sum_is_read_or_refused_but_never_crashes(tmp_path):
    path = write(tmp_path, "x = " + "+".join(["1"] * 20_000))
    try:
        SourceFile.read(path)
    except ScriptError as error:
        assert error.slug == "syntax-error"  # noqa: PT017 - either outcome is fine


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "missing.py").message
    assert "folder" in refusal(tmp_path).message


def test_invalid_escapes_do_not_warn(read):
    assert "f" in read('def f():\n    return "\\d"\n').functions


@pytest.mark.parametrize(
    ("comment", "settings"),
    [
        ("# gradcheck: loss=cost(E), params=a,b, backward=f", {"loss": "cost(E)", "params": "a,b", "backward": "f"}),
        ("# gradcheck: params=a, b ,c", {"params": "a, b ,c"}),
        ("   #gradcheck: loss = cost( E , y )", {"loss": "cost( E , y )"}),
        ("#  gradcheck:   points=3  ", {"points": "3"}),
        ("# gradcheck: params=params['W1'],self.b", {"params": "params['W1'],self.b"}),
        ("# gradcheck: loss=f(a, b), rtol=1e-3", {"loss": "f(a, b)", "rtol": "1e-3"}),
        ("# gradcheck is nice", {}),
        ("# gradcheck:", {}),
        ("x = 1  # gradcheck: loss=no", {}),
    ],
)
def test_directive_comments(read, comment, settings):
    assert read(f"{comment}\nx = 1\n").directive == settings


def test_later_directives_win_and_add(read):
    source = read("# gradcheck: loss=a, points=2\nx = 1\n# gradcheck: loss=b\n")
    assert source.directive == {"loss": "b", "points": "2"}


def test_a_loss_may_be_called_with_keyword_arguments(read):
    source = read("# gradcheck: loss=cost(E, reg=0.1), backward=f\nx = 1\n")
    assert source.directive == {"loss": "cost(E, reg=0.1)", "backward": "f"}


def test_a_directive_inside_a_string_is_no_directive(read):
    assert read('"""How to use it:\n\n# gradcheck: loss=cost\n"""\nx = 1\n').directive == {}


def test_functions_are_found_in_classes_in_branches_and_inside_functions(read):
    source = read(
        """
        def plain():
            def inner():
                pass

        class Net:
            def backward(self):
                pass

            class Layer:
                @staticmethod
                def step():
                    pass

        if True:
            def guarded():
                pass
        try:
            pass
        except ValueError:
            def fallback():
                pass
        """
    )
    found = ["plain", "plain.<locals>.inner", "Net.backward", "Net.Layer.step", "guarded", "fallback"]
    assert list(source.functions) == found
    assert source.functions["plain.<locals>.inner"].outer is source.functions["plain"]
    assert source.functions["Net.Layer.step"].owner == "Net.Layer"
    assert source.functions["Net.Layer.step"].decorators == {"staticmethod"}


def test_the_last_of_two_definitions_of_one_name_counts(read):
    source = read("def f(a):\n    return a\n\ndef f(a, b):\n    return b\n")
    assert source.functions["f"].line == 4


def test_arguments_and_required_arguments(read):
    (function,) = read("def f(a, b, /, c, d=1, *rest, e, g=2, **more):\n    pass\n").functions.values()
    assert function.arguments == ("a", "b", "c", "d", "e", "g")
    assert function.required_arguments == ("a", "b", "c", "e")


def test_returns_without_a_value_and_of_inner_functions_are_left_out(read):
    function, inner = read(
        """
        def f(x):
            def inner():
                return 1
            if x:
                return
            for i in x:
                return i
            else:
                return inner
        """
    ).functions.values()
    assert [ast.unparse(s) for s in function.returns] == ["return i", "return inner"]
    assert [ast.unparse(s) for s in inner.returns] == ["return 1"]
    assert inner.outer is function


def test_assignments_to_items_attributes_and_tuples(read):
    (function,) = read(
        """
        def f(self):
            a = 1
            a, (b, *c) = 1, (2, 3)
            grads = {}
            grads["W"]["x"] = 2
            self.W += 3
            d: int = 4
        """
    ).functions.values()
    lines = {name: [s.lineno for s in function.assignments(name)] for name in ("a", "b", "c", "grads", "self.W", "d")}
    assert lines == {"a": [2, 3], "b": [3], "c": [3], "grads": [4, 5], "self.W": [6], "d": [7]}


def test_feeds_follows_values_backwards_through_assignments(read):
    (function,) = read(
        """
        def f(x, w, y):
            p = x * w
            e = p - y
            loss = e ** 2
            d = 2 * e
            dw = d * x
            return dw
        """
    ).functions.values()
    assert {"d", "e", "p", "x", "w", "y"} <= function.feeds({"dw"})
    assert "loss" not in function.feeds({"dw"})


def test_feeds_ends_on_cycles(read):
    (function,) = read("def f(a, b):\n    a = b\n    b = a\n    return a\n").functions.values()
    assert function.feeds({"a"}) == {"a", "b"}


def test_a_loop_around_several_that_call_is_one_and_around_a_single_one_is_not(read):
    steps = "    for a in range(2):\n        f(a)\n"
    once = "def f(a):\n    return a\nfor epoch in range(3):\n" + steps
    assert [loop.line for loop in read(once).loops] == [4]
    assert [loop.line for loop in read(once + steps).loops] == [3, 4, 6]


def test_loops_that_call_functions_of_the_script(read):
    source = read(
        """
        def step(x):
            return x

        for i in range(3):
            print(i)
        for i in range(3):
            for j in range(2):
                step(j)
        def train():
            while True:
                step(1)
        """
    )
    assert [(loop.line, loop.function and loop.function.name) for loop in source.loops] == [(7, None), (10, "train")]
    assert source.loops[0].name == "the loop in line 7"


@pytest.mark.parametrize(
    ("line", "part", "expected"),
    [
        ("größe = über * 2", "über * 2", (9, 17)),
        ("\tx = ä + b", "ä + b", (6, 11)),
        ("x = 'ÄÖÜ', a + b", "a + b", (12, 17)),
        ("x = '🙂' + a * b", "a * b", (11, 16)),
    ],
)
def test_columns_count_characters(tmp_path, line, part, expected):
    indented = line.startswith("\t")
    source = SourceFile.read(write(tmp_path, f"if 1:\n{line}\n" if indented else f"{line}\n"))
    (node,) = (n for n in ast.walk(source.tree) if isinstance(n, ast.expr) and ast.unparse(n) == part)
    span = source.span(node)
    assert (span.column, span.end_column) == expected
    assert source.lines[span.line - 1][span.column - 1 : span.end_column - 1] == part


def test_a_span_over_several_lines_ends_on_the_last_one(read):
    source = read("x = (1 +\n     2)\n")
    span = source.span(source.tree.body[0])
    assert (span.line, span.column, span.end_line, span.end_column) == (1, 1, 2, 8)


@pytest.mark.parametrize("separator", ["\x0c", "\x1c", "\x85", "\u2028"], ids=["form-feed", "1c", "nel", "2028"])
def test_line_numbers_agree_with_python_after_unusual_characters(tmp_path, separator):
    """Python ends a line at a newline only; ``str.splitlines`` has more ideas."""
    path = tmp_path / "script.py"
    path.write_text(f"x = 'a{separator}b'\ny = 2\n" if separator != "\x0c" else "x = 1\n\x0cy = 2\n", encoding="utf-8")
    source = SourceFile.read(path)
    assert source.lines[source.tree.body[-1].lineno - 1].strip() == "y = 2"
