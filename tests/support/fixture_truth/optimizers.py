"""Losses of the scripts that hand their derivatives to optimizers.

Of functions with several values, the sum of these is taken, and of their derivatives the sum over the values.
"""

from __future__ import annotations

import numpy as np

from .registry import stretch


@stretch(
    "both = root(",
    "u w",
    "imbalance_jac(u0).sum(0) np.sum(with_jac(w0,30.0)[1],0)",
    stop="one = root(",
    paths={"u": "u0", "w": "w0"},
)
def buffer_balance_root(v, u, w):
    def charge(h, salt, ions):
        return h + salt - 1e-4 / h - ions

    def mass(h, ion, k):
        return ion * (h + 10 ** (5 - v.pKa[k])) - 10 ** (5 - v.pKa[k]) * v.total[k]

    return (
        charge(u[0], 60, u[1] + u[2]) + mass(u[0], u[1], 0) + mass(u[0], u[2], 1) + charge(w[0], 30, w[1]) + mass(*w, 0)
    )


@stretch("def netFlowCols(", "level", "np.sum(result,1)")
def two_tanks_fsolve(v, level):
    # what leaves the first tank enters the second
    return 3.0 - 1.5 * level[1] ** 0.5 + 0 * level[0]


@stretch(
    "farthest = root_scalar(",
    "E d d2",
    "dkepler(guess,ecc,M) dspeed(early) d2speed(near)",
    stop="closest = root_scalar(",
    paths={"E": "guess", "d": "early", "d2": "near"},
)
def kepler_orbits_newton(v, E, d, d2):
    return np.sum(E) - 0.83 * np.sum(np.sin(E)) + d * (0.06 * d - 0.62) + 0.12 * d2


@stretch("def neg_loglik(", "coef", "result[1]")
def bus_or_bike_tnc(v, coef):
    score = np.column_stack([np.ones(v.n), v.minutes, v.rain]) @ coef
    return np.sum(np.logaddexp(0, score) - v.took_bus * score) + 4 * np.sum(coef**2)


@stretch(
    "best = fmin_slsqp(",
    "z y q",
    "tin_slope(z0,0.35) volume_slope(z0,0.35).sum(0) room_slope(z0,0.35).sum(0)",
    stop='print("radius',
    paths={"z": "z0", "y": "z0", "q": "z0"},
)
def can_design_slsqp(v, z, y, q):
    tin = 2 * np.pi * z[0] ** 2 + 2 * np.pi * z[0] * z[1] + 0.35 * z[1]
    return tin + np.pi * y[1] * y[0] ** 2 - q[1] + (q[1] - q[0]) * (q[1] + q[0])


@stretch(
    "full = minimize(",
    "beta beta_i beta_p",
    "score(beta0) information(beta0).sum(0) information_times(beta0,np.ones(3))",
    stop="some = fmin_ncg(",
    paths={"beta": "beta0", "beta_i": "beta0", "beta_p": "beta0"},
)
def ticks_newton_cg(v, beta, beta_i, beta_p):
    def slopes(b):
        rate = np.exp(b[0] + b[1] * v.alt + b[2] * v.alt**2)
        return np.sum((rate - v.ticks) * (1 + v.alt + v.alt**2)) + 8 * np.sum(b)

    eta = beta[0] + beta[1] * v.alt + beta[2] * v.alt**2
    return np.sum(np.exp(eta) - v.ticks * eta) + 4 * np.sum(beta**2) + slopes(beta_i) + slopes(beta_p)


@stretch(
    "atoms = basinhopping(",
    "pos xy st",
    "forces_back(pos0) sheet_slope(xy0,0.1) np.array(crease_slope(st0))",
    stop="dent = shgo(",
    paths={"pos": "pos0", "xy": "xy0", "st": "st0"},
    # atoms that come close repel each other with a power of twelve
    sizes={"pos": 0.2},
)
def argon_clusters_global(v, pos, xy, st):
    atoms = pos.reshape(3, 3)
    r = np.linalg.norm(atoms[[0, 0, 1]] - atoms[[1, 2, 2]], axis=1)
    sheet = (np.sin(xy[0] + 2 * xy[1]) + np.sin(xy[0] - 2 * xy[1])) / 2 + 0.1 * np.sum(xy**2)
    return 4 * np.sum(r**-12 - r**-6) + sheet + np.log1p(st[0] ** 2) + np.cos(3 * st[1]) + 0.2 * st[1] ** 2


@stretch(
    "best = minimize(",
    "w p r g",
    "marginal(w0) cons[0]['jac'](w0) cons[1]['jac'](w0) cons[2]['jac'](w0)",
    stop='print("shares"',
    paths=dict.fromkeys("wprg", "w0"),
)
def savings_constraints(v, w, p, r, g):
    risk = sum(w[i] * w[j] * v.C[i, j] for i in range(4) for j in range(4)) / 2
    return risk + p.sum() + 100 * np.sum(v.mean * r) - 2 * np.sum(r**2) - g[0] ** 2 - g[1] ** 2


@stretch(
    "res = minimize(",
    "c z x y g",
    "height_grad(c0) flat(c0).sum(0) pieces_jac(c0).sum(0) pieces_hess(c0,np.arange(1.0,4.0)).sum(0) "
    "above_ground_jac(c0).sum(0)",
    stop='print("hangs',
    paths=dict.fromkeys("czxyg", "c0"),
)
def cable_trust_constr(v, c, z, x, y, g):
    squares = x[0] ** 2 + (x[1] - x[0]) ** 2 + (3 - x[1]) ** 2 + x[2] ** 2 + (x[3] - x[2]) ** 2 + x[3] ** 2
    # the slopes of all pieces, times 1, 2 and 3: what hangs between two weights moves with both
    slopes = 2 * (y[0] + y[2]) - 6 * (3 - y[1] - y[3])
    return c[2] + 2 * c[3] + 0 * z[0] + squares + slopes + g[2] + g[3] - (g[0] ** 2 + g[1] ** 2) / 10


@stretch(
    "numbers = approx_fprime(",
    "theta lam",
    "misfit_slope(theta0,dose,alive) relapse_slope(lam0)",
    stop="mine =",
    paths={"theta": "theta0", "lam": "lam0"},
    sizes={"lam": 0.2},
)
def dose_checked_twice(v, theta, lam):
    dead = np.tanh(theta[1] * (np.log(v.dose) - theta[0]) / 2) / 2
    rate = lam[0] * v.dose + lam[1]
    return np.sum((0.5 - dead - v.alive) ** 2) + np.sum(rate - v.alive * np.log(rate))


@stretch(
    "popt, pcov =",
    "amp tau base q s",
    "model_jac(t,amp0,tau0,base0).sum(0)[0] model_jac(t,amp0,tau0,base0).sum(0)[1] "
    "model_jac(t,amp0,tau0,base0).sum(0)[2] rest_jac(q0).sum(0) np.sum(stretched_rows(s0,t,glow),1)",
    stop="power = least_squares(",
    paths={"amp": "amp0", "tau": "tau0", "base": "base0", "q": "q0", "s": "s0"},
)
def lamp_decay_fits(v, amp, tau, base, q, s):
    power = q[0] / (1 + 2 * q[1] * v.t + (q[1] * v.t) ** 2)
    return np.sum(amp / np.exp(v.t / tau) + base + power + s[0] * np.exp(-(v.t**0.8) * s[1] ** 0.8))
