"""Mistakes in larger networks that take more than the exchange of a name: each is mended, at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from script_runs import check, verdicts

pytestmark = pytest.mark.usefixtures("forked")

NETWORKS = Path(__file__).parents[2] / "benchmarks" / "mutants" / "networks"
PLANTED = [
    ("next_word", "dlogits = (p - onehot) / n", "dlogits = (p) / n", "GC210"),
    ("wind_tanh", "dout = 2 * (out - Y) / Y.size", "dout = 2 * (out) / Y.size", "GC210"),
    ("flowers_class", "        dscores /= n\n", "", "GC212"),
    ("flowers_class", "dscores[np.arange(n), y] -= 1", "dscores[np.arange(n), y - 1] -= 1", "GC226"),
    ("rbf_surface", "d_log_width, d_amplitude, d_offset\n", "d_log_width, d_offset, d_offset\n", "GC201"),
    ("heartbeat_rnn", "draw = (1 - h[t] * h[t]) * dh", "draw = dh", "GC202"),
    ("spam_logistic_loops", "back = err * v[j] * h[j] * (1 - h[j])", "back = err * v[j] * h[j]", "GC202"),
    ("seedling_samples", "np.outer(delta_hidden, plant)", "np.outer(target, plant)", "GC201"),
    ("admission_columns", "np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dtheta2, axis=1, keepdims=True)", "GC201"),
    ("bike_poisson", "dintercept = np.mean(residual)", "dintercept = residual", "GC216"),
    ("tides_cost_and_grad", 'g["b3"] = d3.sum(0)', 'g["b3"] = d3', "GC216"),
]


def network(name):
    return (NETWORKS / f"{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "right", "wrong", "code"), PLANTED)
def test_a_planted_mistake_is_mended(tmp_path, name, right, wrong, code):
    text = network(name)
    assert text.count(right) == 1
    planted = text.replace(right, wrong)
    result = check(tmp_path, planted)
    assert result.verdict == "mismatch"
    assert [finding.code for finding in result.findings] == [code]
    fix = result.findings[0].fix
    lines = planted.splitlines()
    for edit in reversed(fix.edits):
        lines[edit.line - 1 : edit.line] = edit.new.split("\n")
    assert set(verdicts(check(tmp_path, "\n".join(lines), seed=77)).values()) == {"match"}


@pytest.mark.parametrize("name", sorted({name for name, *_ in PLANTED}))
def test_the_network_itself_is_right(tmp_path, name):
    result = check(tmp_path, network(name))
    assert set(verdicts(result).values()) == {"match"}
    assert result.findings == ()
