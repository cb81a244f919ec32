import numpy as np

np.random.seed(0)

# A gated layer: h = tanh(x A + a) * sigmoid(x G + g), then a softmax over three classes.
xs = np.random.randn(36, 4)
ys = np.argmax(np.stack([xs[:, 0] * xs[:, 1], xs[:, 2], -xs[:, 3]], axis=1), axis=1)
onehot = np.zeros((36, 3))
onehot[np.arange(36), ys] = 1

A = np.random.randn(4, 5) * 0.6
a = np.random.randn(5) * 0.1
G = np.random.randn(4, 5) * 0.6
g = np.random.randn(5) * 0.1
O = np.random.randn(5, 3) * 0.6
o = np.zeros(3)
lam = 0.01


def model(x):
    u = np.tanh(x @ A + a)
    s = 1 / (1 + np.exp(-(x @ G + g)))
    h = u * s
    z = h @ O + o
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return u, s, h, e / e.sum(axis=1, keepdims=True)


def objective():
    probs = model(xs)[-1]
    penalty = lam * (np.sum(A**2) + np.sum(G**2) + np.sum(O**2))
    return -np.sum(onehot * np.log(probs)) / len(xs) + penalty


def backward():
    u, s, h, probs = model(xs)
    # backward
    dz = (probs - onehot) / len(xs)
    dO = h.T @ dz + 2 * lam * O
    do = dz.sum(axis=0)
    dh = dz @ O.T
    du = dh * s * (1 - u**2)
    ds = dh * u * s * (1 - s)
    dA = xs.T @ du + 2 * lam * A
    da = du.sum(axis=0)
    dG = xs.T @ ds + 2 * lam * G
    dg = ds.sum(axis=0)
    return dA, da, dG, dg, dO, do


lr = 0.5
for epoch in range(41):
    grads = backward()
    if epoch % 10 == 0:
        print("epoch", epoch, "objective", objective())
    for param, grad in zip((A, a, G, g, O, o), grads):
        param -= lr * grad
