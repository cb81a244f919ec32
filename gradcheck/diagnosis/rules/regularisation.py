"""GC220: a penalty that is in the loss and not in the gradient, or the other way round."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC220",
    name="regularisation",
    summary="The penalty in the loss and the term in the gradient that stands for it do not belong together.",
    explanation="""
A penalty `lam * sum(W ** 2)` puts `2 * lam * W` into the gradient of `W`, and into no other. The term is forgotten in
one of several layers, lacks its 2, or is added to a bias that the loss does not punish. Often the penalty was added to
the loss later, by somebody who did not look at the backward pass.

What is missing is proportional to the parameter itself. At biases that start with zeros it cannot be seen at first.
""",
    evidence="""
A term with the strength of the penalty, added or taken away, makes the gradient agree with finite differences, at
points where the parameter is not zero, and leaves the other gradients as they are.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(6)
X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
net = {"W1": rng.normal(size=(3, 5)), "W2": rng.normal(size=(5, 2))}
reg, lr = 0.1, 0.02


def loss_and_grads(W1, W2):
    H = np.maximum(X @ W1, 0)
    diff = H @ W2 - y
    loss = np.sum(diff**2) / 20 + 0.5 * reg * (np.sum(W1 ** 2) + np.sum(W2 ** 2))
    dW2 = H.T @ (2 * diff / 20) + reg * W2
    dH = 2 * diff / 20 @ W2.T
    dW1 = X.T @ (dH * (H > 0))  # <- wrong
    return loss, {"W1": dW1, "W2": dW2}


for step in range(40):
    loss, grads = loss_and_grads(**net)
    for name in net:
        net[name] -= lr * grads[name]
""",
    right="dW1 = X.T @ (dH * (H > 0)) + reg * W1",
    miss="""
import numpy as np

rng = np.random.default_rng(6)
X, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
net = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}
reg, lr = 0.1, 0.02


def loss_and_grads(net):
    diff = X @ net["W"] + net["b"] - y
    loss = np.sum(diff**2) / 20 + 0.5 * reg * np.sum(net["W"] ** 2)
    dW = X.T @ (2 * diff / 20) + reg * net["W"]
    db = np.sum(2 * diff / 20, axis=0)
    return loss, {"W": dW, "b": db}


for step in range(40):
    loss, grads = loss_and_grads(net)
    for name in net:
        net[name] -= lr * grads[name]
""",
    why_right="The loss punishes the weights only, so that the bias rightly has no such term.",
)
