"""The loss curves of the reference trainer are those of PyTorch, from the same weights."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.reference import SGD, Adam, Momentum, Network, train
from gradcheck.reference.losses import loss_function

torch = pytest.importorskip("torch")

STEPS, SAMPLES, WIDTHS = 50, 40, (5, 8, 6, 3)
RULES = {
    "sgd": (lambda: SGD(0.1), lambda groups: torch.optim.SGD(groups, lr=0.1)),
    "momentum": (lambda: Momentum(0.05, 0.9), lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9)),
    "adam": (lambda: Adam(0.02), lambda groups: torch.optim.Adam(groups, lr=0.02)),
}
LOSSES = {
    "squared_error": ("tanh", lambda z, y: torch.nn.functional.mse_loss(torch.tanh(z), y)),
    "binary_cross_entropy": ("sigmoid", torch.nn.functional.binary_cross_entropy_with_logits),
    "softmax_cross_entropy": ("softmax", torch.nn.functional.cross_entropy),
}
HIDDEN = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": torch.nn.functional.leaky_relu,
}


def torch_curve(network, X, Y, loss, rule, hidden, l2, steps):
    """Train with PyTorch from the weights of a network, all samples in each step; return the losses."""
    params = {name: torch.tensor(values, requires_grad=True) for name, values in network.params.items()}
    groups = [
        {"params": [p for name, p in params.items() if name.startswith(letter)], "weight_decay": decay}
        for letter, decay in (("W", l2), ("b", 0.0))
    ]
    optimizer, losses = rule(groups), []
    for _ in range(steps):
        A = torch.tensor(X)
        for i in range(1, len(network.layers) + 1):
            Z = A @ params[f"W{i}"] + params[f"b{i}"]
            A = HIDDEN[hidden](Z)
        value = loss(Z, torch.tensor(Y))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return losses


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("l2", [0.0, 0.05], ids=["plain", "penalty"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rule", RULES)
def test_curve_is_that_of_torch(rule, loss, l2, hidden):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(SAMPLES, WIDTHS[0]))
    Y = np.eye(WIDTHS[-1])[rng.integers(0, WIDTHS[-1], size=SAMPLES)]
    output, torch_loss = LOSSES[loss]
    network = Network(WIDTHS, hidden=hidden, output=output, seed=1)
    expected = torch_curve(network, X, Y, torch_loss, RULES[rule][1], hidden, l2, STEPS)
    history = train(network, X, Y, loss=loss_function(loss), optimizer=RULES[rule][0](), epochs=STEPS, l2=l2)
    np.testing.assert_allclose(history.loss, expected, rtol=0, atol=1e-10)
    assert history.loss[-1] < history.loss[0]


def test_another_rule_has_another_curve():
    """The comparison would see a momentum of 0.901 instead of 0.9."""
    X, Y = np.random.default_rng(0).normal(size=(2, SAMPLES, 3))
    network = Network((3, 4, 3), seed=1)
    mse = torch.nn.functional.mse_loss
    expected = torch_curve(network, X, Y, mse, RULES["momentum"][1], "tanh", 0.0, STEPS)
    found = train(network, X, Y, loss=loss_function("squared_error"), optimizer=Momentum(0.05, 0.901), epochs=STEPS)
    assert np.abs(np.subtract(found.loss, expected)).max() > 1e-6
