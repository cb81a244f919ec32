"""A loss that is added up over samples, and a gradient that has to be; parameters that grow by broadcasting."""

from __future__ import annotations

import pytest

from script_runs import check, check_only, verdicts

HEAD = """
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(20, 3))
y = (X @ np.array([1.0, -2.0, 0.5]) > 0).astype(float)
"""

FUNCTION = """

def loss_and_grad(w):
    loss = 0.0
    grad = np.zeros_like(w)
    for x, target in zip(X, y):
        p = 1 / (1 + np.exp(-x @ w))
        loss += -(target * np.log(p) + (1 - target) * np.log(1 - p))
        grad {sign} (p - target) * x
    return loss / len(X), grad / len(X)


w = np.zeros(3)
for step in range(50):
    loss, grad = loss_and_grad(w)
    w = w - 0.5 * grad
"""

LOOP = """
w = np.zeros(3)
for step in range(50):
    loss = 0.0
    grad = np.zeros_like(w)
    for x, target in zip(X, y):
        p = 1 / (1 + np.exp(-x @ w))
        loss += -(target * np.log(p) + (1 - target) * np.log(1 - p))
        grad {sign} (p - target) * x
    w = w - 0.5 * grad / len(X)
    print(loss)
"""

SAMPLES = """

def cost(p, target):
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


w = np.zeros(3)
for epoch in range(10):
    loss = 0.0
    for x, target in zip(X, y):
        p = 1 / (1 + np.exp(-(x @ w)))
        loss += cost(p, target)
        w = w - 0.5 * (p - target) * x
"""

BIAS = """
targets = np.sin(X.sum(axis=1, keepdims=True)) * np.ones((1, 4))
weights = rng.normal(size=(3, 4)) * 0.3
bias = np.zeros(4)
for epoch in range(30):
    out = np.tanh(X @ weights + bias)
    loss = np.mean((out - targets) ** 2)
    delta = 2 * (out - targets) / out.size * (1 - out**2)
    weights = weights - 0.3 * (X.T @ delta)
    bias = bias - 0.3 * {gradient}
    print(loss)
"""


@pytest.mark.parametrize("script", [FUNCTION, LOOP])
def test_a_gradient_that_is_added_up_matches_the_total(tmp_path, script):
    assert check_only(tmp_path, HEAD + script.format(sign="+=")).verdict == "match"


@pytest.mark.parametrize("script", [FUNCTION, LOOP])
def test_a_gradient_of_the_last_sample_is_not_that_of_the_total(tmp_path, script):
    result = check(tmp_path, HEAD + script.format(sign="="))
    assert result.verdict == "mismatch"
    (finding,) = result.findings
    assert finding.code == "GC223"
    assert finding.message == "`grad` is computed with `=`, where `+=` belongs"
    assert [(edit.old.strip()[:7], edit.new.strip()[:8]) for edit in finding.fix.edits] == [("grad = ", "grad += ")]


def test_a_step_after_each_sample_is_along_the_gradient_of_that_sample(tmp_path):
    assert check_only(tmp_path, HEAD + SAMPLES).verdict == "match"


def test_a_bias_that_keeps_its_shape_matches(tmp_path):
    assert check_only(tmp_path, HEAD + BIAS.format(gradient="delta.sum(axis=0)")).verdict == "match"


def test_a_bias_that_grows_has_a_wrong_gradient(tmp_path):
    result = check(tmp_path, HEAD + BIAS.format(gradient="delta"))
    assert result.mismatching == ("bias",)
    assert result.check.parameters[1].shape == (4,)
    assert any("`bias` grows from 4 to 20 x 4" in note for note in result.notes)
    (finding,) = result.findings
    assert finding.code == "GC216"
    assert finding.fix.verified


