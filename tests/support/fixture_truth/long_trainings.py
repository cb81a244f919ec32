"""Losses of the scripts that train for a minute or more; each is stopped in its first rounds."""

from __future__ import annotations

from functools import partial

import numpy as np

from .registry import LONG, binary_cross_entropy, cross_entropy, sigmoid
from .registry import stretch as register

stretch = partial(register, registry=LONG)


@stretch("h = np.tanh(X @ W1", "W1 b1 W2 b2", "dW1 db1 dW2 db2", stop="W1 = W1 - lr")
def frost_nights_main(v, W1, b1, W2, b2):
    return binary_cross_entropy(np.tanh(X_and_one(v.X, W1, b1)) @ W2 + b2, v.frost).mean()


def X_and_one(X, W, b):  # noqa: N802
    """Give the inputs a column of ones, and the weights a row for it."""
    return np.column_stack([X, np.ones(len(X))]) @ np.vstack([W, b])


@stretch(
    "fehler = self.vorhersage(",
    "self.V self.c self.w self.d",
    "dV dc dw dd",
    stop="self.V -= ",
)
def tram_delay_fit(v, V, c, w, d):
    inner = v.X.T @ V.T + c.T
    return np.mean((np.where(inner > 0, inner, 0) @ w.T + d - v.y.T) ** 2)


@stretch("a1 = np.tanh(", "W1 b1 W2 b2", "dW1 db1[None] dW2 db2.reshape(1,-1)", stop="W1 += -step_size")
def rocks_build_model(v, W1, b1, W2, b2):
    scores = X_and_one(np.tanh(X_and_one(v.samples, W1, b1)), W2, b2)
    return cross_entropy(scores, v.kind).sum() + v.decay / 2 * (np.sum(W1**2) + np.sum(W2**2))


@stretch("gA, ga, gB, gb = gradients(", "A a0 B b0", "gA ga gB gb", stop="somme += cout(")
def kiln_nested_lists(v, A, a0, B, b0):
    return np.sum((B @ sigmoid(A @ np.array(v.x) + a0) + b0 - np.array(v.t)) ** 2) / 2


@stretch("miss = hypothesis(", "w b", "grad_w grad_b", stop="w = w - rate")
def bees_grid_search(v, w, b):
    return binary_cross_entropy(v.X @ w + b, v.y).mean() + v.ridge * w @ w


_PLATE = ("w1", "b1", "w2", "b2", "w3", "b3")


@stretch(
    "def atras(",
    " ".join(f"red['{key}']" for key in _PLATE),
    " ".join(f"result['{key}']" for key in _PLATE),
)
def plate_prepared_slowly(v, w1, b1, w2, b2, w3, b3):
    h = np.tanh(X_and_one(np.tanh(X_and_one(v.puntos, w1, b1)), w2, b2))
    return np.sum((X_and_one(h, w3, b3) - v.calor) ** 2) / 2 / len(v.puntos)


_RIVER = ("Wx", "Wh", "bh", "Wo", "bo")


@stretch(
    "def loss_and_grads(",
    " ".join(f"params['{key}']" for key in _RIVER),
    " ".join(f"result[1]['{key}']" for key in _RIVER),
    directions=2,
    # larger ones make the states chaotic
    sizes={"params['Wh']": 0.05},
)
def river_expensive_step(v, Wx, Wh, bh, Wo, bo):
    state, states = np.zeros((len(bh), v.rain.shape[1])), []
    for driven in np.swapaxes(v.rain @ Wx + bh, 1, 2):
        state = np.tanh(Wh.T @ state + driven)
        states.append(state)
    return np.mean((np.einsum("h,ths->ts", Wo, np.array(states)) + bo - v.level) ** 2)


@stretch(
    "def learn_from(",
    "U W V b c",
    "result[1] result[2] result[3] result[4] result[5]",
    directions=6,
)
def ballad_char_rnn(v, U, W, V, b, c):
    state, total = v.h_prev, 0.0
    for letter, following in zip(v.inputs, v.targets, strict=True):
        state = np.tanh(U[:, [letter]] + W @ state + b)
        total += cross_entropy((V @ state + c).T, [following])[0]
    return total


@stretch("def gradient(", "W1 b1 W2 b2", "result[0] result[1] result[2] result[3]")
def boat_speed_tests(v, W1, b1, W2, b2):
    return np.mean((sigmoid(X_and_one(v.X, W1, b1)) @ W2 + b2 - v.y) ** 2) / 2


@stretch("z, out = predict(x)", "K k L l", "gK gk gL gl", stop="K -= ALPHA")
def coffee_early_stop(v, K, k, L, l):  # noqa: E741
    z = v.x @ K + k
    return np.mean(((0.55 * z + 0.45 * np.abs(z)) @ L + l - v.y) ** 2)
