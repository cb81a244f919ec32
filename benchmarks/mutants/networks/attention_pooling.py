"""One attention head that looks at a short sequence and predicts one number per sequence."""
import numpy as np

rng = np.random.default_rng(12)
B, L, D, K = 10, 5, 3, 4

x = rng.normal(size=(B, L, D))
t = x[:, :, 0].max(axis=1)

P = {
    "query": rng.normal(size=K),
    "Wk": rng.normal(size=(D, K)) * 0.6,
    "Wv": rng.normal(size=(D, K)) * 0.6,
    "wo": rng.normal(size=K) * 0.6,
    "bo": np.zeros(1),
}


def forward(P, x):
    keys = np.tanh(x @ P["Wk"])
    values = x @ P["Wv"]
    scores = keys @ P["query"] / np.sqrt(K)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    att = e / e.sum(axis=1, keepdims=True)
    pooled = np.einsum("bl,blk->bk", att, values)
    out = pooled @ P["wo"] + P["bo"]
    return out, (keys, values, att, pooled)


def loss(P, x, t):
    out, _ = forward(P, x)
    return np.mean((out - t) ** 2)


def backward(P, x, t):
    out, (keys, values, att, pooled) = forward(P, x)
    g = {}
    # backward
    dout = 2 * (out - t) / len(t)
    g["wo"] = pooled.T @ dout
    g["bo"] = np.array([dout.sum()])
    dpooled = np.outer(dout, P["wo"])
    dvalues = att[:, :, None] * dpooled[:, None, :]
    datt = np.einsum("bk,blk->bl", dpooled, values)
    dscores = att * (datt - np.sum(att * datt, axis=1, keepdims=True))
    dscores = dscores / np.sqrt(K)
    g["query"] = np.einsum("bl,blk->k", dscores, keys)
    dkeys = dscores[:, :, None] * P["query"]
    g["Wv"] = np.einsum("bld,blk->dk", x, dvalues)
    g["Wk"] = np.einsum("bld,blk->dk", x, dkeys * (1 - keys**2))
    return g


lr = 0.1
for i in range(50):
    grads = backward(P, x, t)
    for name in P:
        P[name] = P[name] - lr * grads[name]
    if i % 10 == 0:
        print("step", i, "mse", loss(P, x, t))
