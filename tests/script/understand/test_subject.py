"""From a script to a verdict: planted mistakes are found, and correct code passes, in many styles."""

from __future__ import annotations

from textwrap import dedent

import pytest

from script_runs import check_only as check
from script_runs import verdicts
from small_scripts import PAIRS

DATA = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3))
Y = rng.normal(size=20)
"""


def case(name, value, reason):
    return pytest.param(value, id=name, marks=[pytest.mark.xfail(strict=True, reason=reason)] if reason else [])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_correct_script_matches_in_every_parameter(tmp_path, pair):
    found = verdicts(check(tmp_path, pair.correct))
    assert found == dict.fromkeys(pair.wrong | pair.right, "match")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_planted_mistake_is_found_in_its_parameters_only(tmp_path, pair):
    found = verdicts(check(tmp_path, pair.planted))
    assert found == dict.fromkeys(pair.wrong, "mismatch") | dict.fromkeys(pair.right, "match")


CORRECT = {
    "history-and-counters": """
class Trainer:
    def __init__(self):
        self.w, self.v, self.steps, self.history = np.zeros(3), np.zeros(3), 0, []
    def loss(self, X, Y):
        return np.mean((X @ self.w - Y) ** 2)
    def gradient(self, X, Y):
        self.steps += 1
        self.history.append(self.loss(X, Y))
        return 2 * X.T @ (X @ self.w - Y) / len(Y)
    def fit(self, X, Y):
        for _ in range(50):
            dw = self.gradient(X, Y)
            self.v = 0.9 * self.v + dw
            self.w -= 0.05 * self.v
        return self
print(Trainer().fit(X, Y).history[-1])
""",
    "own-numerical-check": """
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def gradient(w):
    return 2 * X.T @ (X @ w - Y) / len(Y)
def numerical_gradient(f, w, eps=1e-6):
    return np.array([(f(w + eps * e) - f(w - eps * e)) / (2 * eps) for e in np.eye(3)])
w = rng.normal(size=3)
print(np.max(np.abs(gradient(w) - numerical_gradient(loss, w))))
for i in range(30):
    w -= 0.1 * gradient(w)
""",
    "loss-on-validation-data": """
Xval, Yval = rng.normal(size=(10, 3)), rng.normal(size=10)
def loss(w, X, Y):
    return np.mean((X @ w - Y) ** 2)
def gradient(w, X, Y):
    return 2 * X.T @ (X @ w - Y) / len(Y)
w = rng.normal(size=3)
for i in range(30):
    w -= 0.1 * gradient(w, X, Y)
    print(loss(w, Xval, Yval))
""",
    "two-metrics-one-loss": """
t = (Y > 0) * 1.0
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def mse(w):
    return np.mean((sigmoid(X @ w) - t) ** 2)
def cross_entropy(w):
    return -np.mean(t * np.log(sigmoid(X @ w)) + (1 - t) * np.log(1 - sigmoid(X @ w)))
def gradient(w):
    return X.T @ (sigmoid(X @ w) - t) / len(t)
w = np.zeros(3)
for i in range(30):
    w -= 0.5 * gradient(w)
print(mse(w), cross_entropy(w))
""",
    "penalty-added-by-the-caller": """
def data_loss(w):
    return np.mean((X @ w - Y) ** 2)
def total_loss(w):
    return data_loss(w) + 0.1 * np.sum(w ** 2)
def gradient(w):
    return 2 * X.T @ (X @ w - Y) / len(Y)
w = rng.normal(size=3)
for i in range(30):
    dw = gradient(w) + 0.2 * w
    w -= 0.1 * dw
print(total_loss(w))
""",
    "relu-with-zero-biases-on-xor": """
A = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
t = np.array([[0.0], [1], [1], [0]])
W1, b1, W2, b2 = rng.normal(size=(2, 8)), np.zeros((1, 8)), rng.normal(size=(8, 1)), np.zeros((1, 1))
def forward(A):
    Z = A @ W1 + b1
    H = np.maximum(0, Z)
    return Z, H, H @ W2 + b2
def loss(A, t):
    return 0.5 * np.sum((forward(A)[2] - t) ** 2)
def backward(A, t):
    Z, H, P = forward(A)
    d2 = P - t
    d1 = d2 @ W2.T * (Z > 0)
    return A.T @ d1, d1.sum(axis=0, keepdims=True), H.T @ d2, d2.sum(axis=0, keepdims=True)
for i in range(100):
    dW1, db1, dW2, db2 = backward(A, t)
    W1 -= 0.05 * dW1
    b1 -= 0.05 * db1
    W2 -= 0.05 * dW2
    b2 -= 0.05 * db2
print(loss(A, t))
""",
    "hinge-loss-from-zero-weights": """
t = rng.integers(0, 3, 20)
def svm_loss(W):
    S = X @ W
    M = np.maximum(0, S - S[np.arange(20), t][:, None] + 1)
    M[np.arange(20), t] = 0
    loss = M.sum() / 20 + 0.01 * np.abs(W).sum()
    G = (M > 0).astype(float)
    G[np.arange(20), t] = -G.sum(axis=1)
    dW = X.T @ G / 20 + 0.01 * np.sign(W)
    return loss, dW
W = np.zeros((3, 3))
for i in range(100):
    loss, dW = svm_loss(W)
    W -= 0.1 * dW
print(loss)
""",
    "file-and-lock-in-the-network": """
import tempfile, threading
class Net:
    def __init__(self):
        self.w, self.log, self.lock = np.zeros(3), tempfile.TemporaryFile("w"), threading.Lock()
    def loss(self, X, Y):
        return np.mean((X @ self.w - Y) ** 2)
    def gradient(self, X, Y):
        with self.lock:
            self.log.write("called")
            return 2 * X.T @ (X @ self.w - Y) / len(Y)
net = Net()
for i in range(30):
    dw = net.gradient(X, Y)
    net.w -= 0.1 * dw
