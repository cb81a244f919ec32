"""Statements that move something by a step, as the text shows them."""

from __future__ import annotations

import ast

import pytest

from gradcheck.script.source.updates import moves_in, updates_in, updates_of


def only(text):
    (update,) = moves_in(ast.parse(text))
    return update


@pytest.mark.parametrize(
    ("text", "target", "sources", "adds", "exact"),
    [
        ("w -= rate * dw", "w", {"dw"}, False, True),
        ("w += delta", "w", {"delta"}, True, True),
        ("self.W = self.W - self.lr * self.dW", "self.W", {"self.dW"}, False, True),
        ("W, b = W - 0.1 * dW, 1", "W", {"dW"}, False, True),
        ("P[u][f] -= lr * g[f]", "P[u][f]", {"g[f]"}, False, True),
        ("m = beta * m + (1 - beta) * g", "m", {"beta", "g"}, True, False),
        ("ws = [w - lr * g for w, g in zip(ws, gs)]", "ws", {"gs"}, False, True),
        ("net.ws = [w - lr / n * nw for w, nw in zip(net.ws, nabla)]", "net.ws", {"nabla"}, False, True),
    ],
)
def test_what_is_moved_by_what(text, target, sources, adds, exact):
    update = only(text)
    assert (update.target, update.adds, update.exact) == (target, adds, exact)
    assert sources <= update.sources
    assert bool(updates_in(ast.parse(text))) is exact


@pytest.mark.parametrize(
    "text", ["h = np.tanh(W @ x + b)", "x = y - z", "w *= 0.9", "a = [u * v for u, v in zip(p, q)]"]
)
def test_what_is_no_step(text):
    assert not moves_in(ast.parse(text))


@pytest.mark.parametrize(("text", "counts"), [("n += 1", True), ("n -= -2", True), ("w -= 0.1 * g", False)])
def test_a_counter_is_told_from_a_step(text, counts):
    assert only(text).counts is counts


@pytest.mark.parametrize(
    ("text", "decay"),
    [
        ("W -= lr * dW", None),
        ("W -= lr * (dW + wd * W)", -0.1 * 0.01),
        ("W += lr * (g - 2 * wd * W)", -0.1 * 2 * 0.01),
        ("W = (1 - lr * wd) * W - lr * dW", -0.1 * 0.01),
        ("W = W * (1 - lr * wd / 5) - lr * dW", -0.1 * 0.01 / 5),
        ("P[u] += lr * (2 * e * Q[g] - 2 * wd * P[u])", -0.1 * 2 * 0.01),
    ],
)
def test_the_decay_in_a_step_is_the_coefficient_of_what_is_moved(text, decay):
    found = only(text).decay
    assert (found is None) is (decay is None)
    if found is not None:
        assert eval(found, {"lr": 0.1, "wd": 0.01}) == pytest.approx(decay)


@pytest.mark.parametrize(
    ("statement", "plain"),
    [
        ("w = np.subtract(w, np.multiply(rate, g))", "w = w - rate * g"),
        ("w = np.add(w, -np.divide(g, n))", "w = w + -(g / n)"),
        ("w -= numpy.multiply(rate, np.add(g, h))", "w -= rate * (g + h)"),
    ],
)
def test_functions_of_numpy_are_read_as_operators(statement, plain):
    def read(text):
        (update,) = updates_of(ast.parse(text).body[0])
        return update.target, update.adds, ast.unparse(update.step), update.sources

    assert read(statement) == read(plain)


def test_functions_that_are_called_the_same_are_not():
    assert list(updates_of(ast.parse("w = mine.subtract(w, g)").body[0])) == []
