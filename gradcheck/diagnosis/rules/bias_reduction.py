"""GC216: a bias gradient that is not summed over the batch, and over nothing else."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC216",
    name="bias-reduction",
    summary="The gradient of a bias is not the sum of the deltas over the batch, one for each unit.",
    explanation="""
A bias is added to each row of the batch, so that its gradient is the sum of the deltas over the rows, and over
nothing else. A `sum()` without an axis adds the units together too: the result is one number, and NumPy subtracts it
from all the biases without a word. Without a sum, the gradient has the shape of the batch.

After a softmax the deltas of a row add up to zero, and so does the sum over everything: the bias then never moves.
""",
    evidence="""
A sum over one axis, added or given its axis, makes the gradient of the bias have the shape of the bias and agree with
finite differences, at points that the search has not seen as well.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(11)
data = rng.normal(size=(24, 3))
marks = (data @ rng.normal(size=(3, 4)) > 0.2).astype(float)
weights = rng.normal(size=(3, 4))
bias = rng.normal(size=4)


def loss_and_gradients(weights, bias):
    probs = 1 / (1 + np.exp(-(data @ weights + bias)))
    loss = -np.sum(marks * np.log(probs) + (1 - marks) * np.log(1 - probs)) / 24
    delta = (probs - marks) / 24
    grad_weights = data.T @ delta
    grad_bias = np.sum(delta)  # <- wrong
    return loss, grad_weights, grad_bias


for epoch in range(30):
    loss, grad_weights, grad_bias = loss_and_gradients(weights, bias)
    weights -= 0.5 * grad_weights
    bias -= 0.5 * grad_bias
""",
    right="grad_bias = np.sum(delta, axis=0)",
    miss="""
import numpy as np

rng = np.random.default_rng(11)
data = rng.normal(size=(24, 3))
labels = (data[:, 0] > 0.3).astype(float)
weights = rng.normal(size=3)
bias = 0.1

for epoch in range(30):
    logits = data @ weights + bias
    probs = 1 / (1 + np.exp(-logits))
    loss = -np.mean(labels * np.log(probs) + (1 - labels) * np.log(1 - probs))
    delta = (probs - labels) / 24
    grad_weights = data.T @ delta
    grad_bias = np.sum(delta)
    weights -= 0.5 * grad_weights
    bias -= 0.5 * grad_bias
""",
    why_right="There is one unit and one bias, so that the sum over everything is the sum over the batch.",
)
