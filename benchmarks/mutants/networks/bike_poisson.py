"""Poisson regression: bikes rented per hour."""
import numpy as np


def make_data(rng, n=80):
    warm = rng.normal(size=n)
    rain = rng.binomial(1, 0.3, n).astype(float)
    hour = rng.uniform(0, 2 * np.pi, n)
    design = np.column_stack([warm, rain, np.sin(hour), np.cos(hour)])
    rate = np.exp(1.0 + 0.3 * warm - 0.6 * rain + 0.4 * np.sin(hour))
    return design, rng.poisson(rate)


def neg_log_likelihood(coef, intercept, design, counts, lam):
    eta = design @ coef + intercept
    return np.mean(np.exp(eta) - counts * eta) + lam * np.sum(coef**2)


def gradient(coef, intercept, design, counts, lam):
    # backward
    eta = design @ coef + intercept
    residual = np.exp(eta) - counts
    dcoef = design.T @ residual / len(counts)
    dcoef += 2 * lam * coef
    dintercept = np.mean(residual)
    return dcoef, dintercept


rng = np.random.default_rng(2)
design, counts = make_data(rng)
coef, intercept = rng.normal(size=4) * 0.1, 0.5
step = 0.1
for it in range(60):
    dcoef, dintercept = gradient(coef, intercept, design, counts, lam=0.02)
    coef = coef - step * dcoef
    intercept = intercept - step * dintercept
    if it % 12 == 0:
        print("iteration", it, neg_log_likelihood(coef, intercept, design, counts, 0.02))
