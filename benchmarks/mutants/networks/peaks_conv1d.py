# find the peak in a noisy signal: 1d convolution, relu, average over time, linear
import numpy as np

np.random.seed(8)

n_signals, length, width, n_filters = 16, 12, 3, 4
signals = np.random.randn(n_signals, length) * 0.5
where = np.random.randint(1, length - 1, n_signals)
signals[np.arange(n_signals), where] += 2
targets = (where > length // 2).astype(float)

params = {
    "filters": np.random.randn(n_filters, width) * 0.5,
    "bias": np.random.randn(n_filters) * 0.1,
    "w": np.random.randn(n_filters) * 0.5,
    "c": np.zeros(1),
}


def forward(p, s):
    steps = length - width + 1
    conv = np.zeros((len(s), n_filters, steps))
    for k in range(n_filters):
        for i in range(steps):
            conv[:, k, i] = s[:, i : i + width] @ p["filters"][k] + p["bias"][k]
    act = np.maximum(conv, 0)
    ramp = np.linspace(0, 1, steps)
    pooled = act @ ramp
    out = pooled @ p["w"] + p["c"]
    return out, (conv, pooled, ramp)


def loss_fn(p, s, t):
    out, _ = forward(p, s)
    return np.mean((out - t) ** 2)


def grad_fn(p, s, t):
    out, (conv, pooled, ramp) = forward(p, s)
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    # backward
    dout = 2 * (out - t) / len(t)
    grads["w"] = pooled.T @ dout
    grads["c"][0] = dout.sum()
    dpooled = np.outer(dout, p["w"])
    dact = dpooled[:, :, None] * ramp
    dconv = dact * (conv > 0)
    for k in range(n_filters):
        for i in range(conv.shape[2]):
            grads["filters"][k] += dconv[:, k, i] @ s[:, i : i + width]
        grads["bias"][k] = dconv[:, k].sum()
    return grads


learning_rate = 0.01
for epoch in range(40):
    grads = grad_fn(params, signals, targets)
    for name in params:
        params[name] -= learning_rate * grads[name]
    if epoch % 8 == 0:
        print(epoch, loss_fn(params, signals, targets))
