"""Losses of the correct scripts with networks that are hard to judge; they have no twin."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, cross_entropy, sigmoid, stretch


@stretch("Z, out = forward(W1", "W1 b1 W2 b2", " ".join(f"result[{i}]" for i in range(4)), kinks=True)
def relu_zero_bias(v, W1, b1, W2, b2):
    return np.mean((np.maximum(v.X @ W1 + b1, 0) @ W2 + b2 - v.y) ** 2)


@stretch(
    "d2 = self.probabilities(x)",
    "self.w1 self.b1 self.w2 self.b2",
    "result['w1'] result['b1'] result['w2'] result['b2']",
    rtol=1e-5,
)
def float32_in_place(v, w1, b1, w2, b2):
    return cross_entropy(np.tanh(v.x.astype(float) @ w1 + b1) @ w2 + b2, v.labels).mean()


@stretch("H = np.tanh(X @ U + a)", "U a V", "dU da dV", stop="(dU, da, dV), norm")
def clipped_between(v, U, a, V):
    return np.mean((np.exp(np.tanh(v.X @ U + a) @ V) - v.y) ** 2)


@stretch(
    "err = self.forward(x, training=True) - y", "self.V self.u self.w", "self.dV self.du self.dw", stop="for name in"
)
def dropout_in_object(v, V, u, w):
    mask = v.end.self.dropout.mask
    return np.sum(((np.tanh(v.x @ V + u) * mask) @ w - v.y) ** 2) / (2 * len(v.y))


@stretch("a = np.tanh(self.W @ x)", "self.W self.v", "gW gv")
def rmsprop_inside(v, W, out):
    return np.mean((out @ np.tanh(W @ v.x) - v.y) ** 2) / 2


@stretch(
    "hidden = 1 / (1",
    "W_hidden b_hidden W_out b_out",
    "grad_W_hidden grad_b_hidden grad_W_out grad_b_out",
    stop="W_out -= eta",
)
def decay_in_update(v, w1, b1, w2, b2):
    return binary_cross_entropy(sigmoid(v.x @ w1 + b1) @ w2 + b2, v.t).mean()


@stretch("hidden, out = steer(sensors)", "w_in w_out", rate="RATE")
def silent_error(v, w_in, w_out):
    return (np.tanh(w_out @ np.tanh(w_in @ v.sensors)) - v.wanted) ** 2 / 2


@stretch("hid = act(", "a_w a_b b_w b_b", stop="if epoch % 40", rate="0.05", first=25, later=25)
def loss_accumulated(v, a_w, a_b, b_w, b_b):
    # the last point of the first epoch
    return (b_w @ np.tanh(a_w @ v.p + a_b) + b_b - v.z) ** 2 / 2


_PAIRS = [f"{kind}[{i}]" for kind in ("weights", "biases") for i in range(2)]


@stretch(
    "for x, y in batch",
    " ".join(f"self.{name}" for name in _PAIRS),
    "nabla_w[0]/6 nabla_w[1]/6 nabla_b[0]/6 nabla_b[1]/6",
    stop="for l in range(2)",
)
def nabla_cross_entropy(v, w0, w1, b0, b1):
    scores = [w1 @ sigmoid(w0 @ x + b0) + b1 for x, _ in v.batch]
    return sum(binary_cross_entropy(z, y).sum() for z, (_, y) in zip(scores, v.batch, strict=True)) / 6


@stretch(
    "acts = activate(x)",
    " ".join(f"{kind}[{i}]" for kind in ("Ws", "cs") for i in range(3)),
    " ".join(f"result[{k}][{i}]" for k in range(2) for i in range(3)),
)
def slopes_from_outputs(v, W0, W1, W2, c0, c1, c2):
    z = v.x @ W0 + c0
    z = np.maximum((np.maximum(z, 0) + 0.7 * np.expm1(np.minimum(z, 0))) @ W1 + c1, 0) @ W2 + c2
    return np.mean(np.exp(z) - v.counts * z)
