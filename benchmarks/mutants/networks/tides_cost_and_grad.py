# tide height at two gauges from wind + pressure + moon, leaky relu net in a dict
import numpy as np

SLOPE = 0.1


def init(sizes, rng):
    p = {}
    for k in range(1, len(sizes)):
        p["W%d" % k] = rng.normal(0, 1 / np.sqrt(sizes[k - 1]), (sizes[k - 1], sizes[k]))
        p["b%d" % k] = rng.normal(0, 0.1, sizes[k])
    return p


def leaky(z):
    return np.where(z > 0, z, SLOPE * z)


def leaky_prime(z):
    return np.where(z > 0, 1.0, SLOPE)


def cost_and_grad(p, x, y):
    n = x.shape[0]
    z1 = x @ p["W1"] + p["b1"]
    h1 = leaky(z1)
    z2 = h1 @ p["W2"] + p["b2"]
    h2 = leaky(z2)
    yhat = h2 @ p["W3"] + p["b3"]
    cost = 0.5 * np.sum((yhat - y) ** 2) / n

    # backward pass
    g = {}
    d3 = (yhat - y) / n
    g["W3"] = h2.T @ d3
    g["b3"] = d3.sum(0)
    d2 = (d3 @ p["W3"].T) * leaky_prime(z2)
    g["W2"] = h1.T @ d2
    g["b2"] = d2.sum(0)
    d1 = (d2 @ p["W2"].T) * leaky_prime(z1)
    g["W1"] = x.T @ d1
    g["b1"] = d1.sum(0)
    return cost, g


rng = np.random.default_rng(5)
x = rng.normal(size=(48, 3))
y = np.stack([np.abs(x[:, 0]) - x[:, 1], np.maximum(x[:, 2], x[:, 0])], axis=1)
params = init([3, 6, 6, 2], rng)
rate = 0.1
for t in range(50):
    cost, grads = cost_and_grad(params, x, y)
    for key in params:
        params[key] = params[key] - rate * grads[key]
    if t % 10 == 0:
        print(t, cost)
print("end", cost_and_grad(params, x, y)[0])
