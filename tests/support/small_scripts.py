"""Small training scripts in many styles, each with one mistake that can be planted into it.

The correct text is what a careful author would write; `old` and `new` differ in the one guilty expression. That the
correct texts are correct and the planted ones wrong was derived by hand for each pair: the comment in `bug` says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True)
class Pair:
    """A correct script and the mistake that is planted into it.

    Parameters
    ----------
    name : str
        The style.
    text : str
        The correct script.
    old, new : str
        The guilty expression, before and after; it occurs once.
    wrong : frozenset of str
        The parameters whose gradients are wrong then.
    right : frozenset of str
        The other parameters.
    """

    name: str
    text: str
    old: str
    new: str
    wrong: frozenset[str]
    right: frozenset[str]

    @property
    def correct(self) -> str:
        """The script without the mistake."""
        return self.text

    @property
    def planted(self) -> str:
        """The script with the mistake."""
        assert self.text.count(self.old) == 1, f"{self.name}: {self.old!r} must occur once"
        return self.text.replace(self.old, self.new)


def _pair(name: str, text: str, bug: tuple[str, str], wrong: str, right: str = "") -> Pair:
    text = dedent(text).lstrip("\n")
    return Pair(name, text, *bug, wrong=frozenset(wrong.split()), right=frozenset(right.split()))


DATA = """
import numpy as np

rng = np.random.default_rng(3)
X = rng.normal(size=(20, 3))
Y = rng.normal(size=(20, 2))
"""

PAIRS = (
    _pair(
        "positional-parameters",
        DATA
        + """
def forward(W1, b1, W2, b2, X):
    H = np.tanh(X @ W1 + b1)
    return H, H @ W2 + b2

def mse(P, Y):
    return np.sum((P - Y) ** 2) / len(Y)

def backprop(W1, b1, W2, b2, X, Y):
    H, P = forward(W1, b1, W2, b2, X)
    dP = 2 * (P - Y) / len(Y)
    dH = dP @ W2.T * (1 - H ** 2)
    return X.T @ dH, dH.sum(axis=0), H.T @ dP, dP.sum(axis=0)

W1, b1, W2, b2 = rng.normal(size=(3, 4)), np.zeros(4), rng.normal(size=(4, 2)), np.zeros(2)
for epoch in range(30):
    dW1, db1, dW2, db2 = backprop(W1, b1, W2, b2, X, Y)
    W1 -= 0.1 * dW1
    b1 -= 0.1 * db1
    W2 -= 0.1 * dW2
    b2 -= 0.1 * db2
print(mse(forward(W1, b1, W2, b2, X)[1], Y))
""",
        ("* (1 - H ** 2)", "* (1 - H)"),
        "W1 b1",
        "W2 b2",
    ),
    _pair(
        "array-globals",
        DATA
        + """
W = rng.normal(size=(3, 2))
b = np.zeros(2)

def loss():
    return np.mean((X @ W + b - Y) ** 2)

def gradient():
    R = 2 * (X @ W + b - Y) / Y.size
    return X.T @ R, R.sum(axis=0)

for step in range(40):
    grad_W, grad_b = gradient()
    W -= 0.3 * grad_W
    b -= 0.3 * grad_b
print(loss())
""",
        ("2 * (X @ W + b - Y) / Y.size", "1.3 * (X @ W + b - Y) / Y.size"),
        "W b",
    ),
    _pair(
        "dict-of-parameters",
        DATA
        + """
params = {"W": rng.normal(size=(3, 2)), "b": np.zeros((1, 2))}

def predict(params, X):
    return 1 / (1 + np.exp(-(X @ params["W"] + params["b"])))

def cost(params, X, Y):
    return np.mean((predict(params, X) - Y) ** 2)

def gradients(params, X, Y):
    P = predict(params, X)
    D = 2 * (P - Y) * P * (1 - P) / Y.size
    return {"W": X.T @ D, "b": D.sum(axis=0, keepdims=True)}

for step in range(40):
    grads = gradients(params, X, Y)
    for name in params:
        params[name] -= 2.0 * grads[name]
print(cost(params, X, Y))
""",
        ('"W": X.T @ D', '"W": X.T @ D * 2'),
        "params['W']",
        "params['b']",
    ),
    _pair(
        "loss-and-gradients-in-one",
        DATA
        + """
def loss_and_grad(W, b):
    R = X @ W + b - Y
    loss = 0.5 * np.sum(R ** 2) + 0.05 * np.sum(W ** 2)
    return loss, X.T @ R + 0.1 * W, R.sum(axis=0)

