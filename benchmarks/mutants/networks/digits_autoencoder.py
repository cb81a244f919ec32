import numpy as np

# compress 8 pixels to 3 numbers and back
rng = np.random.default_rng(77)
codes = rng.normal(size=(40, 3))
pixels = 1 / (1 + np.exp(-(codes @ rng.normal(size=(3, 8)))))


class AutoEncoder(object):
    def __init__(self, n_pixels, n_code):
        s = 1 / np.sqrt(n_pixels)
        self.enc = rng.uniform(-s, s, (n_pixels, n_code)) * 2
        self.enc_b = np.zeros(n_code) + 0.05
        self.dec = rng.uniform(-s, s, (n_code, n_pixels)) * 2
        self.dec_b = np.zeros(n_pixels)
        self.sparsity = 0.01

    def encode(self, x):
        return np.tanh(x @ self.enc + self.enc_b)

    def decode(self, z):
        return 1 / (1 + np.exp(-(z @ self.dec + self.dec_b)))

    def loss(self, x):
        z = self.encode(x)
        r = self.decode(z)
        return 0.5 * np.sum((r - x) ** 2) / len(x) + self.sparsity * np.mean(np.sum(z**2, axis=1))

    def gradients(self, x):
        n = len(x)
        z = self.encode(x)
        r = self.decode(z)
        # backward
        dr = (r - x) / n
        dlogit = dr * r * (1 - r)
        ddec = z.T @ dlogit
        ddec_b = dlogit.sum(axis=0)
        dz = dlogit @ self.dec.T + 2 * self.sparsity * z / n
        dpre = dz * (1 - z**2)
        denc = x.T @ dpre
        denc_b = dpre.sum(axis=0)
        return [denc, denc_b, ddec, ddec_b]

    def update(self, grads, lr):
        self.enc -= lr * grads[0]
        self.enc_b -= lr * grads[1]
        self.dec -= lr * grads[2]
        self.dec_b -= lr * grads[3]


ae = AutoEncoder(8, 3)
for epoch in range(60):
    ae.update(ae.gradients(pixels), lr=0.8)
    if epoch % 15 == 0:
        print(f"{epoch:4d} reconstruction {ae.loss(pixels):.6f}")
print("final", ae.loss(pixels))
