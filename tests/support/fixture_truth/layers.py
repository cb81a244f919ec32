"""Sums of outputs, each times what the scripts without a loss take back for it."""

from __future__ import annotations

import numpy as np

from .registry import sigmoid, stretch


@stretch("shade, kept =", "pigments shares tint", "d_pigments d_shares d_tint", stop='print("shades"')
def paint_blend_tuple(v, pigments, shares, tint):
    return np.sum(v.upstream * np.logaddexp(0, np.einsum("pk,kw->pw", pigments, shares) + tint))


@stretch(
    "heard, memory =",
    "sound kernel hush",
    "grads['sound'] grads['kernel'] grads['hush']",
    stop='print("heard"',
)
def bell_filter_dict(v, sound, kernel, hush):
    windows = np.lib.stride_tricks.sliding_window_view(sound, 3, axis=2)[:, :, ::2]
    heard = np.einsum("nctw,fcw->nft", windows, kernel) - hush[:, None]
    return np.sum(v.wanted * heard)


@stretch(
    "level = cell.forward(",
    "self.U self.V self.gate_U self.gate_b",
    "cell.grad_U cell.grad_V cell.grad_gate_U cell.grad_gate_b",
    stop='print("levels',
    paths={f"self.{name}": f"cell.{name}" for name in ("U", "V", "gate_U", "gate_b")},
)
def tide_gate_cell(v, U, V, gate_U, gate_b):
    def after(hours):
        level = after(hours[:-1]) if len(hours) else np.zeros((4, 3))
        if not len(hours):
            return level
        gate = sigmoid(hours[-1] @ gate_U + gate_b)
        return gate * level + (1 - gate) * np.tanh(hours[-1] @ U + level @ V)

    return np.sum(v.push * after(v.hours))


@stretch(
    "flat = norm(",
    "self.gain self.offset trees",
    "norm.d_gain norm.d_offset d_trees",
    stop='print("slopes of the trees"',
    paths={"self.gain": "norm.gain", "self.offset": "norm.offset"},
)
def orchard_row_norm(v, gain, offset, trees):
    even = (trees.T - trees.mean(axis=1)) / np.sqrt(trees.var(axis=1) + 1e-6)
    return np.sum(v.slope.T * (gain[:, None] * even + offset[:, None]))


@stretch("A, cache =", "A_prev W b", "dA_prev 8*dW 8*db", stop='print("dA_prev"')
def parcel_mean_gradients(v, A_prev, W, b):
    # the parameters' gradients are those of the mean over the 8 parcels
    return np.sum(v.dA * np.tanh(np.einsum("ok,kn->on", W, A_prev) + b))
