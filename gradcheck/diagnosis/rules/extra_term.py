"""GC211: a term that does not belong to the sum."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC211",
    name="extra-term",
    summary="A sum in the backward pass has a term that stands for no way from the value to the loss.",
    explanation="""
A term too many comes from a model that has since been changed: a skip connection that was taken out of the forward pass
and stayed in the backward pass, a second head that no longer counts in the loss, or a contribution that is added once
in the loop and once more behind it.

The term has the right shape and often a similar direction, so that training merely becomes worse. What is in front of
the sum is wrong, and all behind it is right.
""",
    evidence="""
The line without one of the terms that it adds or subtracts, or the script without a statement that only adds to a
gradient, makes every gradient that it has an influence on agree with finite differences, at points that the search has
not seen. Penalties on the size of the weights have a code of their own.
""",
    hit="""
import numpy as np


def forward(params, x):
    A, B, C = params
    h = np.tanh(x @ A)
    k = np.tanh(h @ B)
    return h, k, k @ C


def gradients(params, x, y):
    A, B, C = params
    h, k, out = forward(params, x)
    d_out = (out - y) / len(x)
    d_k = d_out @ C.T
    d_z = d_k * (1 - k * k)
    d_h = d_z @ B.T + d_k  # <- wrong
    return [x.T @ (d_h * (1 - h * h)), h.T @ d_z, k.T @ d_out]


rng = np.random.default_rng(9)
x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
params = [rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 1))]
for epoch in range(40):
    loss = np.sum((forward(params, x)[2] - y) ** 2) / (2 * len(x))
    params = [p - 0.1 * g for p, g in zip(params, gradients(params, x, y))]
""",
    right="d_h = d_z @ B.T",
    miss="""
import numpy as np


def forward(params, x):
    A, B, C = params
    h = np.tanh(x @ A)
    k = np.tanh(h @ B)
    return h, k, (k + h) @ C


def gradients(params, x, y):
    A, B, C = params
    h, k, out = forward(params, x)
    d_out = (out - y) / len(x)
    d_k = d_out @ C.T
    d_z = d_k * (1 - k * k)
    d_h = d_z @ B.T + d_k
    return [x.T @ (d_h * (1 - h * h)), h.T @ d_z, (k + h).T @ d_out]


rng = np.random.default_rng(9)
x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
params = [rng.normal(size=(2, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 1))]
for epoch in range(40):
    loss = np.sum((forward(params, x)[2] - y) ** 2) / (2 * len(x))
    params = [p - 0.1 * g for p, g in zip(params, gradients(params, x, y))]
""",
    why_right="Here `h` also goes around the layer, straight to the output, and `d_k` is what comes back that way.",
)
