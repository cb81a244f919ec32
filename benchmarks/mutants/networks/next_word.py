# predicts the next word from two words before it
import numpy as np

text = "the cat sat on the mat and the dog sat on the cat and the mat sat on the dog".split()
vocab = sorted(set(text))
index = {word: i for i, word in enumerate(vocab)}
ids = np.array([index[word] for word in text])
context = np.stack([ids[:-2], ids[1:-1]], axis=1)
following = ids[2:]

V, D, H = len(vocab), 3, 6
rs = np.random.RandomState(4)
emb = rs.randn(V, D) * 0.5
W = rs.randn(2 * D, H) * 0.4
b = rs.randn(H) * 0.1
U = rs.randn(H, V) * 0.4
c = np.zeros(V)


def predict(context):
    e = emb[context].reshape(len(context), -1)
    h = np.tanh(e @ W + b)
    logits = h @ U + c
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return e, h, p


def nll(context, following):
    e, h, p = predict(context)
    return -np.mean(np.log(p[np.arange(len(following)), following]))


def backprop(context, following):
    e, h, p = predict(context)
    n = len(following)
    onehot = np.eye(V)[following]
    # backward
    dlogits = (p - onehot) / n
    dU = h.T @ dlogits
    dc = dlogits.sum(axis=0)
    da = dlogits @ U.T * (1 - h**2)
    dW = e.T @ da
    db = da.sum(axis=0)
    de = da @ W.T
    demb = np.zeros_like(emb)
    np.add.at(demb, context, de.reshape(n, 2, D))
    return demb, dW, db, dU, dc


lr = 0.5
for epoch in range(50):
    demb, dW, db, dU, dc = backprop(context, following)
    emb = emb - lr * demb
    W = W - lr * dW
    b = b - lr * db
    U = U - lr * dU
    c = c - lr * dc
    if epoch % 10 == 0:
        print("epoch", epoch, "nll", nll(context, following))
