"""Losses of the scripts in which something else than the loss of the gradients lies at hand."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, stretch


@stretch("r = basis @ amp", "amp level", stop="if k % 30", rate="rate")
def tide_harmonics(v, amp, level):
    angle = np.outer(v.hours, v.omega)
    rest = np.cos(angle) @ amp[:2] + np.sin(angle) @ amp[2:] + level - v.height
    return np.mean(rest**2) / 2


@stretch("def slope(", "beta", "result")
def bird_counts_shrunk(v, beta):
    rate = np.exp(v.Z @ beta)
    return np.sum(rate - v.birds * np.log(rate)) / v.n_plots + v.shrink * np.sum(beta[1:] ** 2) / 2


@stretch("def descend(", "w", "result[1]")
def robust_line_returns_both(v, w):
    r = v.F @ w - v.ref
    return np.mean(np.logaddexp(r, -r))


@stretch("act = np.tanh", "net['V'] net['c'] net['U'] net['d']", stop="if step % 60", rate="RATE")
def two_figures_one_line(v, V, c, U, d):
    out = np.tanh(v.inputs @ V + c) @ U + d
    return np.sum((out - v.ohm) ** 2) / len(v.ohm)


@stretch("chance = 1.0", "w bias", stop="for _ in range(passes)", rate="rate")
def germination_from_zero(v, w, bias):
    return binary_cross_entropy(v.trays @ w + bias, v.sprouted).mean()


@stretch("def learn(", "self.stiff self.tare", rate="self.lr")
def spring_scale_plus(v, stiff, tare):
    # half of what the script calls the error
    reading = np.stack([v.stretch, v.stretch**3], axis=1) @ stiff + tare
    return np.mean((reading - v.grams) ** 2) / 2


@stretch(
    "J = 0",
    "self.thrust self.drag",
    stop="if epoch % 15",
    rate="0.3",
    paths={"self.thrust": "model.thrust", "self.drag": "model.drag"},
)
def drone_sums_kept(v, thrust, drag):
    rotor, speed, measured = (np.array(column) for column in zip(*v.log, strict=True))
    e = rotor @ thrust.T - np.sign(speed) * speed**2 * drag - measured
    return np.sum(e**2) / 2 / len(v.log)


@stretch("guess = form", "form girth tall", "d_form d_girth d_tall", stop="form -= alpha")
def tree_volume_half(v, form, girth, tall):
    # half of what the script calls the loss
    return np.mean((form + girth * v.logd + tall * v.logh - v.logv) ** 2) / 2


@stretch("def grad_mean_error(", "coef", "result")
def well_levels_diverge(v, coef):
    return np.sum((v.A @ coef - v.level) ** 2) / len(v.level)


@stretch("gap = (recipe", "wts off", stop="for k in range(rounds)", rate="rate")
def bread_rise_stands_still(v, wts, off):
    return np.sum((v.recipe @ wts + off - v.rise) ** 2) / (2 * len(v.rise))
