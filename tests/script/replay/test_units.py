"""Which functions and loops of a script are worth recording."""

from __future__ import annotations

import ast

import pytest

from gradcheck.script.record import instrument
from gradcheck.script.replay.units import recorded, returning, units_of
from gradcheck.script.source.file import SourceFile
from script_runs import write


@pytest.fixture
def read(tmp_path):
    return lambda text: SourceFile.read(write(tmp_path, text))


def test_what_moves_or_stores_and_what_calls_it(read):
    source = read("""
        class Layer:
            def __init__(self):
                self.W = 1.0
            def forward(self, x):
                return self.W * x
            def backward(self, d):
                self.dW = d * self.x
            def update(self, rate):
                self.W -= rate * self.dW
        def activation(z):
            return max(z, 0)
        def fit(layer, data):
            for x in data:
                layer.forward(x)
                layer.backward(1.0)
                layer.update(0.1)
        fit(Layer(), [1.0])
        """)
    found = units_of(source, None)
    assert set(found) == {"Layer.backward", "Layer.update", "fit", "the loop in line 13"}
    assert "activation" not in recorded(source, found)


def test_a_counter_makes_no_unit(read):
    assert not units_of(read("n = 0\nwhile n < 3:\n    n += 1\n"), None)


def test_inner_functions_have_the_names_that_python_gives_them(read):
    source = read("""
        def train():
            w = 0.0
            def grad():
                return 2 * w
            for _ in range(3):
                dw = grad()
                w -= 0.1 * dw
        train()
        """)
    assert set(units_of(source, None)) == {"train", "train.<locals>.grad", "the loop in line 5"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def slope(p):\n    return p\nminimize(f, x0, jac=slope)", {"slope"}),
        ("def f(p):\n    return p\ndef df(p):\n    return p", {"df"}),
        ("def f(p):\n    return p\ndef draw(p):\n    return p", set()),
        ("def gradient(p):\n    return p", {"gradient"}),
    ],
)
def test_functions_that_are_handed_on_as_derivatives_or_named_after_one(read, text, expected):
    assert returning(read(text), None) == expected


def test_each_function_is_looked_through_once(read, monkeypatch):
    """Many may call many: what is true of the text of one is not found out again for each way through them."""
    looked_at = []
    real = instrument._walk_own

    def counted(node):
        looked_at.append(node)
        return real(node)

    monkeypatch.setattr(instrument, "_walk_own", counted)
    text = "".join(f"def f{k}(w):\n    w -= 0.1 * f{k - 1}(w)\n    return f{k // 2}(w)\n" for k in range(1, 12))
    source = read(f"def f0(w):\n    return w\n{text}")
    found = recorded(source, units_of(source, None))
    assert "f11" in found
    functions = [node for node in looked_at if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len({id(node) for node in functions}) == 12