print(net.loss(X, Y))
""",
    "batches-from-a-generator-by-next": """
def batches():
    while True:
        rows = rng.choice(20, 5)
        yield X[rows], Y[rows]
def forward(w, x):
    return x @ w
def loss_of(p, y):
    return np.mean((p - y) ** 2)
def backward(p, x, y):
    return 2 * x.T @ (p - y) / len(y)
w, stream = np.zeros(3), batches()
for i in range(40):
    x, y = next(stream)
    p = forward(w, x)
    loss = loss_of(p, y)
    grad_w = backward(p, x, y)
    w -= 0.1 * grad_w
print(loss)
""",
    "dataclasses": """
from dataclasses import dataclass
@dataclass
class Weights:
    W: np.ndarray
    b: float
def loss(p, X, Y):
    return np.mean((X @ p.W + p.b - Y) ** 2)
def gradients(p, X, Y):
    R = 2 * (X @ p.W + p.b - Y) / len(Y)
    return Weights(X.T @ R, R.sum())
p = Weights(np.zeros(3), 0.0)
for i in range(30):
    g = gradients(p, X, Y)
    p.W = p.W - 0.1 * g.W
    p.b = p.b - 0.1 * g.b
print(loss(p, X, Y))
""",
    "keyword-only-penalty": """
def loss(w, *, reg=0.0):
    return np.mean((X @ w - Y) ** 2) + reg * np.sum(w ** 2)
def gradient(w, *, reg=0.0):
    dw = 2 * X.T @ (X @ w - Y) / len(Y) + 2 * reg * w
    return dw
w = rng.normal(size=3)
for i in range(20):
    dw = gradient(w, reg=0.3)
    w -= 0.1 * dw
print(loss(w), loss(w, reg=0.3))
""",
    "dead-units-and-zero-gradients": """
W1, W2 = -np.abs(rng.normal(size=(3, 4))), rng.normal(size=4)
A = np.abs(X)
def loss(W1, W2):
    return np.mean((np.maximum(A @ W1, 0) @ W2 - Y) ** 2)
def gradients(W1, W2):
    H = np.maximum(A @ W1, 0)
    R = 2 * (H @ W2 - Y) / len(Y)
    return A.T @ (np.outer(R, W2) * (H > 0)), H.T @ R
for i in range(10):
    dW1, dW2 = gradients(W1, W2)
    W1 -= 0.1 * dW1
    W2 -= 0.1 * dW2
print(loss(W1, W2))
""",
    "tiny-loss": """
def loss(w):
    return 1e-12 * np.mean((X @ w - Y) ** 2)
def gradient(w):
    return 2e-12 * X.T @ (X @ w - Y) / len(Y)
w = np.zeros(3)
for i in range(10):
    w = w - 1e10 * gradient(w)
print(loss(w))
""",
    "huge-loss": """
def loss(w):
    return 1e12 * np.mean((X @ w - Y) ** 2)
def gradient(w):
    return 2e12 * X.T @ (X @ w - Y) / len(Y)
w = np.zeros(3)
for i in range(10):
    w = w - 1e-14 * gradient(w)
print(loss(w))
""",
    "already-at-the-optimum": """
best = rng.normal(size=3)
Y = X @ best
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def gradient(w):
    return 2 * X.T @ (X @ w - Y) / len(Y)
w = best.copy()
for i in range(10):
    w -= 0.1 * gradient(w)
print(loss(w))
""",
    "gradient-of-one-sample-and-total-loss": """
def predict(x, w, b):
    return x @ w + b
def total_loss(w, b):
    return np.mean([(predict(x, w, b) - y) ** 2 for x, y in zip(X, Y)])
def backward(x, y, w, b):
    e = predict(x, w, b) - y
    return 2 * e * x, 2 * e
w, b = np.zeros(3), 0.0
for epoch in range(5):
    for x, y in zip(X, Y):
        dw, db = backward(x, y, w, b)
        w -= 0.05 * dw
        b -= 0.05 * db
    print(total_loss(w, b))
""",
    "running-mean-of-the-loss": """
W = np.zeros(3)
def forward(x):
    return x @ W
def backward(x, p, y):
    return 2 * (p - y) * x
for epoch in range(5):
    loss = 0
    for x, y in zip(X, Y):
        p = forward(x)
        loss = loss + (p - y) ** 2 / len(X)
        dW = backward(x, p, y)
        W -= 0.01 * dW
    print(loss)
""",
    "smoothed-loss": """
W, smooth_loss = np.zeros(3), 0.0
def forward(x):
    return x @ W
def backward(x, p, y):
    return 2 * (p - y) * x
for epoch in range(5):
    for x, y in zip(X, Y):
        p = forward(x)
        smooth_loss = 0.9 * smooth_loss + 0.1 * (p - y) ** 2
        dW = backward(x, p, y)
        W -= 0.01 * dW
    print(smooth_loss)
""",
    "metric-only": """
def predict(w):
    return X @ w
def rmse(w):
    return np.sqrt(np.mean((predict(w) - Y) ** 2))
def gradient(w):
    return 2 * X.T @ (predict(w) - Y) / len(Y)
w = rng.normal(size=3)
for i in range(30):
    w -= 0.1 * gradient(w)
print(rmse(w))
""",
    "clipped-gradient": """
def loss(w):
    return np.mean((30 * X @ w - Y) ** 2)
def gradient(w):
    dw = 60 * X.T @ (30 * X @ w - Y) / len(Y)
    return np.clip(dw, -1, 1)
w = rng.normal(size=3)
for i in range(50):
    w -= 0.01 * gradient(w)
print(loss(w))
""",
    "rounded-loss": """
def loss(w):
    return round(float(np.mean((X @ w - Y) ** 2)), 4)
def gradient(w):
    return 2 * X.T @ (X @ w - Y) / len(Y)
