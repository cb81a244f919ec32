"""Admission yes/no, two layer sigmoid network, every column is one applicant."""
import numpy as np

rng = np.random.default_rng(11)
m = 60
X = rng.normal(size=(4, m))
T = (X[0:1] + 0.5 * X[1:2] * X[2:3] + 0.2 * rng.normal(size=(1, m)) > 0).astype(float)

theta1 = rng.normal(scale=0.6, size=(5, 4))
bias1 = rng.normal(scale=0.1, size=(5, 1))
theta2 = rng.normal(scale=0.6, size=(1, 5))
bias2 = np.zeros((1, 1))


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def forward_propagation(X):
    Z1 = theta1.dot(X) + bias1
    A1 = sigmoid(Z1)
    Z2 = theta2.dot(A1) + bias2
    A2 = sigmoid(Z2)
    return Z1, A1, Z2, A2


def compute_cost(A2, T):
    return -np.sum(T * np.log(A2) + (1 - T) * np.log(1 - A2)) / T.shape[1]


def backward_propagation(X, T, cache):
    Z1, A1, Z2, A2 = cache
    m = X.shape[1]
    # backward
    dZ2 = A2 - T
    dtheta2 = np.dot(dZ2, A1.T) / m
    dbias2 = np.sum(dZ2, axis=1, keepdims=True) / m
    dZ1 = np.dot(theta2.T, dZ2) * sigmoid(Z1) * (1 - sigmoid(Z1))
    dtheta1 = np.dot(dZ1, X.T) / m
    dbias1 = np.sum(dZ1, axis=1, keepdims=True) / m
    return dtheta1, dbias1, dtheta2, dbias2


alpha = 0.8
for it in range(80):
    cache = forward_propagation(X)
    cost = compute_cost(cache[3], T)
    g1, gb1, g2, gb2 = backward_propagation(X, T, cache)
    theta1 = theta1 - alpha * g1
    bias1 = bias1 - alpha * gb1
    theta2 = theta2 - alpha * g2
    bias2 = bias2 - alpha * gb2
    if it % 20 == 0 or it == 79:
        print("Cost after iteration %d: %s" % (it, cost))
