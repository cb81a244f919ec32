"""The right formula for a line that no edit mends: rule by rule, and in scripts."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from gradcheck.repair.calculus import Setting, UnderivableError, added, pulled_back, same
from script_runs import check, verdicts

RNG = np.random.default_rng(0)
SIGHT = {
    "np": np,
    "x": RNG.normal(size=(5, 3)),
    "y": RNG.normal(size=(5, 3)),
    "w": RNG.normal(size=(3, 4)),
    "b": RNG.normal(size=3),
    "c": RNG.normal(size=(5, 1)),
    "v": RNG.normal(size=3),
    "u": RNG.normal(size=5),
    "s": 0.7,
    "p": RNG.uniform(0.5, 2, size=(5, 3)),
}
SLOPES = ["1 - np.tanh({0}) ** 2", "np.exp({0})", "1 / {0}", "{0} > 0"]


def _evaluated(text, scope):
    return eval(text, dict(scope))


def _slope(values):
    for name, value in SIGHT.items():
        for form in SLOPES:
            if name != "np" and np.shape(value) and same(_evaluated(form.format(name), SIGHT), values):
                return form.format(name)
    raise UnderivableError


def derivative(text, name):
    """Return the derivative of sum(d * text) with respect to a variable, and d."""
    node = ast.parse(text, mode="eval").body
    setting = Setting(
        lambda part, others=None: _evaluated(ast.unparse(part), {**SIGHT, **(others or {})}),
        ast.unparse,
        _slope,
        lambda own: own,
    )
    found = pulled_back(node, "d", lambda part: isinstance(part, ast.Name) and part.id == name, setting)
    d = np.random.default_rng(1).normal(size=np.shape(_evaluated(text, SIGHT)))
    return _evaluated(added(found), {**SIGHT, "d": d}), d


def numerical(text, name, d):
    value = np.array(SIGHT[name], dtype=float)
    gradient = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        ends = []
        for step in (1e-6, -1e-6):
            moved = value.copy()
            moved[index] += step
            ends.append(np.sum(d * _evaluated(text, {**SIGHT, name: moved})))
        gradient[index] = (ends[0] - ends[1]) / 2e-6
    return gradient


@pytest.mark.parametrize(
    "text",
    [
        "x + y",
        "x - y",
        "y - x",
        "x * y",
        "x / p",
        "y / x",
        "x ** 2",
        "x ** 3",
        "-x",
        "x @ w",
        "np.dot(x, w)",
        "x.dot(w)",
        "y.T @ x",
        "x @ v",
        "u @ x",
        "x.T",
        "x.reshape(3, 5)",
        "x + x * y",
        "np.tanh(x)",
        "np.maximum(0, x)",
        "np.sum(x * y)",
        "np.mean(x * y)",
        "np.sum(x)",
        "x.sum(axis=0, keepdims=True)",
        "np.sum(x, axis=1)",
        "np.mean(x, axis=0)",
        "np.array(x)",
        "s * x",
        "x + b",
        "x * c",
    ],
)
def test_a_derivative_is_the_numerical_one(text):
    found, d = derivative(text, "x")
    np.testing.assert_allclose(found, numerical(text, "x", d), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("x + b", "b"),
        ("x - b", "b"),
        ("x * b", "b"),
        ("x / p + c", "c"),
        ("x * s", "s"),
        ("x @ w", "w"),
        ("x @ v", "v"),
        ("u @ x", "u"),
        ("v @ v", "v"),
        ("np.log(p)", "p"),
        ("np.exp(b)", "b"),
    ],
)
def test_an_operand_that_is_broadcast_gets_what_its_copies_get(text, name):
    found, d = derivative(text, name)
    np.testing.assert_allclose(found, numerical(text, name, d), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "text", ["np.cumsum(p)", "p[::2]", "np.sort(p, axis=0)", "p ** s", "np.einsum('ij,ij->i', p, y)"]
)
def test_what_no_rule_knows_is_not_derived(text):
    with pytest.raises(UnderivableError):
        derivative(text, "p")


SCRIPT = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(24, 3))
Y = np.sin(X.sum(axis=1, keepdims=True))
W1 = rng.normal(size=(3, 5)) * 0.5
b1 = np.zeros(5)
W2 = rng.normal(size=(5, 1)) * 0.5
b2 = np.zeros(1)


def forward(x):
    z = x @ W1 + b1
    h = np.tanh(z)
    return h, h @ W2 + {bias}


def loss(x, y):
    return np.mean((forward(x)[1] - y) ** 2)


def backward(x, y):
    h, out = forward(x)
    d = 2 * (out - y) / len(x)
    dh = {dh}
    return {{"W1": x.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ d, "b2": {db2}}}


for step in range(30):
    grads = backward(X, Y)
    W1 -= 0.1 * grads["W1"]
    b1 -= 0.1 * grads["b1"]
    W2 -= 0.1 * grads["W2"]
    b2 -= 0.1 * grads["b2"]
    print(loss(X, Y))
"""
NONSENSE = "np.cumsum(h, axis=1) - x.sum()"
RIGHT = "d @ W2.T * (1 - h ** 2)"


@pytest.mark.usefixtures("forked")
def test_a_line_that_no_edit_mends_is_derived_and_verified(tmp_path):
    result = check(tmp_path, SCRIPT.format(bias="b2", dh=NONSENSE, db2="d.sum(axis=0)"))
    assert verdicts(result) == {"W1": "mismatch", "b1": "mismatch", "W2": "match", "b2": "match"}
    (finding,) = result.findings
    assert (finding.code, finding.confidence.value) == ("GC290", "verified")
    assert [(edit.old.strip(), edit.new.strip()) for edit in finding.fix.edits] == [
        (f"dh = {NONSENSE}", f"dh = {RIGHT}")
    ]
    after = SCRIPT.format(bias="b2", dh=RIGHT, db2="d.sum(axis=0)")
    assert set(verdicts(check(tmp_path, after)).values()) == {"match"}


@pytest.mark.usefixtures("forked")
def test_a_formula_beside_what_stays_wrong_is_likely_and_no_fix(tmp_path):
    bias = "np.linalg.norm(b2 + 1) * b2"
    result = check(tmp_path, SCRIPT.format(bias=bias, dh=NONSENSE, db2="np.cumsum(d)[3:4] ** 2"))
    assert result.mismatching == ("W1", "b1", "b2")
    first, *others = result.findings
    assert (first.confidence.value, first.fix) == ("likely", None)
    assert (
        first.message == f"`dh` is computed with `{NONSENSE}`, where `{RIGHT}` belongs (derived from the forward pass)"
    )
    assert {finding.confidence.value for finding in others} == {"possible"}
    assert all(finding.parameters == ("b2",) for finding in others)


@pytest.mark.usefixtures("forked")
def test_a_right_line_is_not_derived_anew(tmp_path):
    result = check(tmp_path, SCRIPT.format(bias="b2", dh=RIGHT, db2="d.sum(axis=0)"))
    assert (result.verdict, result.findings) == ("match", ())