w = np.zeros(3)
for i in range(10):
    w = w - 0.1 * gradient(w)
print(loss(w))
""",
    "script-that-changes-its-generator-state": """
def loss(w, rows):
    return np.mean((X[rows] @ w - Y[rows]) ** 2)
def step(w):
    rows = rng.permutation(20)[:8]
    value = loss(w, rows)
    grad_w = 2 * X[rows].T @ (X[rows] @ w - Y[rows]) / 8
    return value, grad_w
w = np.zeros(3)
for i in range(30):
    value, grad_w = step(w)
    w -= 0.1 * grad_w
print(value)
""",
    "parameters-changed-inside-the-backward-function": """
class Net:
    def __init__(self):
        self.w = np.zeros(3)
    def loss(self):
        return np.mean((X @ self.w - Y) ** 2)
    def backward(self, lr):
        dw = 2 * X.T @ (X @ self.w - Y) / len(Y)
        loss = self.loss()
        self.w -= lr * dw
        return loss, dw
net = Net()
for i in range(10):
    loss, dw = net.backward(0.1)
print(loss)
""",
}


@pytest.mark.parametrize("text", [case(name, text, "") for name, text in CORRECT.items()])
def test_correct_code_is_never_a_mismatch(tmp_path, text):
    assert check(tmp_path, DATA + text).verdict != "mismatch"


NEGATIVE_STEPS = """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def deltas(w, b):
    R = 2 * (Y - X @ w - b) / len(Y)
    delta_w = X.T @ R
    delta_b = R.sum()
    return delta_w, delta_b
w, b = np.zeros(3), 0.0
for i in range(20):
    delta_w, delta_b = deltas(w, b)
"""
ADDED = {
    "plain": "    w = w + 0.1 * delta_w\n    b = b + 0.1 * delta_b\n",
    "momentum": "    v = (0.5 * v if i else 0) + 0.1 * delta_w\n    w = w + v\n    b = b + 0.1 * delta_b\n",
    "other-order": "    w = np.add(w, 0.1 * delta_w)\n    b = 0.1 * delta_b + b\n",
    "slice": "    w[:] = w + 0.1 * delta_w\n    b = b - -0.1 * delta_b\n",
    "negative-rate": "    lr = -0.1\n    w = w - lr * delta_w\n    b = b - lr * delta_b\n",
    "loop-over-parameters": "    w, b = (p + 0.1 * d for p, d in zip((w, b), (delta_w, delta_b)))\n",
    "helper": "    w, b = (lambda p, d: p + 0.1 * d)(w, delta_w), (lambda p, d: p + 0.1 * d)(b, delta_b)\n",
}


@pytest.mark.parametrize(
    "update",
    [case(name, text, "") for name, text in ADDED.items()],
)
def test_negative_gradients_that_are_added_are_right_however_the_addition_is_written(tmp_path, update):
    """The parameters move along what the function returns, and the loss falls."""
    assert check(tmp_path, DATA + NEGATIVE_STEPS + update + "print(loss(w, b))\n").verdict != "mismatch"


WRONG = {
    "one-method-called-for-two-layers": """
class Linear:
    def __init__(self, n, m):
        self.W = rng.normal(size=(n, m))
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, dout):
        return self.x.T @ dout, dout @ self.W.T
def loss_of(p, t):
    return np.mean((p - t) ** 2)
first, second, T = Linear(3, 4), Linear(4, 2), rng.normal(size=(20, 2))
for i in range(5):
    out = second.forward(np.tanh(first.forward(X)))
    loss = loss_of(out, T)
    dW2, dh = second.backward(2 * (out - T) / T.size)
    dW1, _ = first.backward(dh)
    first.W -= 0.01 * dW1
    second.W -= 0.01 * dW2
""",
    "a-number-that-is-no-rate": """
def loss(w):
    p = np.clip(X @ w, -1e9, 1e9)
    return np.mean((p - Y) ** 2)
def gradient(w):
    p = np.clip(X @ w, -0.5e9, 1e9)
    r = np.clip(p - Y, -1e-3 * 1e9, 1e9)
    return 2 * X.T @ r
w = np.zeros(3)
for i in range(5):
    dw = gradient(w)
    w = w - dw
print(loss(w))
""",
    "a-hyperparameter-with-the-name-of-a-rate": """
from scipy.optimize import fmin_bfgs
gamma = 0.5
def loss(w):
    return gamma * np.mean((X @ w - Y) ** 2)
def loss_grad(w):
    return gamma ** 2 * 2 * X.T @ (X @ w - Y) / len(Y)
fmin_bfgs(loss, np.zeros(3), fprime=loss_grad, disp=False, maxiter=5)
""",
    "one-of-two-with-its-rate-right": """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def deltas(w, b):
    r = X @ w + b - Y
    dw = 0.05 * X.T @ r
    db = 0.05 * 2 * np.mean(r)
    return dw, db
w, b = np.zeros(3), 0.0
for i in range(5):
    dw, db = deltas(w, b)
    w = w - dw
    b = b - db
print(loss(w, b))
""",
    "missing-factor-where-the-step-is-bare": """
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def gradient(w):
    return 1.3 * X.T @ (X @ w - Y) / len(Y)
w = np.zeros(3)
for i in range(20):
    dw = gradient(w)
    w -= dw
print(loss(w))
""",
    "reversed-sign-in-scipy-style": """
def fun(w):
    return np.mean((X @ w - Y) ** 2)
def jac(w):
    return -2 * X.T @ (X @ w - Y) / len(Y)
w = np.zeros(3)
for i in range(20):
    w = w - 0.01 * jac(w)
print(fun(w))
""",
    "reversed-signs-handed-to-an-update-function": """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def gradients(w, b):
    R = Y - (X @ w + b)
    return {"dw": 2 * X.T @ R / len(Y), "db": 2 * np.mean(R)}
def update(w, b, grads, lr):
    return w - lr * grads["dw"], b - lr * grads["db"]
