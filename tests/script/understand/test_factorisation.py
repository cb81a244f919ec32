"""Two matrices whose product is fitted, entry by entry: in an inner loop, below the residual, where ratings are."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

FACTORS = """
import numpy as np
rng = np.random.default_rng(5)
def factorise(R, P, Q, width, rounds=40, rate=0.01, shrink=0.02):
    for step in range(rounds):
        for i in range(len(R)):
            for j in range(len(R[i])):
                if R[i][j] > 0:
                    off = R[i][j] - np.dot(P[i, :], Q[:, j])
                    for k in range(width):
                        p = P[i][k]
                        P[i][k] = P[i][k] + rate * (ALONG_P)
                        Q[k][j] = Q[k][j] + rate * (ALONG_Q)
        print(step, np.sum((R - P @ Q)[R > 0] ** 2))
    return P, Q
R = np.array([[5, 3, 0, 1], [4, 0, 0, 1], [1, 1, 0, 5], [1, 0, 0, 4], [0, 1, 5, 4]])
P, Q = factorise(R, rng.random((5, 2)), rng.random((2, 4)), 2)
print(np.round(P @ Q, 1))
"""


@pytest.mark.parametrize("shrink", ["", " - shrink * {}"])
@pytest.mark.parametrize(
    ("along_p", "along_q", "wrong"),
    [
        ("2 * off * Q[k][j]", "2 * off * p", ""),
        ("2 * off * Q[k][j]", "2 * off * P[i][k]", "Q"),
        ("2 * off * Q[k][0]", "2 * off * p", "P"),
        ("2 * off * Q[k][j]", "2 * off * p * p", "Q"),
    ],
)
def test_a_step_for_each_entry_is_judged_where_its_residual_is_taken(tmp_path, along_p, along_q, wrong, shrink):
    text = FACTORS.replace("ALONG_P", along_p + shrink.format("P[i][k]"))
    text = text.replace("ALONG_Q", along_q + shrink.format("Q[k][j]"))
    result = check_only(tmp_path, text)
    assert verdicts(result) == {name: "mismatch" if name == wrong else "match" for name in "PQ"}
    assert "half the squared error of `R[i][j] - np.dot(P[i, :], Q[:, j])`" in result.entry_points.loss
