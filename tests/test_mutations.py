"""The repair benchmark plants what it says, counts only what is wrong, and holds answers against what was planted."""

from __future__ import annotations

import ast
import random
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

import load_benchmarks  # noqa: F401 - the next imports need it
from benchmarks import repairs
from benchmarks.__main__ import main
from benchmarks.mutants import draw
from benchmarks.mutants.draw import Mutant, doubles, singles
from benchmarks.mutants.losses import is_wrong, same, trained
from benchmarks.mutants.operators import mutations
from benchmarks.mutants.places import planted
from benchmarks.mutants.scripts import Network, networks
from benchmarks.mutants.trial import Trial, asked, edited
from forked_processes import IS_POSSIBLE

ALL = {network.name: network for network in networks()}
SMALL = Network(
    "small",
    """\
import numpy as np

a = np.array([0.5, -0.3])
b = np.array([0.2, 0.1])
x = np.array([1.0, 2.0])
lr = 0.1


def gradients():
    h = np.tanh(a * x)
    # backward
    r = h @ b - 1
    db = r * h
    da = r * b * (1 - h**2) * x
    return da, db


for _ in range(3):
    print(f"{0.5 * (np.tanh(a * x) @ b - 1) ** 2:.3f}")
    da, db = gradients()
    a -= lr * da
    b -= lr * db
""",
)

# -- the networks -------------------------------------------------------------------------------------------------


def test_enough_networks():
    assert len(ALL) >= 14


@pytest.mark.parametrize("name", ALL)
def test_network_trains(name):
    (losses,) = trained((ALL[name].text, 1.0))
    assert losses is not None
    assert len(losses) >= 3
    assert len(ALL[name].way_back) >= 6


@pytest.fixture
def forked_answers(monkeypatch, forks):
    """Let the benchmark fork the commands that it runs."""
    if IS_POSSIBLE:

        class Forked:
            """The module, for a benchmark that uses this much of it."""

            TimeoutExpired = subprocess.TimeoutExpired

            @staticmethod
            def run(command, **_):
                return forks.run(command[1:], cwd=Path.cwd())

        monkeypatch.setattr("benchmarks.mutants.trial.subprocess", Forked)


@pytest.mark.usefixtures("forked_answers")
@pytest.mark.parametrize("name", ["layer_stack", "noisy_sensor"])
def test_network_is_correct(name, tmp_path):
    path = tmp_path / f"{name}.py"
    path.write_text(ALL[name].text)
    assert asked(path)["verdict"] == "match"


def test_way_back_ends_at_an_empty_line_or_at_less_indentation():
    assert sorted(SMALL.way_back) == [12, 13, 14, 15]
    assert sorted(Network("", "    # backward\n    a = 1\n    # update\n    b = 1\n").way_back) == [2]
    assert sorted(Network("", "if x:\n    # backward\n    a = 1\nb = 1\n").way_back) == [3]


# -- the operators ------------------------------------------------------------------------------------------------


def lines_of(family):
    """Return what stands in place of the lines that a family changes."""
    old = SMALL.text.splitlines()
    new = [planted(SMALL, [one]).splitlines() for one in mutations(SMALL) if one.family == family]
    return {b.strip() for lines in new for a, b in zip(old, lines, strict=False) if a != b}


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ("sign", "r = h @ b + 1"),
        ("sign", "db = -r * h"),
        ("factor dropped", "db = h"),
        ("factor dropped", "da = b * (1 - h**2) * x"),
        ("slope dropped", "da = r * b * x"),
        ("slope elsewhere", "da = r * b * (1 - x**2) * x"),
        ("slope elsewhere", "da = r * b * (1 - h) * x"),
        ("constant", "db = 2 * r * h"),
        ("constant", "r = h @ b - 2"),
        ("term dropped", "r = h @ b"),
        ("wrong variable", "db = r * x"),
        ("transpose", "r = h @ b.T - 1"),
        ("operands swapped", "r = b @ h - 1"),
        ("= for +=", "db += r * h"),
    ],
)
def test_operator_plants(family, line):
    assert line in lines_of(family)


@pytest.mark.parametrize(
    ("old", "family", "new"),
    [
        ("g = d.sum(axis=0)", "axis or mean", "g = d.sum(axis=1)"),
        ("g = d.sum(axis=0)", "axis or mean", "g = d.mean(axis=0)"),
        ("g = d.sum(axis=0)", "axis or mean", "g = d"),
        ("g = np.outer(d, x)", "operands swapped", "g = np.outer(x, d)"),
        ("g += d", "= for +=", "g = d"),
        ("g += d", "sign", "g -= d"),
        ("g = d * h[t - 1]", "index", "g = d * h[t]"),
        ("g[i, j] = d", "index", "g[j, i] = d"),
        ("g = d * (z > 0)", "comparison", "g = d * (z < 0)"),
        ("g = d @ W.T", "transpose", "g = d @ W"),
        ("g = 2 * (p - t) / n", "factor dropped", "g = (p - t) / n"),
        ("g = (p - t) / n", "term dropped", "g = (p) / n"),
    ],
)
def test_operator_on_one_line(old, family, new):
    network = Network("one", f"# backward\n{old}\n")
    found = {planted(network, [one]): one.family for one in mutations(network)}
    assert found[f"# backward\n{new}\n"] == family


