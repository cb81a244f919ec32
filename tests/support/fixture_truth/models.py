"""Losses of the scripts that fit something other than a network."""

from __future__ import annotations

import numpy as np

from .registry import binary_cross_entropy, cross_entropy, sigmoid, stretch


@stretch("m = len(y)", "theta", "result[1]", hidden="theta")
def cost_function_reg(v, theta):
    penalty = v.lam / 2 * np.sum(theta[1:] ** 2)
    return (np.sum(binary_cross_entropy(v.X @ theta, v.y)) + penalty) / len(v.y)


@stretch("a1, z2, a2, h = feedForward(", "nn_params", "result")
def nn_cost_unrolled(v, params):
    first, second = params[:16].reshape(4, 4), params[16:].reshape(3, 5)
    z = sigmoid(v.X @ first[:, 1:].T + first[:, 0]) @ second[:, 1:].T + second[:, 0]
    penalty = 0.15 * (np.sum(first[:, 1:] ** 2) + np.sum(second[:, 1:] ** 2))
    return (np.sum(binary_cross_entropy(z, v.Y)) + penalty) / len(v.X)


@stretch("def dssq(", "p", "result")
def enzyme_kinetics(v, p):
    vmax, km, ki = p
    return sum((vmax * s / (km + s + s * s / ki) - speed) ** 2 for s, speed in zip(v.S, v.v, strict=True))


@stretch("def gradient(", "beta", "result")
def poisson_counts(v, beta):
    rate = np.exp(v.design @ beta)
    return -np.sum(v.trips * np.log(rate) - rate)


@stretch("chi = 0.0", "N0 k", "dN0 dk", stop="N0 -= 0.01")
def radioactive(v, N0, k):
    return np.sum((N0 * np.exp(-k * np.array(v.minutes)) + 0.08 - np.array(v.counts)) ** 2)


_VAE = ("w_mu", "b_mu", "w_lv", "b_lv", "w_dec", "b_dec")


@stretch(
    "def elbo_grads(",
    " ".join(f"p['{key}']" for key in _VAE),
    " ".join(f"result['{key}']" for key in _VAE),
)
def vae_frozen_noise(v, w_mu, b_mu, w_lv, b_lv, w_dec, b_dec):
    mean, variance = v.X @ w_mu + b_mu, np.exp(v.X @ w_lv + b_lv)
    squares = (((mean + np.sqrt(variance) * v.EPS) @ w_dec + b_dec - v.X) ** 2).sum()
    divergence = (variance + mean**2 - 1 - np.log(variance)).sum()
    return (squares + divergence) / 2 / len(v.X)


@stretch("grad = -policy(prefs)", "prefs", "result")
def bandit_reinforce(v, prefs):
    return v.advantage * (prefs[v.arm] - np.log(np.exp(prefs).sum()))


@stretch("def log_likelihood_grad(", "means logits", "result[0] result[1]")
def gaussian_mixture(v, means, logits):
    density = 0.0
    for mean, logit in zip(means, logits, strict=True):
        distance = np.sum((v.data - mean) ** 2, axis=1)
        density = density + np.exp(logit) / np.exp(logits).sum() * np.exp(-2 * distance) / (np.pi / 2)
    return np.mean(np.log(density))


@stretch("e = r - mu", "P Q", rate="lr")
def ratings_mf(v, P, Q):
    p, q = P[v.u], Q[v.g]
    return (v.r - v.mu - np.sum(p * q)) ** 2 + v.reg * (np.sum(p**2) + np.sum(q**2))


@stretch("dw = w.copy()", "w b", "result[0] result[1]")
def svm_hinge(v, w, b):
    return np.sum(w**2) / 2 + np.sum(np.maximum(0, 1 - v.y * (v.X @ w + b)))


@stretch("n = len(customers)", "coefficients intercept", "result[0] result[1]")
def logreg_plain_lists(v, coefficients, intercept):
    return binary_cross_entropy(np.array(v.customers) @ coefficients + intercept, np.array(v.came_back)).mean()


