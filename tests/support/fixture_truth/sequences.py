"""Losses of the scripts with recurrent networks, convolutions, attention and embeddings."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, sigmoid, stretch


@stretch(
    "p = rnn.forward(bits",
    "self.Wx self.Wh self.bh self.Wy self.by",
    "g['Wx'] g['Wh'] g['bh'] g['Wy'] g['by']",
    stop="for k in g:",
    paths={f"self.{key}": f"rnn.{key}" for key in ("Wx", "Wh", "bh", "Wy", "by")},
    later=2,
    hidden="self.Wx self.Wh self.bh",
)
def rnn_parity(v, Wx, Wh, bh, Wy, by):
    h = np.zeros_like(bh)
    for bit in v.bits:
        h = np.tanh(Wx * (1 if bit else -1) + Wh @ h + bh)
    return binary_cross_entropy(Wy @ h + by, v.bits.sum() % 2)


@stretch("loss, cache, h, c = run_forward", "W b Wy by", "dW db dWy dby", stop="W -= 0.05", later=2)
def lstm_carried(v, W, b, Wy, by):
    h, c, total = v.h, v.c, 0.0
    for x, y in zip(v.wave[v.pos : v.pos + 6], v.wave[v.pos + 1 : v.pos + 7], strict=True):
        into, forget, out, new = (W.T @ np.append(x, h) + b).reshape(4, -1)
        c = sigmoid(forget) * c + sigmoid(into) * np.tanh(new)
        h = sigmoid(out) * np.tanh(c)
        total += (Wy @ h + by - y) ** 2 / 2
    return total


_GATES = [kind + gate for gate in "zrn" for kind in "WUb"] + ["v"]


@stretch(
    "out, h, steps = forward(p, xs)",
    " ".join(f"p['{key}']" for key in _GATES),
    " ".join(f"result['{key}']" for key in _GATES),
)
def gru_sum(v, Wz, Uz, bz, Wr, Ur, br, Wn, Un, bn, out):
    h = np.zeros(len(out))
    for x in v.xs:
        z = sigmoid(Wz * x + Uz @ h + bz)
        r = sigmoid(Wr * x + Ur @ h + br)
        h = z * h + (1 - z) * np.tanh(Wn * x + Un @ (r * h) + bn)
    return (out @ h - sum(v.xs)) ** 2 / 2


@stretch("hs, out = unroll(seq)", "u r v d", "result[0] result[1] result[2] result[3]")
def scalar_recurrence(values, u, r, v, d):
    h = 0.0
    for s in values.seq:
        h = np.tanh(u * s + r * h)
    return (v * h + d - values.target) ** 2


@stretch("conv, act, pooled, p = forward(img)", "K kb w wb", "result[0] result[1] result[2] result[3]")
def conv_naive_loops(v, K, kb, w, wb):
    windows = np.lib.stride_tricks.sliding_window_view(v.img, (3, 3))
    conv = np.einsum("yxij,fij->fyx", windows, K) + kb[:, None, None]
    pooled = np.maximum(conv[:, :4, :4].reshape(2, 2, 2, 2, 2).max(axis=(2, 4)), 0)
    return binary_cross_entropy(np.sum(pooled * w) + wb, v.t)


def _strided(x, k):
    return np.correlate(x, k, "valid")[::2]


@stretch("h1, h2, out = forward(x, k1", "k1 k2 v", "result[0] result[1] result[2]")
def conv_two_layers_1d(values, k1, k2, v):
    return (np.tanh(_strided(np.tanh(_strided(values.x, k1)), k2)) @ v - values.t) ** 2 / 2


def _attention(x, Wq, Wk, Wv, scale):
    weights = np.exp(np.einsum("ia,ja->ij", x @ Wq, x @ Wk) * scale)
    return np.einsum("ij,ja->ia", weights, x @ Wv) / weights.sum(axis=1)[:, None]


@stretch("q, k, v, a, ctx, out = attend(", "Wq Wk Wv Wo", "result[0] result[1] result[2] result[3]")
def attention_head(v, Wq, Wk, Wv, Wo):
    return np.sum((_attention(v.x, Wq, Wk, Wv, 1 / np.sqrt(3)) @ Wo - v.target) ** 2) / 2


@stretch("difference = self.forward(tokens) - answer", "self.W_query self.W_key self.W_value self.w_out", rate="lr")
def attention_class(v, Wq, Wk, Wv, out):
    return (_attention(v.tokens, Wq, Wk, Wv, 3**-0.5).mean(axis=0) @ out - v.answer) ** 2


@stretch("bag, p = forward(ids)", "E w b", "result[0] result[1] result[2]")
def embedding_bag(v, E, w, b):
    return binary_cross_entropy(np.mean([E[i] @ w for i in v.ids]) + b, v.y)


@stretch("dk, db, dfc = np.zeros", "kernel bias fc", "result[0] result[1] result[2]")
def maxpool_ties(v, kernel, bias, fc):
    total = 0.0
    for label, image in enumerate(v.images):
        windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        a = np.tanh(np.tensordot(windows, kernel, axes=2) + bias)
        scores = a.reshape(2, 2, 2, 2).max(axis=(1, 3)).ravel() @ fc
        total += np.log(np.exp(scores).sum()) - scores[label]
    return total


@stretch("def grads(", "V_in V_out", "result[0] result[1]")
def skipgram_negative(v, V_in, V_out):
    scores = V_out @ V_in[v.centre]
    return np.logaddexp(0, -scores[v.context]) + np.logaddexp(0, scores[v.negatives]).sum()


@stretch("p = self.forward(img)", "self.K self.bias self.V", rate="lr")
def im2col_class(v, K, bias, V):
    windows = np.lib.stride_tricks.sliding_window_view(v.img, (3, 3)).reshape(-1, 9)
    scores = np.logaddexp(0, windows @ K + bias).mean(axis=0) @ V
    return np.log(np.exp(scores).sum()) - scores[v.label]


_WORDS = ("not", "bad", "very", "good", "film")


@stretch(
    "def gradient(",
    " ".join(f"vec['{word}']" for word in _WORDS) + " left right both",
    " ".join(f"result['{word}']" for word in (*_WORDS, "<left>", "<right>", "<both>")),
)
def recursive_tree(v, *params):
    words = dict(zip(_WORDS, params[:5], strict=True))
    left, right, both = params[5:]

    def value(node):
        if isinstance(node, str):
            return words[node]
        a, b = map(value, node)
        return np.tanh(left * a + right * b + both * a * b)

    return sum((value(tree) - mood) ** 2 for tree, mood in v.TREES) / 2


@stretch("states = unroll(", "U V h_bias R shift", "dU dV dh dR dshift", stop="U -= rate")
def tide_memory_readout(v, U, V, h_bias, R, shift):
    state, total = np.zeros(4), 0.0
    for before, level in zip(v.levels[:-1], v.levels[1:], strict=True):
        state = np.tanh(U[:, 0] * before + V @ state + h_bias)
        total += (R @ state + shift - level) ** 2
    return total / (len(v.levels) - 1)
