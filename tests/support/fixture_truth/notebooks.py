"""Losses of the notebooks."""

from __future__ import annotations

from functools import partial

import numpy as np

from .registry import NOTEBOOKS, binary_cross_entropy, cross_entropy
from .registry import stretch as register

stretch = partial(register, registry=NOTEBOOKS)


@stretch("scores = X @ W + b", "W b", "dW db", stop="W -= 1.0")
def softmax_flowers(v, W, b):
    return cross_entropy(v.X @ W + b, v.y).mean()


_PARTS = ("enc", "enc_b", "dec", "dec_b")


@stretch(
    "ae.forward(X)",
    " ".join(f"self.{key}" for key in _PARTS),
    " ".join(f"ae.d_{key}" for key in _PARTS),
    stop="ae.sgd(",
    paths={f"self.{key}": f"ae.{key}" for key in _PARTS},
)
def autoencoder_lab(v, enc, enc_b, dec, dec_b):
    return np.mean(np.sum((np.tanh(v.X @ enc + enc_b) @ dec + dec_b - v.X) ** 2, axis=1)) / 2


@stretch("dm, dc = gradient(", "m c", "dm dc", stop="m = m -")
def descent_lesson(v, m, c):
    x, y = np.array(v.points).T
    return np.mean((m * x + c - y) ** 2)


@stretch("Z1, A1, A2 = forward(X)", "W1 b1 W2 b2", "result[0] result[1] result[2] result[3]")
def two_circles(v, W1, b1, W2, b2):
    return binary_cross_entropy(W2 @ np.clip(W1 @ v.X + b1, 0, None) + b2, v.Y).mean()


@stretch("h = np.zeros((T + 1, H))", "Wx Wh Wy", "dWx dWh dWy")
def echo_rnn(v, Wx, Wh, Wy):
    h, total = np.zeros(len(Wx)), 0.0
    for x, target in zip(v.x, v.target, strict=True):
        h = np.tanh(Wx * x + Wh @ h)
        total += (h @ Wy - target) ** 2 / 2
    return total


@stretch("gw, gb = grad(", "w b", "gw gb", stop="w = w -")
def ridge_logistic(v, w, b):
    return binary_cross_entropy(v.X @ w + b, v.default).mean() + v.lam * (w @ w)