def test_statement_is_deleted_or_moved():
    network = Network("three", "# backward\na = f(x)\nb = a + 1\nc = b + a\n")
    found = {planted(network, [one]): one for one in mutations(network) if one.family.startswith("statement")}
    assert set(found) == {
        f"# backward\n{lines}"
        for lines in (
            "b = a + 1\nc = b + a\n",
            "a = f(x)\nc = b + a\n",
            "a = f(x)\nb = a + 1\n",
            "b = a + 1\na = f(x)\nc = b + a\n",
            "a = f(x)\nc = b + a\nb = a + 1\n",
            "c = b + a\na = f(x)\nb = a + 1\n",
        )
    }
    without_b = found["# backward\na = f(x)\nc = b + a\n"]
    assert set(without_b.lines) == {2, 3}, "the lines around, of which the lower one reads it"


@pytest.mark.parametrize("name", ["flowers_class", "seedling_samples"])
def test_nothing_outside_the_span_changes(name):
    network = ALL[name]
    for one in mutations(network):
        text = planted(network, [one])
        assert text.startswith(network.text[: one.start])
        assert text.endswith(network.text[one.end :])
        assert text != network.text
        assert set(range(one.start, one.end)) <= {
            offset
            for number, line in enumerate(network.lines, 1)
            if number in network.way_back
            for offset in range(sum(map(len, network.lines[: number - 1])), sum(map(len, network.lines[:number])))
        }
        ast.parse(text)


# -- what counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("db = r * h", "db = r * x", True),
        ("db = r * h", "db = h * r", False),
        ("db = r * h", "db = r * nothing", False),
        ("r = h @ b - 1", "r = 2 * (h @ b - 1)", False),
        ("r = h @ b - 1", "r = 1 - h @ b", False),
        ("db = r * h", "db = 2 * r * h", True),
    ],
    ids=["wrong", "equivalent", "raises", "another step size", "another sign of the step", "one of two scaled"],
)
def test_mutant_counts(old, new, wrong):
    assert old in SMALL.text
    assert is_wrong(SMALL.text, SMALL.text.replace(old, new)) is wrong


def test_all_digits_are_compared():
    (losses,) = trained((SMALL.text, 1.0))
    assert losses[0] != round(losses[0], 3)
    assert same(losses, [loss * (1 + 1e-9) for loss in losses])
    assert not same(losses, [loss * (1 + 1e-5) for loss in losses])
    assert not same(losses, None)
    assert same([float("nan")], [float("nan")])


def test_draw_is_even_and_repeatable(monkeypatch):
    monkeypatch.setattr(draw, "is_wrong", lambda _correct, mutant: "+=" not in mutant)
    drawn = [singles([SMALL], 12, random.Random(3)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    families = [mutant.family for mutant in drawn[0]]
    assert max(map(families.count, families)) <= 3
    pairs = doubles(drawn[0], 3, random.Random(3))
    assert [mutant.family for mutant in pairs] == 3 * ["two mistakes"]
    assert all(mutant.mistakes[0].end <= mutant.mistakes[1].start for mutant in pairs)


# -- what is counted ----------------------------------------------------------------------------------------------


def test_lines_move_with_a_deleted_statement():
    network = Network("two", "# backward\na = 1\nb = x + 1\nc = x\n")
    found = {one.family: one for one in mutations(network)}
    first = next(one for one in mutations(network) if one.family == "statement deleted" and one.start == 11)
    second = next(one for one in mutations(network) if one.family == "sign")
    mutant = Mutant(network, (first, second))
    assert mutant.text == "# backward\nb = x - 1\nc = x\n"
    assert mutant.lines()[1] == (2,)
    assert list(mutant.changes()) == [(2, "a = 1", "(nothing)"), (3, "b = x + 1", "b = x - 1")]
    assert "constant" in found


def test_edits_replace_lines():
    assert edited("a\nb\nc\n", {2: "B\nBB"}) == "a\nB\nBB\nc\n"
    assert edited("a\nb\nc\n", {1: "", 3: "C"}) == "b\nC\n"


def trial(**changed):
    mutant = Mutant(SMALL, (mutations(SMALL)[0],))
    kept = {
        "mutant": mutant,
        "verdict": "mismatch",
        "findings": (),
        "located": True,
        "fixed": True,
        "fails_elsewhere": False,
        "trains_alike": True,
        "seconds": 1.0,
        "fix": (),
    }
    return Trial(**(kept | changed))


def test_table_and_failures():
    results = [trial(), trial(located=False, fixed=False, trains_alike=False, seconds=3.0)]
    lines = list(repairs.table(results))
    assert "| small | 2 | 2 | 1 | 1 | 0 | 1 | 2.0 | 3.0 |" in lines
    assert [repairs.wanting(one) for one in results] == [[], ["not located", "not fixed"]]
    assert repairs.wanting(trial(fails_elsewhere=True))[0] == "fix fails elsewhere"


@pytest.mark.parametrize(("fails", "status"), [(False, 0), (True, 1)])
def test_fix_that_fails_elsewhere_ends_with_one(monkeypatch, fails, status):
    monkeypatch.setattr(repairs, "drawn", lambda *_, **__: [])
    monkeypatch.setattr(repairs, "trials", lambda *_: [trial(fails_elsewhere=fails)])
    run = CliRunner().invoke(main, ["repairs", "--show-failures"])
    assert run.exit_code == status, run.output
    assert "1 mutants of" in run.output


@pytest.mark.usefixtures("forked_answers")
def test_a_mutant_from_end_to_end(monkeypatch):
    signs = [one for one in mutations(ALL["bike_poisson"]) if one.family == "sign"]
    monkeypatch.setattr(repairs, "drawn", lambda *_, **__: [Mutant(ALL["bike_poisson"], (signs[1],))])
    run = CliRunner().invoke(main, ["repairs"])
    assert run.exit_code == 0, run.output
    assert "| bike_poisson | 1 | 1 |" in run.output