W, b = np.zeros((3, 2)), np.zeros(2)
for step in range(40):
    loss, dW, db = loss_and_grad(W, b)
    W = W - 0.01 * dW
    b = b - 0.01 * db
print(loss)
""",
        ("0.1 * W", "0.05 * W"),
        "W",
        "b",
    ),
    _pair(
        "class-with-methods",
        DATA
        + """
class Net:
    def __init__(self):
        self.W1 = rng.normal(size=(3, 5))
        self.W2 = rng.normal(size=(5, 2))

    def forward(self, X):
        self.H = np.maximum(X @ self.W1, 0)
        return self.H @ self.W2

    def loss(self, X, Y):
        return np.mean((self.forward(X) - Y) ** 2)

    def backward(self, X, Y):
        D = 2 * (self.forward(X) - Y) / Y.size
        dW2 = self.H.T @ D
        dW1 = X.T @ (D @ self.W2.T * (self.H > 0))
        return dW1, dW2

net = Net()
for step in range(50):
    dW1, dW2 = net.backward(X, Y)
    net.W1 -= 0.2 * dW1
    net.W2 -= 0.2 * dW2
print(net.loss(X, Y))
""",
        ("* (self.H > 0)", ""),
        "self.W1",
        "self.W2",
    ),
    _pair(
        "cache-handed-to-backward",
        DATA
        + """
def forward(X, W1, W2):
    Z = X @ W1
    H = np.tanh(Z)
    return H @ W2, (X, H, W2)

def loss_function(P, Y):
    return np.sum((P - Y) ** 2) / 2

def backward(P, Y, cache):
    X, H, W2 = cache
    D = P - Y
    return X.T @ ((D @ W2.T) * (1 - H * H)), H.T @ D

W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
for step in range(50):
    P, cache = forward(X, W1, W2)
    loss = loss_function(P, Y)
    dW1, dW2 = backward(P, Y, cache)
    W1 -= 0.01 * dW1
    W2 -= 0.01 * dW2
print(loss)
""",
        ("H.T @ D", "H.T @ D / len(Y)"),
        "W2",
        "W1",
    ),
    _pair(
        "stored-activations",
        DATA
        + """
class Model:
    def __init__(self):
        self.w = rng.normal(size=(3, 2)) * 0.3
        self.b = np.zeros(2)

    def forward(self, x):
        self.x = x
        self.p = 1 / (1 + np.exp(-(x @ self.w + self.b)))
        return self.p

    def compute_loss(self, t):
        return -np.mean(t * np.log(self.p) + (1 - t) * np.log(1 - self.p))

    def backward(self, t):
        d = (self.p - t) / t.size
        return self.x.T @ d, d.sum(axis=0)

    def train(self, x, t, lr):
        for step in range(60):
            self.forward(x)
            loss = self.compute_loss(t)
            grad_w, grad_b = self.backward(t)
            self.w -= lr * grad_w
            self.b -= lr * grad_b
        return loss

T = (Y > 0).astype(float)
model = Model()
print(model.train(X, T, 1.0))
""",
        ("d.sum(axis=0)", "d.mean(axis=0)"),
        "self.b",
        "self.w",
    ),
    _pair(
        "minibatch-generator",
        DATA
        + """
def batches(X, Y, size):
    order = rng.permutation(len(X))
    for start in range(0, len(X), size):
        rows = order[start:start + size]
        yield X[rows], Y[rows]

def loss(W, b, X, Y):
    return np.mean(np.sum((X @ W + b - Y) ** 2, axis=1))

def gradients(W, b, X, Y):
    D = 2 * (X @ W + b - Y) / len(X)
    return X.T @ D, D.sum(axis=0)

W, b = rng.normal(size=(3, 2)), np.zeros(2)
for epoch in range(8):
    for xb, yb in batches(X, Y, 5):
        dW, db = gradients(W, b, xb, yb)
        W -= 0.05 * dW
        b -= 0.05 * db
