"""The texts of candidate edits: what is put in, and that brackets keep their meaning."""

from __future__ import annotations

import ast

import pytest

from gradcheck.repair.atoms import Atom
from gradcheck.repair.exchanges import exchanges
from gradcheck.repair.forms import forms
from gradcheck.repair.rewrite import Writer, bracketed
from gradcheck.repair.statements import restated
from gradcheck.script.source.text import Text, spliced

PLAIN = [Atom("h", 0.0, is_array=True), Atom("reg", 0.0), Atom("n", 0.6)]
DERIVED = [Atom("1 - a ** 2", 0.1, "slope"), Atom("slope(z)", 0.1, "call")]


def edited(value: str) -> dict[str, str]:
    """Return the codes of all edits of an expression, by the text that it becomes."""
    code = f"x = {value}\n"
    (statement,) = ast.parse(code).body
    writer = Writer(Text(code))
    found = [*exchanges(statement.value, writer, PLAIN, DERIVED), *forms(statement.value, writer, ["slope", "tanh"])]
    texts: dict[str, str] = {}
    for rewrite in sorted(found, key=lambda r: r.cost):
        texts.setdefault(spliced(code, rewrite.splices)[4:-1], rewrite.code)
    return texts


@pytest.mark.parametrize(
    ("value", "new", "code"),
    [
        ("d * w", "d * h", "GC201"),
        ("d @ w.T", "d @ w.T * (1 - a ** 2)", "GC202"),
        ("d @ w.T", "d @ w.T * slope(z)", "GC202"),
        ("d * slope(a)", "d * slope(h)", "GC203"),
        ("d * slope(a)", "d", "GC204"),
        ("p * (1 - p) * g", "p * (g - np.sum(g * p, axis=-1, keepdims=True))", "GC206"),
        ("d * h", "d", "GC208"),
        ("d * tanh(z)", "d * slope(z)", "GC209"),
        ("d + e", "d + e + h", "GC210"),
        ("d + e", "d", "GC211"),
        ("d / 2", "d / 4", "GC213"),
        ("d - e", "e - d", "GC214"),
        ("a + b", "-(a + b)", "GC214"),
        ("np.sum(d)", "np.sum(d, axis=0)", "GC216"),
        ("d @ w", "d @ w.T", "GC217"),
        ("d.sum(axis=0)", "d.sum(axis=1)", "GC218"),
        ("g", "g + reg * h", "GC220"),
        ("hs[t]", "hs[t - 1]", "GC226"),
        ("d * (z > 0)", "d * (z >= 0)", "GC228"),
        ("np.outer(a, b)", "np.outer(b, a)", "GC229"),
        ("d", "d.copy()", "GC222"),
    ],
)
def test_an_edit_is_offered_under_its_code(value, new, code):
    assert edited(value)[new] == code


@pytest.mark.parametrize("value", ["(a - b) @ c", "a / b", "-a ** 2", "f(a - b) * c", "[a * b for a in c]"])
def test_every_edit_is_python(value):
    texts = edited(value)
    assert len(texts) > 10
    for text in texts:
        ast.parse(text, mode="eval")


def test_brackets_only_where_they_are_needed():
    assert bracketed("a - b", 7) == "(a - b)"
    assert bracketed("a * b", 7) == "a * b"


def statements(code: str) -> set[str]:
    """Return the texts that edits of statements make of a script."""
    tree = ast.parse(code)
    lines = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)}
    return {spliced(code, rewrite.splices) for rewrite in restated(tree, Text(code), lines)}


EARLY = "def f():\n    for t in x:\n        s += t\n        return s\n"
LATE = "def f():\n    for t in x:\n        s += t\n    return s\n"
LOOP = "for t in steps:\n    g = x[t]\n    w -= g  # moves\n    d = w * g\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("g[k] = v\n", "g[k] += v\n"),
        ("g[k] += v\n", "np.add.at(g, k, v)\n"),
        ("g[k] += v\n", "g[k] -= v\n"),
        ("d[z <= 0] = 0\n", "d[z < 0] = 0\n"),
        (LOOP, "for t in steps:\n    g = x[t]\n    d = w * g\n    w -= g  # moves\n"),
        (LOOP, "g = x[t]\nfor t in steps:\n    w -= g  # moves\n    d = w * g\n"),
        (
            "def f():\n    for t in x:\n        s += t\n        return s\n",
            "def f():\n    for t in x:\n        s += t\n    return s\n",
        ),
    ],
    ids=["accumulated", "duplicates", "sign", "mask", "later", "before the loop", "return after the loop"],
)
def test_statements_are_edited_with_all_that_stands_beside_them(old, new):
    assert new in statements(old)
