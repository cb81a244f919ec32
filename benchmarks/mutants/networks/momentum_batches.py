"""Minibatches with momentum; weights and biases are kept in two lists."""
import numpy as np

gen = np.random.RandomState(99)

sizes = [5, 8, 6, 3]
weights = [gen.randn(a, b) * np.sqrt(1.0 / a) for a, b in zip(sizes[:-1], sizes[1:])]
biases = [gen.randn(b) * 0.1 for b in sizes[1:]]
vel_w = [np.zeros_like(w) for w in weights]
vel_b = [np.zeros_like(b) for b in biases]
mu, step_size = 0.8, 0.05


def softmax(z):
    z = z - np.max(z, axis=1, keepdims=True)
    return np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)


def feed(xb):
    acts = [xb]
    for i in range(len(weights)):
        z = np.dot(acts[-1], weights[i]) + biases[i]
        acts.append(np.tanh(z) if i < len(weights) - 1 else softmax(z))
    return acts


def cross_entropy(probs, yb):
    return -np.mean(np.sum(yb * np.log(probs), axis=1))


def gradients(xb, yb):
    acts = feed(xb)
    grad_w = [None] * len(weights)
    grad_b = [None] * len(biases)
    # backward
    delta = (acts[-1] - yb) / xb.shape[0]
    for i in range(len(weights) - 1, -1, -1):
        grad_w[i] = np.dot(acts[i].T, delta)
        grad_b[i] = np.sum(delta, axis=0)
        if i > 0:
            delta = np.dot(delta, weights[i].T) * (1 - acts[i] ** 2)
    return grad_w, grad_b


X = gen.randn(64, 5)
labels = np.argmax(X[:, :3] + X[:, 2:] ** 2, axis=1)
Y = np.eye(3)[labels]

for epoch in range(10):
    order = gen.permutation(len(X))
    for start in range(0, len(X), 16):
        idx = order[start : start + 16]
        gw, gb = gradients(X[idx], Y[idx])
        for i in range(len(weights)):
            vel_w[i] = mu * vel_w[i] - step_size * gw[i]
            vel_b[i] = mu * vel_b[i] - step_size * gb[i]
            weights[i] += vel_w[i]
            biases[i] += vel_b[i]
    print("epoch %d: %.6f" % (epoch, cross_entropy(feed(X)[-1], Y)))