w, b = np.zeros(3), 0.0
for i in range(30):
    grads = gradients(w, b)
    w, b = update(w, b, grads, 0.1)
print(loss(w, b))
""",
    "reversed-signs-with-the-rate-folded-in": """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def gradients(w, b):
    R = 2 * (Y - (X @ w + b)) / len(Y)
    return 0.1 * X.T @ R, 0.1 * R.sum()
w, b = np.zeros(3), 0.0
for i in range(20):
    dw, db = gradients(w, b)
    w = w - dw
    b = b - db
print(loss(w, b))
""",
    "one-of-two-updates-goes-the-wrong-way": """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def gradients(w, b):
    R = 2 * (Y - (X @ w + b)) / len(Y)
    return X.T @ R, R.sum()
w, b = np.zeros(3), 0.0
for i in range(20):
    dw, db = gradients(w, b)
    w = w + 0.1 * dw
    b = b - 0.1 * db
print(loss(w, b))
""",
    "a-factor-that-happens-to-be-a-step-size": """
alpha = 0.5
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def gradient(w):
    dw = 1.3 * X.T @ (X @ w - Y) / len(Y) + 0 * alpha * w
    return dw
w = np.zeros(3)
for i in range(20):
    dw = gradient(w)
    w -= 0.1 * dw
print(loss(w))
""",
    "half-with-the-rate-in-the-update": """
lr = 0.1
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def gradient(w):
    dw = 1.3 * X.T @ (X @ w - Y) / len(Y)
    return dw
w = np.zeros(3)
for i in range(20):
    dw = gradient(w)
    w -= lr * dw
print(loss(w))
""",
    "everything-wrong-but-the-step": """
lr = 0.1
def loss(w, b):
    return np.mean((np.tanh(X @ w + b) - Y) ** 2)
def backward(w, b):
    P = np.tanh(X @ w + b)
    D = 2 * (P - Y) / len(Y) * P
    return lr * X.T @ D, lr * D.sum()
w, b = np.zeros(3) + 0.1, 0.2
for i in range(20):
    delta_w, delta_b = backward(w, b)
    w -= delta_w
    b -= delta_b
print(loss(w, b))
""",
    "wrong-only-away-from-zero-biases": """
def loss(w, b):
    return np.mean((X @ w + b ** 2 - Y) ** 2)
def gradients(w, b):
    R = 2 * (X @ w + b ** 2 - Y) / len(Y)
    return X.T @ R, 0 * R.sum() * b
w, b = np.zeros(3), 0.0
for i in range(20):
    dw, db = gradients(w, b)
    w -= 0.1 * dw
    b -= 0.1 * db
print(loss(w, b))
""",
    "wrong-in-one-entry-of-many": """
W = rng.normal(size=(3, 30))
T = rng.normal(size=(20, 30))
def loss(W):
    return np.mean((X @ W - T) ** 2)
def gradient(W):
    dW = 2 * X.T @ (X @ W - T) / T.size
    dW[1, 17] *= 1.001
    return dW
for i in range(10):
    dW = gradient(W)
    W -= 0.1 * dW
print(loss(W))
""",
    "second-gradient-of-a-tuple-of-parameters": """
def loss(params):
    w, b = params
    return np.mean((X @ w + b - Y) ** 2)
def grad(params):
    w, b = params
    R = 2 * (X @ w + b - Y) / len(Y)
    return X.T @ R, 3 * R.sum()
params = (rng.normal(size=3), 0.0)
for i in range(20):
    gw, gb = grad(params)
    params = (params[0] - 0.1 * gw, params[1] - 0.1 * gb)
print(loss(params))
""",
    "layers-that-keep-their-gradients": """
class Linear:
    def __init__(self, n, m):
        self.W = rng.normal(size=(n, m))
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, dout):
        self.dW = 3 * self.x.T @ dout
        return dout @ self.W.T
def mse(p, y):
    return np.mean((p - y) ** 2)
def mse_grad(p, y):
    return 2 * (p - y) / y.size
layers, T = [Linear(3, 5), Linear(5, 2)], rng.normal(size=(20, 2))
for i in range(50):
    out = X
    for layer in layers:
        out = layer.forward(out)
    loss = mse(out, T)
    grad = mse_grad(out, T)
    for layer in reversed(layers):
        grad = layer.backward(grad)
    for layer in layers:
        layer.W -= 0.01 * layer.dW
print(loss)
""",
}


@pytest.mark.parametrize("text", [case(name, text, "") for name, text in WRONG.items()])
def test_wrong_code_is_never_a_match(tmp_path, text):
    result = check(tmp_path, DATA + text)
    assert result.verdict != "match"
    assert result.error is None or result.error.slug != "internal", result.error.message


LINEAR = (
    DATA
    + """
def loss(w):
    return np.mean((X @ w - Y) ** 2)
def other_loss(w):
    return 3 * np.mean((X @ w - Y) ** 2)
def gradient(w):
    dw = {gradient}
    return dw
w = np.zeros(3)
for i in range(10):
    dw = gradient(w)
    w -= 0.1 * {applied}
print(loss(w), other_loss(w))
"""
)
RIGHT = "2 * X.T @ (X @ w - Y) / len(Y)"
WITHOUT_LOSS = (
    DATA
    + """
def gradient(w):
    dw = X.T @ np.cos(X @ w)
    return dw
w = np.zeros(3)
for i in range(10):
    dw = gradient(w)
    w -= 0.01 * dw
"""
)


def linear(gradient=RIGHT, applied="dw"):
    return LINEAR.replace("{gradient}", gradient).replace("{applied}", applied)


UNUSUAL = (
    DATA
    + """
def loss(w, b):
    return np.mean((X @ w + b - Y) ** 2)
def gradients(w, b):
    r = 2 * (X @ w + b - Y) / len(Y)
    dw, other = X.T @ r, 0.5 * r.sum()
    return dw, other
