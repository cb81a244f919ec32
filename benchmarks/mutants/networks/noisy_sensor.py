# Regression with two heads: the value and how sure we are (log variance).
import numpy as np

rng = np.random.default_rng(55)


class Sensor:
    def __init__(self, n_in=2, n_hidden=6):
        self.W = rng.normal(0, 0.8, (n_in, n_hidden))
        self.b = rng.normal(0, 0.3, n_hidden)
        self.w_mean = rng.normal(0, 0.4, n_hidden)
        self.b_mean = np.zeros(1)
        self.w_logvar = rng.normal(0, 0.4, n_hidden)
        self.b_logvar = np.zeros(1)

    def forward(self, x):
        self.pre = x @ self.W + self.b
        self.h = np.log1p(np.exp(self.pre))
        self.mean = self.h @ self.w_mean + self.b_mean
        self.logvar = self.h @ self.w_logvar + self.b_logvar
        return self.mean, self.logvar

    def nll(self, x, y):
        mean, logvar = self.forward(x)
        return 0.5 * np.mean(logvar + (y - mean) ** 2 / np.exp(logvar))

    def train_step(self, x, y, lr):
        n = len(y)
        self.forward(x)
        precision = np.exp(-self.logvar)
        error = self.mean - y
        # backward
        dmean = error * precision / n
        dlogvar = 0.5 * (1 - error**2 * precision) / n
        dh = np.outer(dmean, self.w_mean) + np.outer(dlogvar, self.w_logvar)
        dpre = dh / (1 + np.exp(-self.pre))
        self.w_mean -= lr * self.h.T @ dmean
        self.b_mean -= lr * dmean.sum()
        self.w_logvar -= lr * self.h.T @ dlogvar
        self.b_logvar -= lr * dlogvar.sum()
        self.W -= lr * x.T @ dpre
        self.b -= lr * dpre.sum(axis=0)


x = rng.uniform(-1, 1, (50, 2))
y = np.sin(2 * x[:, 0]) + (0.1 + 0.3 * np.abs(x[:, 1])) * rng.normal(size=50)
sensor = Sensor()
for epoch in range(80):
    sensor.train_step(x, y, lr=0.02)
    if epoch % 20 == 0:
        print(f"epoch {epoch}: nll {sensor.nll(x, y):.5f}")
print(f"done: nll {sensor.nll(x, y):.5f}")