@stretch(
    "model.zero_grad()",
    "model.a.value model.b.value model.c.value",
    "model.a.grad model.b.grad model.c.grad",
    stop="for p in model.parameters()",
    paths={f"self.{key}.value": f"model.{key}.value" for key in "abc"},
    later=2,
    hidden="model.a.value model.b.value model.c.value",
)
def zero_grad_object(v, a, b, c):
    return np.mean((a * np.sin(v.xs) + b * v.xs + c - v.ys) ** 2) / 2


@stretch("g_base = 0", "score base", "result[0] result[1]")
def count_features(v, score, base):
    return np.sum((v.table @ score + base - v.stars) ** 2) / 2


@stretch(
    "r = model(f0, k, t0) - measured",
    "f0 k t0",
    "result[0] result[1] result[2]",
    sizes={"k": 1e-8, "f0": 10.0, "t0": 10.0},
    rtol=1e-5,
)
def badly_scaled(v, f0, k, t0):
    # the difference of two large numbers, taken before it loses its digits
    offset = (f0 - 1e7) - f0 * k * (v.temperature - t0) ** 2
    return np.sum((offset - (v.measured - 1e7)) ** 2) / 2


@stretch("i, j = number[w]", "rating white_bonus", stop="for season in", rate="-0.02", first=10, later=10)
def chess_ratings_ascent(v, rating, white_bonus):
    # the last game of the first season
    lead = rating[v.number[v.w]] + white_bonus - rating[v.number[v.b]]
    return -np.log1p(np.exp(-lead if v.result else lead))


@stretch("residual = xb.dot", "params['w'] params['b']", "result['w'] result['b']")
def random_minibatches(v, w, b):
    return np.mean((v.xb @ w + b - v.yb) ** 2)


@stretch("P = self._probs(X)", "self.theta", "result")
def sum_convention(v, theta):
    return cross_entropy(v.X @ theta[:, :2].T + theta[:, 2], v.Y.argmax(axis=1)).sum()


@stretch("def gradient(", "self.phi self.constante", "result[0] result[1]")
def prevision_fr(v, phi, constant):
    s = np.asarray(v.serie)
    return np.mean((constant + phi[0] * s[23:-1] + phi[1] * s[22:-2] + phi[2] * s[:-24] - s[24:]) ** 2)


@stretch("dW = np.zeros(W.shape)", "W", "result[1]")
def multiclass_svm(v, W):
    scores = v.X @ W
    own = scores[np.arange(len(v.y)), v.y]
    # the own class adds one to every sample
    hinges = np.maximum(scores - own[:, None] + 1, 0).sum() / len(v.y) - 1
    return hinges + v.reg * np.sum(W**2)


@stretch("def neg_log_lik_grad(", "theta", "result")
def noise_level_fit(v, theta):
    residual = np.array(v.temp) - theta[0] - theta[1] * np.array(v.depth)
    return np.sum(residual**2) * np.exp(-2 * theta[2]) / 2 + len(residual) * theta[2]


@stretch("def slopes(", "theta", "result[theta.index]")
def ferry_fares_series(v, theta):
    # by positions, and the constant last
    gap = v.trips[list(v.theta.index)].to_numpy(float) @ theta - v.paid.to_numpy()
    return np.mean(gap**2) / 2 + 0.05 * theta[:3] @ theta[:3]


@stretch("miss = X @ w - y", "w", "dw", stop="w = w")
def harvest_objects(v, w):
    rows = np.array(v.table[:, 1:].tolist())
    return np.mean((rows[:, 0] * w[0] + rows[:, 1] * w[1] - rows[:, 2]) ** 2)


@stretch("misses = ", "weight bias", "d_weight d_bias", stop="weight[0][0] -=")
def snail_pace_nested(v, weight, bias):
    return np.mean((np.array(v.rain) * weight[0, 0] + bias[0] - np.array(v.metres)) ** 2)