def nudged(value, by):
    return value - 0.1 * by
w, b = np.zeros(3), 0.0
for i in range(5):
    dw, change = gradients(w, b)
    w = w - 0.1 * dw
    b = nudged(b, change)
"""
)
SWAPPED = (
    DATA
    + """
def loss(w, v):
    return np.mean((X @ w + 2 * X @ v - Y) ** 2)
def gradients(w, v):
    r = 2 * (X @ w + 2 * X @ v - Y) / len(Y)
    dw, dv = X.T @ r, 2 * X.T @ r
    return dv, dw
w, v = np.zeros(3), np.zeros(3)
for i in range(5):
    dw, dv = gradients(w, v)
    w = w - 0.05 * dw
    v = v - 0.05 * dv
"""
)


def test_gradients_that_the_caller_takes_in_another_order_are_both_wrong(tmp_path):
    assert verdicts(check(tmp_path, SWAPPED)) == {"w": "mismatch", "v": "mismatch"}


@pytest.mark.parametrize(("factor", "verdict"), [("0.5", "mismatch"), ("1", "match")])
def test_what_a_parameter_is_moved_along_is_its_gradient_whatever_it_is_called(tmp_path, factor, verdict):
    text = UNUSUAL.replace("0.5 * r.sum()", f"{factor} * r.sum()")
    assert verdicts(check(tmp_path, text)) == {"w": "match", "b": verdict}


def test_what_is_returned_and_not_checked_is_told(tmp_path):
    result = check(tmp_path, UNUSUAL.replace("    b = nudged(b, change)\n", ""))
    assert verdicts(result) == {"w": "match"}
    assert any("not checked: `change`" in note for note in result.notes)


def test_parameters_that_were_named_are_paired_in_order(tmp_path):
    result = check(tmp_path, UNUSUAL, backward="gradients", params=("w", "b"))
    assert verdicts(result) == {"w": "match", "b": "mismatch"}


def test_a_value_beside_a_gradient_is_passed_over_when_parameters_are_named(tmp_path):
    text = (
        "def objective(th):\n    R = X @ th - Y\n    return np.mean(R ** 2), 2 * X.T @ R / len(Y)\n"
        "th = np.zeros(3)\nfor i in range(3):\n    out = objective(th)\n    th = np.subtract(th, 0.1 * out[1])\n"
    )
    assert verdicts(check(tmp_path, DATA + text, backward="objective", params=("th",))) == {"th": "match"}


def test_a_loss_can_be_named(tmp_path):
    assert check(tmp_path, linear(), loss="loss", isolated=True).verdict == "match"
    assert check(tmp_path, linear(), loss="other_loss").verdict == "mismatch"


def test_a_loss_can_be_an_expression(tmp_path):
    assert check(tmp_path, linear(), loss="np.mean((X @ w - Y) ** 2)").verdict == "match"


def test_a_comment_in_the_script_names_the_loss_and_a_flag_wins_over_it(tmp_path):
    text = "# gradcheck: loss=other_loss\n" + linear()
    assert check(tmp_path, text).verdict == "mismatch"
    assert check(tmp_path, text, loss="loss").verdict == "match"


def test_parameters_can_be_narrowed(tmp_path):
    (pair,) = (pair for pair in PAIRS if pair.name == "positional-parameters")
    assert set(verdicts(check(tmp_path, pair.planted, params=("W2", "b2")))) == {"W2", "b2"}
    assert check(tmp_path, "# gradcheck: params=W2,b2\n" + pair.planted).verdict == "match"


def test_two_models_are_both_checked(tmp_path):
    text = (
        DATA
        + """
u, v, Z = np.zeros(3), np.zeros(2), rng.normal(size=(20, 2))
def loss_a(u):
    return np.mean((X @ u - Y) ** 2)
def grad_a(u):
    return 2 * X.T @ (X @ u - Y) / len(Y)
def loss_b(v):
    return np.mean((Z @ v - Y) ** 2)
def grad_b(v):
    return 2 * Z.T @ (Z @ v - Y) / len(Y)
for i in range(20):
    u -= 0.1 * grad_a(u)
    v -= 0.1 * grad_b(v)
