# A small recurrent network that continues a heartbeat-like curve.
import numpy as np

rng = np.random.default_rng(17)
hidden = 5
T = 7

Wxh = rng.normal(0, 0.6, (hidden, 1))
Whh = rng.normal(0, 0.4, (hidden, hidden))
Why = rng.normal(0, 0.6, (1, hidden))
bh = rng.normal(0, 0.1, (hidden, 1))
by = np.zeros((1, 1))


def loss_and_grads(xs, targets, h0):
    h, y = {-1: h0}, {}
    loss = 0.0
    for t in range(T):
        h[t] = np.tanh(Wxh @ xs[t] + Whh @ h[t - 1] + bh)
        y[t] = Why @ h[t] + by
        loss += 0.5 * np.sum((y[t] - targets[t]) ** 2)

    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dh_next = np.zeros_like(h0)
    for t in reversed(range(T)):
        # backward through time
        dy = y[t] - targets[t]
        dWhy += dy @ h[t].T
        dby += dy
        dh = Why.T @ dy + dh_next
        draw = (1 - h[t] * h[t]) * dh
        dbh += draw
        dWxh += draw @ xs[t].T
        dWhh += draw @ h[t - 1].T
        dh_next = Whh.T @ draw
    return loss, dWxh, dWhh, dWhy, dbh, dby


time = np.arange(T + 1)
curve = np.sin(0.9 * time) + 0.5 * np.exp(-((time - 4) ** 2))
xs = curve[:-1].reshape(T, 1, 1)
targets = curve[1:].reshape(T, 1, 1)
h0 = np.full((hidden, 1), 0.1)
lr = 0.02

for n in range(60):
    loss, dWxh, dWhh, dWhy, dbh, dby = loss_and_grads(xs, targets, h0)
    Wxh -= lr * dWxh
    Whh -= lr * dWhh
    Why -= lr * dWhy
    bh -= lr * dbh
    by -= lr * dby
    if n % 10 == 0:
        print("iter", n, "loss", loss)
