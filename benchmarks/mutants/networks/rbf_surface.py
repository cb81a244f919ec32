# radial basis functions: centres, widths and heights are all learned
import numpy as np

rs = np.random.RandomState(6)
points = rs.uniform(-2, 2, size=(45, 2))
height = np.exp(-np.sum(points**2, axis=1)) - 0.3 * points[:, 0]


def start(n_basis):
    centres = rs.uniform(-1.5, 1.5, size=(n_basis, 2))
    log_width = rs.normal(0, 0.2, size=n_basis)
    amplitude = rs.normal(0, 0.5, size=n_basis)
    offset = 0.0
    return centres, log_width, amplitude, offset


def surface(centres, log_width, amplitude, offset, pts):
    diff = pts[:, None, :] - centres
    dist2 = np.sum(diff**2, axis=2)
    phi = np.exp(-dist2 * np.exp(-log_width))
    return phi @ amplitude + offset


def error(centres, log_width, amplitude, offset, pts, z):
    return np.mean((surface(centres, log_width, amplitude, offset, pts) - z) ** 2)


def derivatives(centres, log_width, amplitude, offset, pts, z):
    diff = pts[:, None, :] - centres
    dist2 = np.sum(diff**2, axis=2)
    inv = np.exp(-log_width)
    phi = np.exp(-dist2 * inv)
    r = phi @ amplitude + offset - z
    # backward
    dr = 2 * r / len(z)
    d_amplitude = phi.T @ dr
    d_offset = dr.sum()
    d_phi = np.outer(dr, amplitude)
    d_exponent = d_phi * phi
    d_log_width = np.sum(d_exponent * dist2 * inv, axis=0)
    d_dist2 = -d_exponent * inv
    d_centres = -2 * np.sum(d_dist2[:, :, None] * diff, axis=0)
    return d_centres, d_log_width, d_amplitude, d_offset


def train(steps=60, rate=0.1):
    centres, log_width, amplitude, offset = start(5)
    for s in range(steps):
        if s % 12 == 0:
            print("step", s, error(centres, log_width, amplitude, offset, points, height))
        dc, dl, da, do = derivatives(centres, log_width, amplitude, offset, points, height)
        centres = centres - rate * dc
        log_width = log_width - rate * dl
        amplitude = amplitude - rate * da
        offset = offset - rate * do
    return centres, log_width, amplitude, offset


train()