print(loss(W, b, X, Y))
""",
        ("X.T @ D", "X.T @ D / len(X)"),
        "W",
        "b",
    ),
    _pair(
        "nested-number-lists",
        """
        W = [[0.3, -0.2], [0.1, 0.4]]
        b = [0.0, 0.1]
        data = [([1.0, 2.0], [0.5, 1.0]), ([0.0, 1.0], [1.0, 0.0]), ([2.0, -1.0], [0.3, 0.3])]

        def predict(x):
            return [sum(W[i][j] * x[j] for j in range(2)) + b[i] for i in range(2)]

        def error(x, t):
            return sum((p - q) ** 2 for p, q in zip(predict(x), t)) / 2

        def gradients(x, t):
            d = [p - q for p, q in zip(predict(x), t)]
            dW = [[d[i] * x[j] for j in range(2)] for i in range(2)]
            db = [d[i] for i in range(2)]
            return dW, db

        for epoch in range(20):
            total = 0
            for x, t in data:
                total += error(x, t)
                dW, db = gradients(x, t)
                for i in range(2):
                    b[i] -= 0.05 * db[i]
                    for j in range(2):
                        W[i][j] -= 0.05 * dW[i][j]
        print(total)
        """,
        ("d[i] * x[j]", "d[j] * x[i]"),
        "W",
        "b",
    ),
    _pair(
        "gradient-ascent",
        DATA
        + """
labels = (Y[:, 0] > 0).astype(float)

def log_likelihood(w, c):
    z = X @ w + c
    return np.sum(labels * z - np.log(1 + np.exp(z)))

def gradient(w, c):
    p = 1 / (1 + np.exp(-(X @ w + c)))
    return X.T @ (labels - p), np.sum(labels - p)

w, c = np.zeros(3), 0.0
for step in range(60):
    dw, dc = gradient(w, c)
    w += 0.05 * dw
    c += 0.05 * dc
print(log_likelihood(w, c))
""",
        ("np.sum(labels - p)", "np.mean(labels - p)"),
        "c",
        "w",
    ),
    _pair(
        "dropout-with-the-global-generator",
        """
        import numpy as np

        np.random.seed(5)
        X = np.random.randn(16, 4)
        y = np.random.randn(16, 1)
        W1 = np.random.randn(4, 6) * 0.5
        W2 = np.random.randn(6, 1) * 0.5

        def train_step(W1, W2, X, y):
            H = np.tanh(X @ W1)
            mask = (np.random.rand(*H.shape) > 0.3) / 0.7
            D = H * mask
            out = D @ W2
            loss = np.mean((out - y) ** 2)
            g = 2 * (out - y) / len(y)
            dW2 = D.T @ g
            dW1 = X.T @ (g @ W2.T * mask * (1 - H ** 2))
            return loss, dW1, dW2

        for i in range(30):
            loss, dW1, dW2 = train_step(W1, W2, X, y)
            W1 -= 0.1 * dW1
            W2 -= 0.1 * dW2
        print(loss)
        """,
        ("g @ W2.T * mask", "g @ W2.T"),
        "W1",
        "W2",
    ),
    _pair(
        "dropout-with-an-own-generator",
        """
        import numpy as np

        class DropoutNet:
            def __init__(self, seed):
                self.rng = np.random.default_rng(seed)
                self.W1 = self.rng.normal(size=(4, 6)) * 0.5
                self.W2 = self.rng.normal(size=(6, 1)) * 0.5

            def loss_and_grads(self, X, y):
                H = np.tanh(X @ self.W1)
                mask = self.rng.random(H.shape) > 0.3
                D = H * mask
                out = D @ self.W2
                loss = np.mean((out - y) ** 2)
                g = 2 * (out - y) / len(y)
                return loss, {"W1": X.T @ (g @ self.W2.T * mask * (1 - H ** 2)), "W2": D.T @ g}

        data = np.random.default_rng(0)
        X, y = data.normal(size=(16, 4)), data.normal(size=(16, 1))
        net = DropoutNet(1)
        for i in range(30):
            loss, grads = net.loss_and_grads(X, y)
            net.W1 -= 0.1 * grads["W1"]
            net.W2 -= 0.1 * grads["W2"]
        print(loss)
        """,
        ('"W2": D.T @ g', '"W2": H.T @ g'),
        "self.W2",
        "self.W1",
    ),
    _pair(
        "parameters-that-start-as-integers",
        """
        xs = [1, 2, 3, 4]
        ys = [3, 5, 8, 9]
        m = 0
        c = 0

        def loss(m, c):
            return sum((m * x + c - y) ** 2 for x, y in zip(xs, ys)) / len(xs)

        def gradient(m, c):
            dm = sum(2 * (m * x + c - y) * x for x, y in zip(xs, ys)) / len(xs)
            dc = sum(2 * (m * x + c - y) for x, y in zip(xs, ys)) / len(xs)
            return dm, dc

        for step in range(100):
            dm, dc = gradient(m, c)
            m -= 0.02 * dm
            c -= 0.02 * dc
        print(m, c, loss(m, c))
        """,
        ("dc = sum(2 * (m * x + c - y)", "dc = sum((m * x + c - y)"),
        "c",
        "m",
    ),
    _pair(
        "integer-arrays",
        """
        import numpy as np

        x = np.array([[1, 2], [3, 5], [2, 2], [0, 1]])
        t = np.array([1, 4, 2, 3])

        def loss(w):
            return np.mean((x.dot(w) - t) ** 2)

        def grad(w):
            return 2 * x.T.dot(x.dot(w) - t) / len(t)

        w = np.array([0, 0])
        for step in range(50):
            w = w - 0.01 * grad(w)
        print(w, loss(w))
        """,
        ("2 * x.T", "1.3 * x.T"),
        "w",
    ),
    _pair(
        "learning-rate-folded-in",
        """
        import math
        import random

        random.seed(1)
        lr = 0.3
        a, b = 0.5, -0.2
        points = [(x / 5, math.sin(x / 5)) for x in range(10)]

        def model(x, a, b):
            return math.tanh(a * x + b)

        def loss(p, y):
            return (p - y) ** 2

        def step(x, y, a, b):
            p = model(x, a, b)
            error = p - y
            delta_a = lr * 2 * error * (1 - p * p) * x
            delta_b = lr * 2 * error * (1 - p * p)
            return delta_a, delta_b

        for i in range(300):
            x, y = random.choice(points)
            delta_a, delta_b = step(x, y, a, b)
            a -= delta_a
            b -= delta_b
        print(loss(model(1.0, a, b), math.sin(1.0)))
        """,
        ("(1 - p * p) * x", "(1 - p) * x"),
        "a",
        "b",
    ),
    _pair(
        "main-function",
        """
        import numpy as np

        def softmax(Z):
            E = np.exp(Z - Z.max(axis=1, keepdims=True))
            return E / E.sum(axis=1, keepdims=True)

        def cross_entropy(P, t):
            return -np.mean(np.log(P[np.arange(len(t)), t]))

        def compute_gradients(W, b, X, t):
            P = softmax(X @ W + b)
            P[np.arange(len(t)), t] -= 1
            P /= len(t)
            return X.T @ P, P.sum(axis=0)

        def main():
            rng = np.random.default_rng(8)
            X = rng.normal(size=(30, 4))
            t = rng.integers(0, 3, size=30)
            W = rng.normal(size=(4, 3))
            b = np.zeros(3)
            for epoch in range(40):
                dW, db = compute_gradients(W, b, X, t)
                W -= 0.5 * dW
                b -= 0.5 * db
                loss = cross_entropy(softmax(X @ W + b), t)
            print(loss)

        if __name__ == "__main__":
            main()
        """,
        ("P /= len(t)", "P /= 3"),
        "W b",
    ),
    _pair(
        "list-of-layers",
        DATA
        + """