"""
    )
    assert verdicts(check(tmp_path, text)) == {"u": "match", "v": "match"}
    wrong = text.replace("2 * Z.T", "3 * Z.T")
    assert verdicts(check(tmp_path, wrong)) == {"u": "match", "v": "mismatch"}
    result = check(tmp_path, text, backward="grad_b")
    assert verdicts(result) == {"v": "match"}
    assert "loss_b" in result.entry_points.loss


@pytest.mark.parametrize(
    ("text", "options", "slug", "said"),
    [
        (WITHOUT_LOSS, {}, "no-loss", "--loss NAME"),
        (linear(), {"backward": "nothing"}, "no-gradient", "nothing"),
        (linear() + "def unused():\n    return 1\n", {"backward": "unused"}, "no-gradient", "was not called"),
        (linear(), {"loss": "nothing"}, "no-loss", "nothing"),
        (linear(), {"loss": "Y"}, "loss-not-scalar", "not a scalar"),
        (linear(), {"params": ("q",)}, "no-gradient", "--params"),
        (linear().replace("np.mean(", "np.log(-1 - w @ w) * np.mean("), {}, "loss-not-finite", "Start from values"),
        ("x = 1\nprint(x)\n", {}, "no-gradient", "found no gradients"),
        (linear("2 * (X @ w - Y)", "dw[:3]"), {}, "bad-input", "(3,), got (20,)"),
    ],
)
def test_what_is_not_understood_is_an_error_that_says_what_to_do(tmp_path, text, options, slug, said):
    result = check(tmp_path, text, **options)
    assert result.verdict == "error"
    assert slug in result.error.slug
    assert said in result.error.message


def test_an_unknown_parameter_is_named_in_the_error(tmp_path):
    message = check(tmp_path, linear(), params=("q",)).error.message
    assert "`q`" in message
    assert "`w`" in message


def test_one_unknown_parameter_beside_known_ones_is_not_dropped_silently(tmp_path):
    result = check(tmp_path, linear(), params=("w", "q"))
    said = [*result.notes, result.error.message if result.error is not None else ""]
    assert any("`q`" in sentence for sentence in said)


def test_a_nan_in_a_gradient_is_a_mismatch_with_its_reason(tmp_path):
    text = linear("np.where(np.arange(3) == 0, np.nan, 2 * X.T @ (X @ w - Y) / len(Y))", "np.nan_to_num(dw)")
    result = check(tmp_path, text, loss="loss")
    (parameter,) = result.parameters
    assert verdicts(result) == {"w": "mismatch"}
    assert parameter.mismatched == 1
    assert parameter.worst_index == (0,)
    assert parameter.reason.value == "non-finite-gradient"
    assert "not finite" in dict(result.signatures)["w"]


def test_a_gradient_that_the_update_transposes_is_seen_as_it_is_applied(tmp_path):
    text = DATA + (
        "T = rng.normal(size=(20, 2))\n"
        "def loss(W): return np.mean((X @ W - T) ** 2)\n"
        "def gradient(W): return {factor} * (X @ W - T).T @ X / T.size\n"
        "W = np.ones((3, 2))\nfor i in range(3):\n    dW = gradient(W)\n    W -= 0.1 * dW.T\n"
    )
    assert verdicts(check(tmp_path, text.replace("{factor}", "2"))) == {"W": "match"}
    assert verdicts(check(tmp_path, text.replace("{factor}", "2.6"))) == {"W": "mismatch"}


def test_gradients_that_cannot_be_repeated_are_an_error_that_says_so(tmp_path):
    text = linear("2 * np.random.default_rng().normal() * X.T @ (X @ w - Y) / len(Y)")
    error = check(tmp_path, text).error
    assert error is not None
    assert "twice" in error.message or "random" in error.message


def test_a_script_that_breaks_off_later_is_checked_with_a_note(tmp_path):
    result = check(tmp_path, linear() + "raise ValueError('late')\n")
    assert result.verdict == "match"
    assert any("ValueError: late" in note for note in result.notes)


def test_the_learning_rate_that_is_divided_out_is_named(tmp_path):
    (pair,) = (pair for pair in PAIRS if pair.name == "learning-rate-folded-in")
    result = check(tmp_path, pair.correct)
    assert any("lr = 0.3" in note for note in result.notes)


def test_the_source_of_a_wrong_gradient_is_its_assignment(tmp_path):
    (pair,) = (pair for pair in PAIRS if pair.name == "learning-rate-folded-in")
    result = check(tmp_path, pair.planted)
    spans = {source.parameter: source.span for source in result.sources}
    assert result.lines[spans["a"].line - 1].strip().startswith("delta_a =")


def test_entry_points_are_told(tmp_path):
    (pair,) = (pair for pair in PAIRS if pair.name == "positional-parameters")
    points = check(tmp_path, pair.correct).entry_points
    assert (points.backward, points.forward) == ("backprop", "forward")
    assert points.parameters == ("W1", "b1", "W2", "b2")
    assert points.loss.startswith("mse(")


def test_the_seed_changes_the_points_and_not_the_verdict(tmp_path):
    one, again, other = (check(tmp_path, linear(), seed=seed) for seed in (0, 0, 1))
    assert one.verdict == other.verdict == "match"
    assert one.parameters[0].numerical.tolist() == again.parameters[0].numerical.tolist()
    assert one.evaluations > 0


@pytest.mark.parametrize("points", [1, 3])
def test_the_number_of_points(tmp_path, points):
    assert check(tmp_path, linear(), points=points).check.points == points


def test_more_points_than_there_are_calls_are_told(tmp_path):
    """A script with one call of its gradient has two points: that one and a perturbed one."""
    text = linear().replace("range(10)", "range(1)")
    assert check(tmp_path, text, points=50).check.points in {2, 50}


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("dw = 2 * X.T @ R\n    return {'dw': dw}", "dw = 2 * X.T @ R"),
        ("grads = {}\n    grads['dw'] = X.T @ R\n    return grads", "grads['dw'] = X.T @ R"),
        ("grads = []\n    grads.append(X.T @ R)\n    return grads[0], 0 * R", "grads.append(X.T @ R)"),
        ("return dict(dw=X.T @ R)", "X.T @ R"),
        ("a = X.T @ R\n    b = a\n    return {'dw': b}", "a = X.T @ R"),
        ("return X.T @ R", "X.T @ R"),
    ],
)
def test_the_place_of_a_wrong_gradient_is_where_it_gets_its_value(tmp_path, body, line):
    text = (
        "def loss(w):\n    return np.mean((X @ w - Y) ** 2)\n"
        f"def gradient(w):\n    R = X @ w - Y\n    {body}\n"
        "w = np.zeros(3)\nfor i in range(3):\n    out = gradient(w)\n    w = w - 0.01\n"
    )
    result = check(tmp_path, DATA + text, backward="gradient", params=("w",))
    (source,) = result.sources
    span = source.span
    assert result.lines[span.line - 1][span.column - 1 : span.end_column - 1] == line


IN_PLACE = (
    DATA
    + """
W, b = rng.normal(size=3), np.zeros(1)
for step in range(30):
    R = X @ W + b - Y
    loss = np.mean(R ** 2)
    W -= 0.1 * 2 * X.T @ R / len(Y)
    b -= 0.1 * 2 * R.mean()
