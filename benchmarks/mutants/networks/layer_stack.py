#!/usr/bin/env python3
import numpy as np

rng = np.random.default_rng(21)


class Linear:
    def __init__(self, n_in, n_out):
        self.W = rng.standard_normal((n_out, n_in)) / np.sqrt(n_in)
        self.b = rng.standard_normal(n_out) * 0.1

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, dy):
        # backward
        self.dW = dy.T @ self.x
        self.db = dy.sum(axis=0)
        return dy @ self.W


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        # backward
        return dy * self.y * (1 - self.y)


class Swish:
    def forward(self, x):
        self.x = x
        self.s = 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, dy):
        # backward
        slope = self.s + self.x * self.s * (1 - self.s)
        return dy * slope


class SquaredError:
    def forward(self, p, t):
        self.diff = p - t
        return (self.diff**2).sum() / len(t)

    def backward(self):
        # backward
        return 2 * self.diff / len(self.diff)


layers = [Linear(2, 6), Swish(), Linear(6, 4), Sigmoid(), Linear(4, 2)]
criterion = SquaredError()


def forward(x):
    for layer in layers:
        x = layer.forward(x)
    return x


x = rng.uniform(-1.5, 1.5, (40, 2))
t = np.column_stack([x[:, 0] * x[:, 1], np.hypot(x[:, 0], x[:, 1])])
lr = 0.05

for step in range(60):
    loss = criterion.forward(forward(x), t)
    grad = criterion.backward()
    for layer in reversed(layers):
        grad = layer.backward(grad)
    for layer in layers:
        if isinstance(layer, Linear):
            layer.W -= lr * layer.dW
            layer.b -= lr * layer.db
    if step % 10 == 0:
        print(f"step {step} loss {loss:.6f}")