sizes = [3, 5, 4, 2]
weights = [rng.normal(size=(n, m)) / np.sqrt(n) for n, m in zip(sizes, sizes[1:])]
biases = [np.zeros(m) for m in sizes[1:]]

def feedforward(X):
    activations = [X]
    for W, b in zip(weights, biases):
        activations.append(np.tanh(activations[-1] @ W + b))
    return activations

def loss(X, Y):
    return np.sum((feedforward(X)[-1] - Y) ** 2) / len(X)

def backprop(X, Y):
    A = feedforward(X)
    delta = 2 * (A[-1] - Y) / len(X) * (1 - A[-1] ** 2)
    nabla_w = [None] * 3
    nabla_b = [None] * 3
    for l in (2, 1, 0):
        nabla_w[l] = A[l].T @ delta
        nabla_b[l] = delta.sum(axis=0)
        delta = delta @ weights[l].T * (1 - A[l] ** 2)
    return nabla_w, nabla_b

for epoch in range(30):
    nabla_w, nabla_b = backprop(X, Y)
    for l in range(3):
        weights[l] -= 0.1 * nabla_w[l]
        biases[l] -= 0.1 * nabla_b[l]
print(loss(X, Y))
""",
        ("A[l].T @ delta", "A[l].T @ delta / len(X)"),
        "weights[0] weights[1] weights[2]",
        "biases[0] biases[1] biases[2]",
    ),
    _pair(
        "theta-and-objective",
        """
        import numpy as np

        t = np.linspace(0, 4, 25)
        y = 2.0 * np.exp(-0.7 * t) + 0.1

        def objective(theta):
            a, k, c = theta
            return np.sum((a * np.exp(-k * t) + c - y) ** 2)

        def jac(theta):
            a, k, c = theta
            e = np.exp(-k * t)
            r = 2 * (a * e + c - y)
            return np.array([np.sum(r * e), np.sum(-r * a * t * e), np.sum(r)])

        theta = np.array([1.0, 0.3, 0.0])
        for step in range(200):
            theta = theta - 0.005 * jac(theta)
        print(theta, objective(theta))
        """,
        ("-r * a * t * e", "-r * a * e"),
        "k",
        "a c",
    ),
    _pair(
        "one-weight-function-of-one-argument",
        """
        k = 3.0

        def f(k):
            return (k - 1) ** 4 + k

        def df(k):
            return 4 * (k - 1) ** 3 + 1

        for i in range(50):
            k -= 0.01 * df(k)
        print(k, f(k))
        """,
        ("** 3", "** 2"),
        "k",
    ),
    _pair(
        "static-methods",
        DATA
        + """