print(loss)
"""
)


@pytest.mark.parametrize("params", [("W",), ("b",), ("W", "b")])
def test_parameters_that_are_moved_in_place_can_be_named(tmp_path, params):
    assert verdicts(check(tmp_path, IN_PLACE, params=params)) == dict.fromkeys(params, "match")


def test_no_parameter_that_is_named_is_left_out_in_place(tmp_path):
    error = check(tmp_path, IN_PLACE, params=("W", "q")).error
    assert error.slug == "no-gradient"
    assert "no gradient of `q` was found (--params); there are gradients of `W`, `b`" in error.message


def test_parameters_of_two_functions_can_be_named_together(tmp_path):
    text = """
    def loss(W, b):
        return np.mean((X @ W + b - Y) ** 2)
    def grad_of_W(W, b):
        dW = 2 * X.T @ (X @ W + b - Y) / len(Y)
        return dW
    def grad_of_b(W, b):
        db = np.mean(X @ W + b - Y)
        return db
    W, b = rng.normal(size=3), 0.5
    for step in range(30):
        dW, db = grad_of_W(W, b), grad_of_b(W, b)
        W -= 0.1 * dW
        b -= 0.1 * db
    """
    assert verdicts(check(tmp_path, DATA + dedent(text), params=("W", "b"))) == {"W": "match", "b": "mismatch"}


def test_a_gradient_of_another_shape_is_told_where_nothing_is_moved(tmp_path):
    text = DATA + (
        "def loss(w): return np.mean((X @ w - Y) ** 2)\n"
        "def gradient(w): return 2 * (X @ w - Y) / len(Y)\n"
        "w = np.ones(3)\ndw = gradient(w)\nprint(loss(w), dw)\n"
    )
    error = check(tmp_path, text).error
    assert error.slug == "bad-input"
    assert "(3,), got (20,)" in error.message


ABSOLUTE_SHOWN = """
import numpy as np
X = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([0.2, 0.9, 0.4])
w = np.array([0.3, -0.2])
for turn in range(50):
    errors = []
    total = np.zeros(2)
    for x, t in zip(X, T):
        y = 1 / (1 + np.exp(-x @ w))
        e = t - y
        errors.append(abs(e))
        total += {error} * y * (1 - y) * x
    w = w + 0.5 * total
    cost = np.mean(errors)
    if turn % 10 == 0:
        print("cost", cost)
"""


def test_absolute_errors_that_are_only_shown_are_no_loss(tmp_path):
    result = check(tmp_path, ABSOLUTE_SHOWN.format(error="e"))
    assert verdicts(result) == {"w": "match"}
    assert any("half the squared error of `t - y`" in note for note in result.notes)


@pytest.mark.parametrize(("error", "verdict"), [("np.sign(e) / 3", "match"), ("np.sign(e) * 0.7", "mismatch")])
def test_absolute_errors_that_are_descended_are_a_loss(error, verdict, tmp_path):
    assert check(tmp_path, ABSOLUTE_SHOWN.format(error=error)).verdict == verdict


TWO_DEPTHS = """
import numpy as np
class Net:
    def __init__(self, sizes):
        rng = np.random.default_rng(0)
        self.weights = [rng.normal(size=shape) for shape in zip(sizes[1:], sizes[:-1])]
    def forward(self, x):
        outs = [x]
        for W in self.weights:
            outs.append(np.tanh(W @ outs[-1]))
        return outs
    def cost(self, x, t):
        return 0.5 * np.sum((self.forward(x)[-1] - t) ** 2)
    def backprop(self, x, t):
        outs = self.forward(x)
        delta = {delta} * (1 - outs[-1] ** 2)
        grads = [None] * len(self.weights)
        for k in range(len(self.weights) - 1, -1, -1):
            grads[k] = np.outer(delta, outs[k])
            delta = self.weights[k].T @ delta * (1 - outs[k] ** 2)
        return grads
    def fit(self, x, t, rounds):
        for _ in range(rounds):
            grads = self.backprop(x, t)
            for k in range(len(self.weights)):
                self.weights[k] = self.weights[k] - 0.1 * grads[k]
deep = Net([2, 4, 3, 1])
deep.fit(np.array([0.5, -0.3]), np.array([0.4]), 3)
flat = Net([2, 1])
flat.fit(np.array([0.5, -0.3]), np.array([0.4]), 9)
print(deep.cost(np.array([0.5, -0.3]), np.array([0.4])))
"""


@pytest.mark.parametrize(("delta", "verdict"), [("(outs[-1] - t)", "match"), ("2 * (outs[-1] - t)", "mismatch")])
def test_a_second_network_of_another_depth_is_no_moment_of_the_first(delta, verdict, tmp_path):
    result = check(tmp_path, TWO_DEPTHS.format(delta=delta), strict=True)
    assert (result.error, result.verdict) == (None, verdict)


LOSS_ONLY = (
    DATA
    + """
class Net:
    def __init__(self):
        self.a, self.c = -0.7, -0.5
        self.v = {}
    def loss_and_grads(self):
        r = self.a * X[:, 0] + self.c - Y
        loss = np.mean(r ** 2)
        self.grad_a, self.grad_c = 2 * np.mean(r * X[:, 0]), FACTOR * np.mean(r)
        return loss
    def move(self, key, value, by):
        self.v[key] = 0.9 * self.v.get(key, 0.0) - 0.1 * by
        return value + self.v[key]
net = Net()
for i in range(20):
    loss = net.loss_and_grads()
    net.a = net.move("a", net.a, net.grad_a)
    net.c = net.move("c", net.c, net.grad_c)
    print(loss)
"""
)


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("-1", "mismatch")])
def test_a_function_that_is_called_after_gradients_may_return_the_loss(tmp_path, factor, verdict):
    found = verdicts(check(tmp_path, LOSS_ONLY.replace("FACTOR", factor), fix=False))
    assert sorted(found.values()) == sorted(["match", verdict])


ALIAS = """
import numpy as np
rng = np.random.default_rng(0)
class Fit:
    def cost(self, X, y, theta):
        return np.mean((X @ theta - y) ** 2) / 2
    def train(self, X, y, rate=0.1):
        theta, least = np.zeros(3), np.inf
        for i in range(30):
            grad = X.T @ (X @ theta - y) / COUNT
            theta -= rate * grad
            value = self.cost(X, y, theta)
            if value < least:
                least, self.best_theta = value, theta
        print(value, self.best_theta)
