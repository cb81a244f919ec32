"""Losses of the scripts with feed-forward networks."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, cross_entropy, sigmoid, stretch


@stretch("out = self.predict(X)", "self.W1 self.b1 self.W2 self.b2", rate="lr")
def inplace_batch_class(v, W1, b1, W2, b2):
    return np.mean((sigmoid(v.X @ W1 + b1) @ W2 + b2 - v.y) ** 2) / 2


@stretch("hidden, output = self.feedforward(x)", "self.w_ih self.b_h self.w_ho self.b_o", rate="self.lr")
def xor_per_sample_class(v, w_ih, b_h, w_ho, b_o):
    return np.sum((sigmoid(w_ho @ sigmoid(w_ih @ v.x + b_h) + b_o) - v.target) ** 2) / 2


@stretch(
    "model.forward(X)",
    "self.W1 self.b1 self.W2 self.b2",
    "model.dW1 model.db1 model.dW2 model.db2",
    stop="model.step(0.5)",
    paths={f"self.{key}": f"model.{key}" for key in ("W1", "b1", "W2", "b2")},
)
def stored_grads_step(v, W1, b1, W2, b2):
    return cross_entropy(np.tanh(v.X @ W1 + b1) @ W2 + b2, v.y).mean()


@stretch(
    "out = X",
    "layers[0].W layers[0].b layers[2].W layers[2].b",
    "layers[0].dW layers[0].db layers[2].dW layers[2].db",
    stop="if hasattr(layer, 'W')",
)
def layer_list_global(v, W1, b1, W2, b2):
    return np.mean((np.tanh(v.X @ W1 + b1) @ W2 + b2 - v.T) ** 2)


@stretch(
    "output = x",
    "network[0].weights network[0].bias network[2].weights network[2].bias",
    stop="error /= len(X)",
    rate="1.5",
    first=4,
    later=4,
)
def layers_self_update(v, w1, b1, w2, b2):
    # the last sample of the first epoch
    return np.mean((sigmoid(w2 @ sigmoid(w1 @ v.x + b1) + b2) - v.y) ** 2)


@stretch(
    "d = (self.forward(x) - t) / len(x)",
    "self.layers[0].W self.layers[0].b self.layers[2].W self.layers[2].b",
    "self.layers[0].grad_W self.layers[0].grad_b self.layers[2].grad_W self.layers[2].grad_b",
)
def network_object_layers(v, W1, b1, W2, b2):
    return np.mean((np.clip(v.x @ W1 + b1, 0, None) @ W2 + b2 - v.t) ** 2) / 2


@stretch("a1 = np.tanh", "W1 b1 W2 b2 W3 b3", "dW1 db1 dW2 db2 dW3 db3", stop="W1 -= lr * dW1")
def toplevel_loop(v, W1, b1, W2, b2, W3, b3):
    return np.mean((np.tanh(np.tanh(v.X @ W1 + b1) @ W2 + b2) @ W3 + b3 - v.y) ** 2)


@stretch(
    "z1 = pesos1",
    "pesos1 sesgo1 pesos2 sesgo2",
    "grad_pesos1 grad_sesgo1 grad_pesos2 grad_sesgo2",
    stop="pesos1 = pesos1 -",
)
def toplevel_helpers_es(v, w1, b1, w2, b2):
    z = w1 @ v.entrada + b1
    return binary_cross_entropy(w2 @ np.maximum(z, 0.1 * z) + b2, v.caro).mean()


_LISTS = [f"self.{kind}[{i}]" for kind in ("weights", "biases") for i in range(3)]


@stretch(
    "for x, y in mini_batch",
    " ".join(_LISTS),
    " ".join(f"nabla_{kind}[{i}]/len(mini_batch)" for kind in "wb" for i in range(3)),
    stop="self.weights = [w - (eta",
)
def nabla_lists(v, w0, w1, w2, b0, b1, b2):
    total = 0.0
    for x, y in v.mini_batch:
        total += 0.5 * np.sum((np.tanh(w2 @ np.tanh(w1 @ np.tanh(w0 @ x + b0) + b1) + b2) - y) ** 2)
    return total / len(v.mini_batch)


@stretch("sum_w = ", "weights bias", "result[0] result[1]")
def minibatch_sums(v, weights, bias):
    fruit = np.array([f for f, _ in v.batch])
    return binary_cross_entropy(fruit @ weights + bias, np.array([label for _, label in v.batch])).mean()


_SIX = ("W1", "b1", "W2", "b2", "W3", "b3")


@stretch(
    "h1, h2, out = forward(params, X)",
    " ".join(f"params['{key}']" for key in _SIX),
    " ".join(f"result['{key}']" for key in _SIX),
)
def momentum_dict(v, W1, b1, W2, b2, W3, b3):
    return np.mean((np.tanh(np.tanh(v.X @ W1 + b1) @ W2 + b2) @ W3 + b3 - v.y) ** 2)


@stretch("z = X @ P['W1']", "P['W1'] P['c1'] P['w2'] P['c2']", "result['W1'] result['c1'] result['w2'] result['c2']")
def adam_states(v, W1, c1, w2, c2):
    z = np.log(1 + np.exp(v.X @ W1 + c1)) @ w2 + c2
    return binary_cross_entropy(z, v.y).mean() + 0.01 * ((W1**2).sum() + (w2**2).sum())


@stretch("s = x @ W + b", "W b V c", "grad_W grad_b grad_V grad_c", stop="for param, grad in")
def closures_maker(v, W, b, V, c):
    return np.sum((np.sin(v.x @ W + b) @ V + c - v.y) ** 2) / len(v.x)


@stretch(
    "pre, hidden, out = forward(net, x, mask)",
    "net.w1 net.b1 net.w2 net.b2",
    "result.w1 result.b1 result.w2 result.b2",
)
def dataclass_dropout(v, w1, b1, w2, b2):
    return np.sum(((np.tanh(v.x @ w1 + b1) * v.mask) @ w2 + b2 - v.y) ** 2) / (2 * len(v.x))


@stretch(
    "A = forward(X)",
    " ".join(f"{kind}[{i}]" for kind in ("weights", "biases") for i in range(4)),
    " ".join(f"result[{k}][{i}]" for k in range(2) for i in range(4)),
)
def weights_list_deep(v, w0, w1, w2, w3, b0, b1, b2, b3):
    h = sigmoid(w1 @ np.tanh(w0 @ v.X + b0) + b1)
    return np.mean((w3 @ np.tanh(w2 @ h + b2) + b3 - v.Y) ** 2) / 2


@stretch(
    "if durchlauf % 100 == 0",
    "gewicht1 schwelle1 gewicht2 schwelle2",
    "dg1 ds1 dg2 ds2",
    stop="gewicht1 -= lernrate",
)
def geschachtelt_de(v, w1, b1, w2, b2):
    return binary_cross_entropy(np.tanh(v.merkmale @ w1 + b1) @ w2 + b2, v.ziel).mean()


_FOUR = ("W1", "b1", "W2", "b2")


@stretch(
    "h, out = network(theta, x)",
    " ".join(f"theta['{key}']" for key in _FOUR),
    " ".join(f"result[1]['{key}']" for key in _FOUR),
)
def argparse_huber(v, W1, b1, W2, b2):
    r = np.abs(np.tanh(v.x @ W1 + b1) @ W2 + b2 - v.y)
    inside = np.minimum(r, v.delta)
    return np.mean(inside**2 / 2 + v.delta * (r - inside))


@stretch("H = self.encode(X)", "self.W self.b_hid self.b_vis", "result[0] result[1] result[2]")
def tied_autoencoder(v, W, b_hid, b_vis):
    return np.sum((sigmoid(sigmoid(v.X @ W + b_hid) @ W.T + b_vis) - v.X) ** 2) / len(v.X)


@stretch(
    "o, (y1, s1, y2, s2) = net(x, p)",
    "p['U1'] p['V1'] p['U2'] p['V2'] p['r']",
    "result['U1'] result['V1'] result['U2'] result['V2'] result['r']",
)
def residual_block(v, U1, V1, U2, V2, r):
    y = v.x + V1 @ np.clip(U1 @ v.x, 0, None)
    y = y + V2 @ np.clip(U2 @ y, 0, None)
    return np.sum((r @ y - v.t) ** 2) / v.x.shape[1]


@stretch("out, h, cache = forward(X, W1", "W1 gamma beta W2 b2", " ".join(f"result[{i}]" for i in range(5)))
def batchnorm_net(v, W1, gamma, beta, W2, b2):
    z = v.X @ W1
    normal = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)
    return np.mean(np.sum((np.tanh(gamma * normal + beta) @ W2 + b2 - v.Y) ** 2, axis=1)) / 2


@stretch(
    "m(x)",
    "self.A self.a self.g self.s self.B",
    "dA da dg ds dB",
    stop="m.A -=",
    paths={f"self.{key}": f"m.{key}" for key in "AagsB"},
)
def layernorm_rows(v, A, a, g, s, B):
    z = v.x @ A + a
    normal = (z - z.mean(axis=1)[:, None]) / np.sqrt(z.var(axis=1)[:, None] + 1e-6)
    return cross_entropy(np.maximum(g * normal + s, 0) @ B, v.labels).mean()


@stretch("forward_pass(batch)", "W_a W_b W_c", stop="if epoch % 50", rate="LR", first=3, later=3)
def global_statement(v, W_a, W_b, W_c):
    # the last batch of the first epoch
    return np.sum((np.tanh(np.tanh(v.batch @ W_a) @ W_b) @ W_c - v.wanted) ** 2) / 20


def _half_elu(z):
    return np.maximum(z, 0) + 0.5 * np.expm1(np.minimum(z, 0))


@stretch(
    "caches = run(layers, x)",
    " ".join(f"layers[{i}].{key}" for i in range(3) for key in "wb"),
    " ".join(f"result[{i}].{key}" for i in range(3) for key in "wb"),
)
def namedtuple_elu(v, w0, b0, w1, b1, w2, b2):
    return np.mean((_half_elu(_half_elu(v.x @ w0 + b0) @ w1 + b1) @ w2 + b2 - v.y) ** 2)


@stretch(
    "out = model.forward(x)",
    "self.A self.B self.C",
    "grads['A'] grads['B'] grads['C']",
    stop="for key, g in grads",
    paths={f"self.{key}": f"model.{key}" for key in "ABC"},
)
def aliased_branches(v, A, B, C):
    return np.mean(np.sum(((np.clip(v.x @ A, 0, None) + v.x @ B) @ C - v.t) ** 2, axis=1)) / 2


@stretch(
    "o, cache = forward(x, p)",
    " ".join(f"p['{key}']" for key in ("w1", "b1", "w2", "b2")),
    " ".join(f"g['{key}']" for key in ("w1", "b1", "w2", "b2")),
    stop="for k in p",
)
def dropout_functions(v, w1, b1, w2, b2):
    z = v.x @ w1 + b1
    mask = v.end.cache[3]
    return np.mean(np.abs((z / (1 + np.abs(z)) * mask) @ w2 + b2 - v.y))


@stretch("off = self.rise(x)", "self.A self.a self.B self.b", rate="rate", hidden="self.A self.a", later=300)
def yeast_tiny_weights(v, A, a, B, b):
    return np.mean((np.tanh(v.x @ A + a) @ B + b - v.y) ** 2)
