"""GC203: the right derivative, taken at the wrong point."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC203",
    name="derivative-at-wrong-point",
    summary="The derivative of an activation is evaluated at another point than the one that it was written for.",
    explanation="""
The slope of a sigmoid can be written for what goes in, `s(z) * (1 - s(z))`, or for what comes out, `a * (1 - a)`. Both
are right, each with its own argument. A function of the first kind that is given the activation applies the sigmoid
twice; a function of the second kind that is given the sum before the activation is not even bounded.

The wrong value has the right shape and, for the first kind, the right sign, so the network goes on learning. The
gradients of the layers behind it are right; those of the layer itself and of all in front of it are not, and their
ratio to the true ones is another for each sample.
""",
    evidence="""
Another variable of the script as the argument of the function that is called there, and whose name says that it is a
derivative, makes every gradient that the line has an influence on agree with finite differences.
""",
    hit="""
import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1.0 - sigmoid(z))


def loss_and_grads(W1, W2, x, y):
    z1 = W1 @ x
    a1 = sigmoid(z1)
    out = W2 @ a1
    loss = 0.5 * np.sum((out - y) ** 2)
    delta2 = out - y
    delta1 = (W2.T @ delta2) * sigmoid_prime(a1)  # <- wrong
    return loss, np.outer(delta1, x), np.outer(delta2, a1)


rng = np.random.default_rng(2)
W1, W2 = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
x, y = rng.normal(size=3), np.array([0.5, -0.5])
for step in range(50):
    loss, dW1, dW2 = loss_and_grads(W1, W2, x, y)
    W1 -= 0.1 * dW1
    W2 -= 0.1 * dW2
""",
    right="delta1 = (W2.T @ delta2) * sigmoid_prime(z1)",
    miss="""
import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(a):
    return a * (1.0 - a)


def loss_and_grads(W1, W2, x, y):
    z1 = W1 @ x
    a1 = sigmoid(z1)
    out = W2 @ a1
    loss = 0.5 * np.sum((out - y) ** 2)
    delta2 = out - y
    delta1 = (W2.T @ delta2) * sigmoid_prime(a1)
    return loss, np.outer(delta1, x), np.outer(delta2, a1)


rng = np.random.default_rng(2)
W1, W2 = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
x, y = rng.normal(size=3), np.array([0.5, -0.5])
for step in range(50):
    loss, dW1, dW2 = loss_and_grads(W1, W2, x, y)
    W1 -= 0.1 * dW1
    W2 -= 0.1 * dW2
""",
    why_right="This `sigmoid_prime` is written for what comes out of the sigmoid, and that is what it is given.",
)
