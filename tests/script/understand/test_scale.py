"""A step size is told from a factor of the gradients by where it goes, not by what it is called."""

from __future__ import annotations

import pytest

from script_runs import check_only, verdicts

STORED = """
import numpy as np
rng = np.random.default_rng(60)
rows = rng.normal(size=(14, 2)) @ rng.normal(size=(2, 4))
p = {"in": rng.normal(size=(4, 2)) * 0.5, "out": rng.normal(size=(2, 4)) * 0.5}

def fit(rows, NAME=0.1):
    for turn in range(30):
        code = np.tanh(rows @ p["in"])
        again = code @ p["out"]
        back = {}
        diff = NAME * ((again - rows) / len(rows))
        back["out"] = code.T @ diff
        back["in"] = rows.T @ (diff @ p["out"].T * SLOPE)
        for key in p:
            p[key] -= back[key]

fit(rows)
"""


@pytest.mark.parametrize("name", ["lr", "tasa", "kola"])
@pytest.mark.parametrize(("slope", "wrong"), [("(1 - code**2)", []), ("(1 - code)", ["p['in']"])])
def test_a_rate_may_be_multiplied_in_early(tmp_path, name, slope, wrong):
    """The steps are just what is stored, so a factor of all that is stored is a step size."""
    found = verdicts(check_only(tmp_path, STORED.replace("NAME", name).replace("SLOPE", slope)))
    assert [parameter for parameter, verdict in found.items() if verdict == "mismatch"] == wrong
    assert len(found) == 2