X = rng.normal(size=(40, 3))
Fit().train(X, X @ np.array([1.0, -2.0, 0.5]) + 0.3)
"""


@pytest.mark.parametrize(("count", "verdict"), [("len(y)", "match"), ("np.arange(1, 4)", "mismatch")])
def test_what_takes_the_steps_is_named_and_not_what_keeps_the_best_of_it(tmp_path, count, verdict):
    assert verdicts(check(tmp_path, ALIAS.replace("COUNT", count))) == {"theta": verdict}


REBOUND = """
import numpy as np
rng = np.random.default_rng(0)
X, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
def cost(X, y, theta):
    return np.sum(X @ theta - y) POWER / (2 * len(y))
def slope(X, y, theta):
    return X.T @ (X @ theta - y) / len(y)
def descend(X, y, theta):
    seen = []
    for turn in range(20):
        for k in range(0, 30, 10):
            theta = theta - 0.1 * slope(X[k : k + 10], y[k : k + 10], theta)
        seen.append(cost(X, y, theta))
    return theta, seen
theta, cost = descend(X, y, np.zeros((2, 1)))
print(theta, cost[-1])
"""


@pytest.mark.parametrize(("right", "verdict"), [(True, "match"), (False, "mismatch")])
def test_a_function_is_what_its_name_meant_then(tmp_path, right, verdict):
    """Its result is given its name: the loss is written down all the same, and the sum in it is squared as a whole."""
    text = REBOUND.replace(
        "np.sum(X @ theta - y) POWER", "np.sum((X @ theta - y) ** 2)" if right else "np.sum(X @ theta - y) ** 2"
    )
    result = check(tmp_path, text)
    assert verdicts(result) == {"theta": verdict}
    assert result.entry_points.loss.startswith("cost(")


SPREAD = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(6, 2))
y = (X[:, 0] > 0).astype(float)
params = {"W": rng.normal(size=(2, 1)), "b": np.zeros((1, 1))}
def entropy(p, t):
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
def forward(X, params):
    return {"p": 1 / (1 + np.exp(-(X @ params["W"] + params["b"])))}
def backward(X, y, seen):
    p = seen["p"]
    d = p - y.reshape(-1, 1)
    return {"W": X.T @ d / len(X), "b": d.mean(axis=0, keepdims=True)}
for turn in range(20):
    seen = forward(X, params)
    loss = entropy(seen["p"], TARGET)
    grads = backward(X, y, seen)
    for name in params:
        params[name] -= 0.1 * grads[name]
    print(turn, loss)
"""


@pytest.mark.parametrize("target", ["y.reshape(-1, 1)", "y"], ids=["right", "broadcast"])
def test_a_loss_that_is_called_with_other_shapes_than_were_meant_is_named(tmp_path, target):
    """The gradients are right for the loss that was meant; of the one that is computed they are not."""
    result = check(tmp_path, SPREAD.replace("TARGET", target))
    assert verdicts(result) == {"params['W']": "match", "params['b']": "match"}
    said = [note for note in result.notes if "stands nowhere in the script" in note]
    assert bool(said) == (target == "y")
    assert all("`entropy(seen['p'], y)`" in note for note in said)


COST_OBJECT = """
import numpy as np
rng = np.random.default_rng(0)
X = np.array([[0.0, 0.2], [1.0, 0.1], [0.1, 1.0], [1.0, 1.2]])
T = np.array([[0.0], [1.0], [1.0], [0.0]])
class Entropy:
    def __call__(self, t, p):
        return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    def derivative(self, t, p):
        return SLOPE
class Net:
    def __init__(self, cost):
        self._cost = cost
        self._w1, self._b1 = rng.normal(size=(2, 3)), np.zeros(3)
        self._w2, self._b2 = rng.normal(size=(3, 1)), np.zeros(1)
    def _forward(self, x):
        self._x, self._h = x, np.tanh(x @ self._w1 + self._b1)
        self._o = 1 / (1 + np.exp(-(self._h @ self._w2 + self._b2)))
        return self._o
    def _back(self, t):
        d = self._cost.derivative(t, self._o) * self._o * (1 - self._o)
        dw2, db2 = self._h.T @ d, d.sum(axis=0)
        e = d @ self._w2.T * (1 - self._h ** 2)
        dw1, db1 = self._x.T @ e, e.sum(axis=0)
        self._move(dw1, db1, dw2, db2)
    def _move(self, dw1, db1, dw2, db2, size=0.1):
        self._w1 -= size * dw1
        self._b1 -= size * db1
        self._w2 -= size * dw2
        self._b2 -= size * db2
    def step(self, x, t):
        out = self._forward(x)
        self._back(t)
        cost = self._cost(t, self._o)
        return out, cost
def draw_cost(costs):
    print(costs[0], costs[-1])
net, costs = Net(Entropy()), []
for turn in range(30):
    out, cost = net.step(X, T)
    costs.append(cost)
draw_cost(costs)
"""


@pytest.mark.parametrize(
    ("slope", "verdict"), [("(p - t) / (p * (1 - p)) / t.size", "match"), ("p - t", "mismatch")], ids=["right", "wrong"]
)
def test_a_loss_that_an_object_computes_beside_the_call_is_the_loss(tmp_path, slope, verdict):
    """Where its derivative is that of another loss, that one is not taken in its place."""
    result = check(tmp_path, COST_OBJECT.replace("SLOPE", slope))
    assert verdicts(result) == dict.fromkeys(["self._w1", "self._b1", "self._w2", "self._b2"], verdict)
    assert result.entry_points.loss == "self._cost(t, self._o)"
