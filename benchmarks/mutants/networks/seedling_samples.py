import numpy as np

# one seedling after the other: height and leaf count -> survives?
rng = np.random.default_rng(42)
plants = rng.normal(size=(30, 3))
survived = (plants[:, 0] - plants[:, 1] ** 2 + 0.8 > 0).astype(float)

eta = 0.05


def sig(v):
    return 1 / (1 + np.exp(-v))


class Perceptron2:
    def __init__(self):
        self.w_hidden = rng.normal(0, 0.5, (4, 3))
        self.b_hidden = rng.normal(0, 0.2, 4)
        self.w_out = rng.normal(0, 0.5, 4)
        self.b_out = 0.0

    def predict(self, plant):
        self.hidden = np.tanh(self.w_hidden @ plant + self.b_hidden)
        return sig(self.w_out @ self.hidden + self.b_out)

    def loss(self, plant, target):
        p = self.predict(plant)
        return -target * np.log(p) - (1 - target) * np.log(1 - p)

    def learn(self, plant, target):
        p = self.predict(plant)
        # backward, updates at once
        delta_out = p - target
        delta_hidden = delta_out * self.w_out * (1 - self.hidden**2)
        self.w_out -= eta * delta_out * self.hidden
        self.b_out -= eta * delta_out
        self.w_hidden -= eta * np.outer(delta_hidden, plant)
        self.b_hidden -= eta * delta_hidden


net = Perceptron2()
for epoch in range(12):
    total = 0.0
    for plant, target in zip(plants, survived):
        total += net.loss(plant, target)
        net.learn(plant, target)
    if epoch % 3 == 0 or epoch == 11:
        print("epoch", epoch, "loss", total / len(plants))
