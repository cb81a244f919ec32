"""Losses of the scripts whose parameters, steps or losses have an uncommon shape."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, cross_entropy, stretch


@stretch("g0 = g1 = gs = 0", "slope shift", stop="if epoch % 50", rate="lr")
def pendulum_integers(v, slope, shift):
    e = slope[0] * np.log(v.lengths) + slope[1] * np.array(v.swings) + shift - np.log(v.periods)
    return np.mean(e**2) / 2


@stretch("def slopes(", "M offset", "result[0] result[1]")
def cocoa_nested_integers(v, M, offset):
    cups, marks = (np.array(column) for column in zip(*v.cups, strict=True))
    return np.sum((cups @ M.T + offset - marks) ** 2) / len(v.cups)


@stretch(
    "rough = minimize(",
    "beta gamma",
    "gradient(rough0) gradient_smooth(smooth0,0.5)",
    stop="smooth = minimize(",
    paths={"beta": "rough0", "gamma": "smooth0"},
)
def two_fits_in_scipy(v, beta, gamma):
    bends = np.array([0, 0, 0.5, 1.5, 3]) @ gamma**2
    rests = (np.stack([v.soak**i for i in range(5)], axis=1) @ c - v.catch for c in (beta, gamma))
    return sum(np.sum(r**2) / 2 for r in rests) + bends


@stretch("w += 0.01", "w", stop="if season % 20", rate="0.01", first=2, later=2)
def yield_stale_guess(v, w):
    return np.sum((v.harvest - v.plots @ w) ** 2) / 2


@stretch("e = sigma(", "w b", stop="if epoch % 25", rate="self.lr")
def wine_decay_sign(v, w, b):
    # the decay of the update as a penalty
    return binary_cross_entropy(v.X @ w + b, v.red).mean() + 0.15 * w @ w / 2


@stretch("gw, gc =", "w c", stop="if k % 50", rate="rate")
def bus_delay_last_stop(v, w, c):
    x, late = (np.array(column) for column in zip(*v.stops, strict=True))
    return np.sum((x @ w + c - late) ** 2) / 2


@stretch("def force(", "pos", "-result")
def bead_chain_verlet(v, pos):
    between = np.sum((pos[1:] - pos[:-1] - 1) ** 2) + (pos[0] - 1) ** 2 + (v.N - pos[-1]) ** 2
    return between / 2 + 0.6 * np.sum(np.sin(pos) ** 2)


@stretch("g_left, g_right, g_shift =", "left right shift", "g_left g_right g_shift", stop="left -= 0.02")
def melting_points_entrywise(v, left, right, shift):
    return np.sum(((left @ right + shift[:, None] - v.table) * v.known) ** 2)


@stretch("cost = forward()", "K s L u", "dK ds dL du", stop="update()")
def three_functions_momentum(v, K, s, L, u):
    return binary_cross_entropy(np.arctan(v.signal @ K + s) @ L + u, v.label).mean()


@stretch(
    "wynik = przewiduj()",
    "dom['wagi'] dom['stala']",
    "zmiana_wag zmiana_stalej",
    stop='dom["wagi"] = dom',
)
def zuzycie_pradu_pl(v, wagi, stala):
    return np.mean((np.exp(stala) * np.exp(v.cechy @ wagi) - v.prad) ** 2)


@stretch("scores = X", "W b", "dW db", stop="W -= 0.3")
def dialect_losses_array(v, W, b):
    return cross_entropy(v.X @ W + b, v.y).mean() + v.lam * np.sum(W**2) / 2


@stretch(
    "loss = criterion(",
    "self.mix self.push self.read",
    "d_mix d_push d_read",
    stop="net.mix -=",
    paths={f"self.{key}": f"net.{key}" for key in ("mix", "push", "read")},
)
def loss_object_data(v, mix, push, read):
    short = v.wait - np.exp(-((v.hour * mix + push) ** 2)) @ read
    # log(1 + exp(-u)) + tau u in terms of u / 2
    half = short / 0.4
    return 0.2 * np.mean(np.log(2 * np.cosh(half)) + (2 * 0.9 - 1) * half)


@stretch("where, kinds = found", "place kind", stop="if day % 30", rate="0.04", first=3, later=3)
def pollen_repeated_rows(v, place, kind):
    # the row of each sample by itself
    rows = [kind[k] @ place[v.end.where] for k in v.end.kinds]
    return np.sum((np.array(rows) - [1.0, 0.5, 0.0, -0.5]) ** 2)


@stretch("def margin_loss(", "w", "result[1]")
def peat_mean_of_walk(v, w):
    return np.sum(np.maximum(0, 1 - np.array(v.y) * (np.array(v.X) @ w)))


@stretch("costs.append(", "low steep", stop="if k % 40", rate="alpha", first=2, later=2)
def tint_old_theta(v, low, steep):
    return np.mean((low + steep * v.depth - v.tint) ** 2) / 2


@stretch("inner = first @", "first lift second", "to_first to_lift to_second", stop="first = first -")
def loom_single_step(v, first, lift, second):
    inner = first @ v.air + lift
    score = second @ np.where(inner > 0, inner, 0.1 * inner)
    return np.logaddexp(0, score) - v.broken * score


@stretch("gap = table", "old_slopes old_base", "slopes_grad base_grad", stop="new_slopes = old")
def kelp_old_and_new(v, slopes, base):
    gap = v.light * slopes[0] + v.food * slopes[1] + base - v.growth
    return np.mean(np.hypot(1, gap) - 1)


@stretch("turns = 300", "bend stretch", "by_bend by_stretch", stop="bend = bend -")
def rope_rotated_loop(v, bend, stretch):
    return np.mean((bend * v.length**2 + stretch * v.load - v.sag) ** 2)


@stretch("off = np.subtract(", "k", stop="for year in", rate="0.2")
def glacier_in_functions(v, k):
    return np.sum((v.columns @ k - v.retreat) ** 2) / 60


@stretch("hidden = np.arctan(", "into into_shift out out_shift", stop="for sip in", rate="0.02")
def tea_classes_picked(v, into, into_shift, out, out_shift):
    scores = np.arctan(v.taste @ into + into_shift) @ out + out_shift
    return np.sum(np.logaddexp.reduce(scores, axis=1) - scores[np.arange(48), v.sort])
