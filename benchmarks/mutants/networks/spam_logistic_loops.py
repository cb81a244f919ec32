# logistic regression + one hidden unit layer, without matrix products on purpose
import numpy as np

rng = np.random.default_rng(31)
n, d, k = 24, 3, 2
mails = rng.normal(size=(n, d))
spam = (mails[:, 0] * mails[:, 1] > 0).astype(float)

W = rng.normal(size=(k, d)) * 0.7
b = rng.normal(size=k) * 0.2
v = rng.normal(size=k) * 0.7
c = np.array([0.1])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hidden_of(x):
    h = np.zeros(k)
    for j in range(k):
        s = b[j]
        for i in range(d):
            s += W[j, i] * x[i]
        h[j] = sigmoid(s)
    return h


def loss():
    total = 0.0
    for x, t in zip(mails, spam):
        p = sigmoid(np.sum(v * hidden_of(x)) + c[0])
        total -= t * np.log(p) + (1 - t) * np.log(1 - p)
    return total / n


def compute_gradients():
    gW, gb = np.zeros((k, d)), np.zeros(k)
    gv, gc = np.zeros(k), np.zeros(1)
    for x, t in zip(mails, spam):
        h = hidden_of(x)
        p = sigmoid(np.sum(v * h) + c[0])
        # backward
        err = (p - t) / n
        gc[0] += err
        for j in range(k):
            gv[j] += err * h[j]
            back = err * v[j] * h[j] * (1 - h[j])
            gb[j] += back
            for i in range(d):
                gW[j, i] += back * x[i]
    return gW, gb, gv, gc


rate = 1.0
for epoch in range(25):
    gW, gb, gv, gc = compute_gradients()
    W -= rate * gW
    b -= rate * gb
    v -= rate * gv
    c -= rate * gc
    if epoch % 6 == 0:
        print("epoch", epoch, "loss", loss())
