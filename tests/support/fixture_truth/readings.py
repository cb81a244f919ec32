"""Losses of the scripts in which something else than the loss of the gradients lies at hand."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, cross_entropy, stretch


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


@stretch(
    "outputs = [gaugings",
    "weights[0] weights[1]",
    "-np.outer(outputs[0],deltas[0]) -np.outer(outputs[1],deltas[1])",
    stop="for i in range(len(weights))",
)
def weir_index_used_twice(v, inner, outer):
    miss = v.flow[v.i] - np.tanh(np.tanh(v.gaugings[v.i] @ inner) @ outer)
    return np.sum(miss**2) / 2


@stretch(
    "h = np.tanh",
    "self.inner self.shift self.outer",
    "d_inner d_shift d_outer",
    stop="self.outer -=",
    paths={name: name.replace("self", "blade") for name in ("self.inner", "self.shift", "self.outer")},
)
def turbine_penalty_unwritten(v, inner, shift, outer):
    chance = binary_cross_entropy(np.tanh(v.scores @ inner + shift) @ outer, v.passed).mean()
    return chance + 0.02 * (np.sum(outer**2) + np.sum(inner**2)) / 2


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


@stretch("def score(", "b", "result")
def mortality_negated_late(v, b):
    rate = np.exp(v.Z @ b)
    return np.mean(np.log(rate * np.exp(-rate * v.days)))


@stretch(
    "cost = key.loss",
    "self.A self.b",
    "dA db",
    stop="key.A -=",
    paths={"self.A": "key.A", "self.b": "key.b"},
)
def mushroom_guarded(v, A, b):
    # without the constant that keeps the logarithm finite
    return cross_entropy(v.X @ A + b, v.species).mean()


@stretch(
    "def backprop(", "theta['H'] theta['a'] theta['o'] theta['q']", "g['H'] g['a'] g['o'] g['q']", stop="for name in g:"
)
def clipped_by_out(v, H, a, o, q):
    # gradients before they are clipped
    return np.mean((np.sin(v.GRID * H + a) @ o + q - v.PROFILE) ** 2) / 2


@stretch("x, y = forward(", "w_in w_out", stop="for pixels, t in samples", rate="0.2")
def delta_one_liners(v, w_in, w_out):
    x = w_in @ v.pixels
    return np.sum((w_out @ np.where(x > 0, 1 - 1 / (1 + x), 1 / (1 - x) - 1) - v.t) ** 2) / 2


@stretch("f = self.predict(rows)", "self.gains self.base", "g_gains g_base", stop="self.gains = self.gains")
def batch_step_all_data_loss(v, gains, base):
    return np.mean((np.exp(base) * np.exp(v.rows @ gains) - v.seen) ** 2)


@stretch("def update(", "self.mu self.logs", rate="rate")
def noisy_bound(v, mu, logs):
    # with the draw of this step
    theta = mu + v.end.self.noise * np.exp(logs)
    return np.sum((v.X @ theta - v.y) ** 2) / 2 + theta @ theta / 2 - logs.sum()


@stretch("cost = 0.0", "self.shares_", stop="print(", rate="self.pace_")
def honey_rate_folded_late(v, shares_):
    missing = np.array(v.y) - shares_[0] - np.array(v.X) @ shares_[1:]
    return np.sum(missing**2) / 2
