# Power of a wind turbine from speed, direction and temperature.
import numpy as np

np.random.seed(3)

N = 50
speed = np.random.uniform(3, 15, N)
direction = np.random.uniform(-np.pi, np.pi, N)
temp = np.random.normal(10, 6, N)
X = np.column_stack([(speed - 9) / 4, np.cos(direction), (temp - 10) / 6])
Y = np.column_stack([np.clip(speed / 12, 0, 1) ** 3 * (1 + 0.1 * np.cos(direction)), 0.01 * temp])

W1 = np.random.randn(3, 6) * 0.5
b1 = np.zeros((1, 6))
W2 = np.random.randn(6, 5) * 0.4
b2 = np.zeros((1, 5))
W3 = np.random.randn(5, 2) * 0.4
b3 = np.zeros((1, 2))
lr = 0.2

for epoch in range(61):
    # forward
    A1 = np.tanh(X @ W1 + b1)
    A2 = np.tanh(A1 @ W2 + b2)
    out = A2 @ W3 + b3
    loss = np.mean((out - Y) ** 2)

    # backward
    dout = 2 * (out - Y) / Y.size
    dW3 = A2.T @ dout
    db3 = np.sum(dout, axis=0, keepdims=True)
    dA2 = dout @ W3.T
    dZ2 = dA2 * (1 - A2**2)
    dW2 = A1.T @ dZ2
    db2 = np.sum(dZ2, axis=0, keepdims=True)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * (1 - A1**2)
    dW1 = X.T @ dZ1
    db1 = np.sum(dZ1, axis=0, keepdims=True)

    W1 -= lr * dW1
    b1 -= lr * db1
    W2 -= lr * dW2
    b2 -= lr * db2
    W3 -= lr * dW3
    b3 -= lr * db3
    if epoch % 10 == 0:
        print("epoch", epoch, "loss", loss)
