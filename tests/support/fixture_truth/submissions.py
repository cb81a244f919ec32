"""One loss for all the submissions: a layer of tanh and a linear output, on the data of the exercise."""

from __future__ import annotations

import numpy as np

from .stretch import Stretch

X = np.array(
    [[0.0, 0.5], [0.2, -0.4], [0.9, 0.1], [-0.7, 0.8], [-0.3, -0.9], [0.6, 0.6], [-0.8, -0.2], [0.4, -0.7]],
)
Y = np.array([0.3, -0.1, 0.6, 0.2, -0.8, 0.9, -0.4, -0.2])


def residuals(*params: np.ndarray) -> np.ndarray:
    """Output minus target of every example, for weights in whatever layout.

    Either two matrices whose first row is the bias, or weights and biases of both layers.
    """
    if len(params) == 2:
        return residuals(params[0][1:], params[0][0], params[1][1:], params[1][0])
    hidden_weights, hidden_bias, output_weights, output_bias = params
    units = hidden_bias.size
    rows_are_inputs = hidden_weights.shape == (2, units)
    hidden = np.tanh(X @ (hidden_weights if rows_are_inputs else hidden_weights.T) + hidden_bias.ravel())
    return np.asarray(hidden @ output_weights.ravel() + output_bias.ravel() - Y)


def half_mean(_, *params):
    return np.mean(residuals(*params) ** 2) / 2


def mean(_, *params):
    return np.mean(residuals(*params) ** 2)


def total(_, *params):
    return np.sum(residuals(*params) ** 2)


def last_example(_, *params):
    return residuals(*params)[-1] ** 2 / 2


def _returned(count: int) -> list[str]:
    return [f"result[{i}]" for i in range(count)]


SUBMISSIONS: dict[str, Stretch] = {
    "ex3_1017": Stretch(
        half_mean, "h, out = forward(", ["W1", "b1", "W2", "b2"], "W1 -= 0.3", ["dW1", "db1", "dW2", "db2"]
    ),
    "ex3_1023": Stretch(
        half_mean,
        "net.forward(x)",
        ["self.w1", "self.b1", "self.w2", "self.b2"],
        "for i in range(300)",
        rate="0.2",
        paths={f"self.{key}": f"net.{key}" for key in ("w1", "b1", "w2", "b2")},
    ),
    "ex3_1031": Stretch(half_mean, "H=np.tanh", ["A", "a", "B", "b"], "A=A-0.4", ["gA", "ga", "gB", "gb"]),
    "ex3_1042": Stretch(
        half_mean,
        "A1, out = forward(params, X)",
        [f"params['{key}']" for key in ("W1", "b1", "W2", "b2")],
        gradients=[f"result['{key}']" for key in ("W1", "b1", "W2", "b2")],
    ),
    "ex3_1058": Stretch(last_example, "h, out = forward(x)", ["w1", "b1", "w2", "b2"], rate="lr", first=8, later=8),
    "ex3_1066": Stretch(
        half_mean,
        "out = X",
        [f"layers[{i}].{key}" for i in (0, 2) for key in "Wb"],
        "for l in layers[::2]",
        [f"layers[{i}].d{key}" for i in (0, 2) for key in "Wb"],
    ),
    "ex3_1079": Stretch(
        total,
        "difference = 2",
        ["self.weights_hidden", "self.bias_hidden", "self.weights_output", "self.bias_output"],
        gradients=_returned(4),
    ),
    "ex3_1084": Stretch(half_mean, "A = np.tanh", ["T1", "T2"], gradients=_returned(2)),
    "ex3_1090": Stretch(
        half_mean, "hidden, prediction = net(X)", ["W_in", "b_in", "W_out", "b_out"], gradients=_returned(4)
    ),
    "ex3_1105": Stretch(
        half_mean, "Z1, A1, Z2 = forward_prop(X)", ["W1", "b1", "W2", "b2"], "W1 = W1 -", ["dW1", "db1", "dW2", "db2"]
    ),
    "ex3_1112": Stretch(
        half_mean,
        "n = len(X)",
        ["self.W1", "self.b1", "self.W2", "self.b2"],
        gradients=["self.gW1", "self.gb1", "self.gW2", "self.gb2"],
    ),
    "ex3_1120": Stretch(
        half_mean,
        "hidden = np.tanh(X @ theta",
        [f"theta['{key}']" for key in ("W1", "b1", "W2", "b2")],
        gradients=[f"result[1]['{key}']" for key in ("W1", "b1", "W2", "b2")],
    ),
    "ex3_1133": Stretch(
        last_example,
        "h = np.tanh(self.W @ x + self.b)",
        ["self.W", "self.b", "self.v", "self.c"],
        rate="eta",
        first=8,
        later=8,
    ),
    "ex3_1147": Stretch(
        half_mean, "z1 = X @ W1 + b1", ["W1", "b1", "W2", "b2"], "W1 -= 0.2", ["dW1", "db1", "dW2", "db2"]
    ),
    "ex3_1151": Stretch(half_mean, "def backwardPass(", ["W1", "B1", "W2", "B2"], gradients=_returned(4)),
    "ex3_1160": Stretch(
        mean, "g1 = grad_w1(", ["w1", "b1", "w2", "b2"], "w1, b1, w2, b2 = w1 -", ["g1", "g2", "g3", "g4"]
    ),
    "ex3_1178": Stretch(half_mean, "H, out = forward(X)", ["W1", "b1", "W2", "b2"], gradients=_returned(4)),
}