class Linear:
    @staticmethod
    def loss(W, X, Y):
        return np.sum((X @ W - Y) ** 2) / (2 * len(X))

    @staticmethod
    def gradient(W, X, Y):
        dW = X.T @ (X @ W - Y) / len(X)
        return dW

W = rng.normal(size=(3, 2))
for i in range(20):
    dW = Linear.gradient(W, X, Y)
    W -= 0.1 * dW
print(Linear.loss(W, X, Y))
""",
        ("dW = X.T @ (X @ W - Y)", "dW = X.T @ (X @ W + Y)"),
        "W",
    ),
    _pair(
        "private-attributes",
        DATA
        + """
class Regression:
    def __init__(self):
        self.__w = np.zeros((3, 2))
        self.__b = np.zeros(2)

    def predict(self, X):
        return X @ self.__w + self.__b

    def loss(self, X, Y):
        return np.mean((self.predict(X) - Y) ** 2)

    def gradients(self, X, Y):
        D = 2 * (self.predict(X) - Y) / Y.size
        dw = X.T @ D
        db = D.sum(axis=0)
        return dw, db

    def fit(self, X, Y):
        for i in range(30):
            dw, db = self.gradients(X, Y)
            self.__w -= 0.3 * dw
            self.__b -= 0.3 * db
        return self

print(Regression().fit(X, Y).loss(X, Y))
""",
        ("dw = X.T @ D", "dw = X.T @ D * 3"),
        "self.__w",
        "self.__b",
    ),
    _pair(
        "german",
        """
        import numpy as np

        erzeuger = np.random.default_rng(4)
        Größe = erzeuger.normal(size=(12, 2))
        Höhe = erzeuger.normal(size=12)
        gewichte = erzeuger.normal(size=2)

        def verlust(gewichte):
            return np.mean((Größe @ gewichte - Höhe) ** 2)

        def ableitung_gradient(gewichte):
            return 2 * Größe.T @ (Größe @ gewichte - Höhe) / len(Höhe)

        for schritt in range(30):
            gewichte = gewichte - 0.1 * ableitung_gradient(gewichte)
        print(verlust(gewichte))
        """,
        ("2 * Größe.T", "1.3 * Größe.T"),
        "gewichte",
    ),
    _pair(
        "adam",
        DATA
        + """
def loss(W):
    return np.mean((np.sin(X @ W) - Y) ** 2)

def grad(W):
    return X.T @ (2 * (np.sin(X @ W) - Y) * np.cos(X @ W)) / Y.size

W = rng.normal(size=(3, 2))
m, v = np.zeros_like(W), np.zeros_like(W)
for t in range(1, 40):
    g = grad(W)
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    W -= 0.01 * (m / (1 - 0.9 ** t)) / (np.sqrt(v / (1 - 0.999 ** t)) + 1e-8)
print(loss(W))
""",
        ("np.cos(X @ W)", "-np.cos(X @ W)"),
        "W",
    ),
    _pair(
        "float32",
        """
        import numpy as np

        rng = np.random.default_rng(2)
        X = rng.normal(size=(40, 6)).astype(np.float32)
        Y = rng.normal(size=(40, 1)).astype(np.float32)
        W = (rng.normal(size=(6, 1)) * 0.5).astype(np.float32)

        def loss(W):
            return np.mean((np.tanh(X @ W) - Y) ** 2)

        def gradient(W):
            P = np.tanh(X @ W)
            dW = X.T @ (2 * (P - Y) * (1 - P * P)) / np.float32(len(Y))
            return dW

        for i in range(20):
            dW = gradient(W)
            W -= np.float32(0.1) * dW
        print(loss(W))
        """,
        ("(1 - P * P)", "(1 - P)"),
        "W",
    ),
)