SIGNS = """
t = np.sin(X.sum(axis=1, keepdims=True))
W1 = rng.normal(size=(3, 5)) * 0.5
b1 = np.zeros(5)
W2 = rng.normal(size=(5, 1)) * 0.5
for epoch in range(30):
    h = np.tanh(X @ W1 + b1)
    out = h @ W2
    loss = np.mean((out - t) ** 2)
    d_out = 2 * (out - t) / len(X)
    dW2 = h.T @ d_out
    dh = d_out @ W2.T * (1 - h ** 2)
    dW1 = {dW1}
    db1 = {db1}
    W2 -= 0.2 * dW2
    W1 {sign}= 0.2 * dW1
    b1 -= 0.2 * db1
    print(loss)
"""


@pytest.mark.parametrize(("gradient", "sign"), [("X.T @ dh", "-"), ("-X.T @ dh", "+")])
def test_a_step_down_the_gradient_matches_with_either_sign(tmp_path, gradient, sign):
    result = check_only(tmp_path, HEAD + SIGNS.format(dW1=gradient, db1="dh.sum(axis=0)", sign=sign))
    assert result.verdict == "match"
    assert any("the sign is turned" in note for note in result.notes) == (sign == "+")


@pytest.mark.parametrize(("gradient", "sign"), [("X.T @ dh", "+"), ("-X.T @ dh", "-")])
def test_a_step_up_the_gradient_of_one_parameter_is_wrong(tmp_path, gradient, sign):
    result = check(tmp_path, HEAD + SIGNS.format(dW1=gradient, db1="dh.sum(axis=0)", sign=sign))
    assert result.mismatching == ("W1",)
    assert [finding.code for finding in result.findings] == ["GC214"]
    assert result.findings[0].fix.verified


def test_a_bias_gradient_that_is_one_number_is_mended(tmp_path):
    result = check(tmp_path, HEAD + SIGNS.format(dW1="X.T @ dh", db1="np.sum(dh)", sign="-"))
    assert result.mismatching == ("b1",)
    (finding,) = result.findings
    assert finding.code == "GC216"
    assert finding.fix.edits[0].new.strip() == "db1 = np.sum(dh, axis=0)"


MOMENTS = """
import numpy as np
rng = np.random.default_rng(7)
X, T = rng.normal(size=(15, 3)), np.eye(2)[rng.integers(0, 2, 15)]
def cross_entropy_error(y, t):
    return -np.sum(t * np.log(np.abs(y) + 1e-7)) / len(y)
class Net:
    def __init__(self):
        self.params, self.grads = [rng.normal(size=(3, 4)), rng.normal(size=(4, 2))], [None, None]
    def forward(self, x, t):
        self.x, self.t, self.h = x, t, np.tanh(x @ self.params[0])
        z = np.exp(self.h @ self.params[1])
        self.y = z / z.sum(axis=1, keepdims=True)
        return cross_entropy_error(self.y, t)
    def backward(self):
        d = (self.y - self.t) / len(self.t)
        self.grads[1] = self.h.T @ d
        self.grads[0] = self.x.T @ (d @ self.params[1].T * (1 - self.h ** 2)) FACTOR
class Adam:
    def __init__(self):
        self.m, self.v, self.n = None, None, 0
    def update(self, params, grads):
        if self.m is None:
            self.m, self.v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
        self.n += 1
        rate = 0.01 * np.sqrt(1 - 0.999 ** self.n) / (1 - 0.9 ** self.n)
        for i in range(len(params)):
            self.m[i] += (1 - 0.9) * (grads[i] - self.m[i])
            self.v[i] += (1 - 0.999) * (grads[i] ** 2 - self.v[i])
            params[i] -= rate * self.m[i] / (np.sqrt(self.v[i]) + 1e-7)
net, adam = Net(), Adam()
for epoch in range(20):
    loss = net.forward(X, T)
    net.backward()
    adam.update(net.params, net.grads)
    print(loss)
"""


@pytest.mark.parametrize(("factor", "verdict"), [("", "match"), ("* 1.5", "mismatch")])
def test_moments_are_no_parameters(tmp_path, factor, verdict):
    result = check_only(tmp_path, MOMENTS.replace("FACTOR", factor))
    assert list(verdicts(result).values()).count(verdict) == (2 if verdict == "match" else 1)
    assert result.unchecked == ()
