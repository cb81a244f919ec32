"""GC223: a contribution that takes the place of the ones before it."""

from gradcheck.diagnosis.registry import Rule

RULE = Rule(
    code="GC223",
    name="not-accumulated",
    summary="A contribution to a gradient replaces the earlier ones, where it should be added to them.",
    explanation="""
A parameter that is used several times, by every sample, at every time step or in every window, has a gradient that is
the sum over its uses. With `=` for `+=` inside the loop, or with a gradient that is set back to zero there, only
the last contribution is left. A `return` that stands inside the loop leaves only the first.

With a single sample, or with windows that do not overlap, nothing is wrong, which is why small tests do not see it.
The direction is noisy but often downhill.
""",
    evidence="""
Adding up where the line now assigns, or the statement put in front of the loop or behind it, makes every gradient
agree with finite differences, at points that the search has not seen.
""",
    hit="""
import numpy as np

rng = np.random.default_rng(0)
signal = rng.normal(size=12)
y = np.convolve(signal, [0.5, -1.0, 2.0], mode="valid")
kernel, bias = 0.1 * rng.normal(size=3), 0.0

for epoch in range(50):
    out = np.array([signal[i : i + 3] @ kernel for i in range(10)]) + bias
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / 10
    d_kernel = np.zeros(3)
    for i in range(10):
        d_kernel = d_out[i] * signal[i : i + 3]  # <- wrong
    d_bias = d_out.sum()
    kernel -= 0.05 * d_kernel
    bias -= 0.05 * d_bias
""",
    right="d_kernel += d_out[i] * signal[i : i + 3]",
    miss="""
import numpy as np

rng = np.random.default_rng(0)
signal = rng.normal(size=12)
y = np.convolve(signal, [0.5, -1.0, 2.0], mode="valid")
kernel, bias = 0.1 * rng.normal(size=3), 0.0

for epoch in range(50):
    out = np.array([signal[i : i + 3] @ kernel for i in range(10)]) + bias
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / 10
    parts = np.zeros((10, 3))
    for i in range(10):
        parts[i] = d_out[i] * signal[i : i + 3]
    d_kernel = parts.sum(axis=0)
    d_bias = d_out.sum()
    kernel -= 0.05 * d_kernel
    bias -= 0.05 * d_bias
""",
    why_right="Every window has its own row of `parts`, and the sum behind the loop adds the windows up.",
)
