import numpy as np


class FlowerClassifier:
    """ReLU network with softmax output and weight decay in the loss."""

    def __init__(self, n_features, n_hidden, n_classes, reg=1e-2, seed=0):
        rng = np.random.RandomState(seed)
        self.reg = reg
        self.W1 = rng.randn(n_features, n_hidden) * np.sqrt(2 / n_features)
        self.b1 = rng.randn(n_hidden) * 0.05
        self.W2 = rng.randn(n_hidden, n_classes) * np.sqrt(2 / n_hidden)
        self.b2 = np.zeros(n_classes)

    def forward(self, X):
        self.X = X
        self.Z1 = X.dot(self.W1) + self.b1
        self.H = np.maximum(0, self.Z1)
        scores = self.H.dot(self.W2) + self.b2
        scores = scores - scores.max(axis=1, keepdims=True)
        e = np.exp(scores)
        self.probs = e / e.sum(axis=1, keepdims=True)
        return self.probs

    def loss(self, X, y):
        probs = self.forward(X)
        data_loss = -np.log(probs[np.arange(len(y)), y]).mean()
        return data_loss + 0.5 * self.reg * (np.sum(self.W1**2) + np.sum(self.W2**2))

    def backward(self, y):
        n = len(y)
        # --- backward
        dscores = self.probs.copy()
        dscores[np.arange(n), y] -= 1
        dscores /= n
        dW2 = self.H.T.dot(dscores) + self.reg * self.W2
        db2 = dscores.sum(axis=0)
        dH = dscores.dot(self.W2.T)
        dH[self.Z1 <= 0] = 0
        dW1 = self.X.T.dot(dH) + self.reg * self.W1
        db1 = dH.sum(axis=0)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}

    def fit(self, X, y, lr=0.3, epochs=40):
        for epoch in range(epochs):
            loss = self.loss(X, y)
            grads = self.backward(y)
            for name, g in grads.items():
                setattr(self, name, getattr(self, name) - lr * g)
            if epoch % 10 == 0 or epoch == epochs - 1:
                print(f"epoch {epoch:3d}  loss {loss:.5f}")


if __name__ == "__main__":
    data_rng = np.random.RandomState(1)
    centers = np.array([[1, 0, 0.5, -1], [-1, 1, 0, 0.3], [0, -1, 1, 1]])
    y = data_rng.randint(0, 3, 60)
    X = centers[y] + data_rng.randn(60, 4) * 0.7
    model = FlowerClassifier(4, 8, 3)
    model.fit(X, y)
