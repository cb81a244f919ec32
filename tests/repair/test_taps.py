"""Taps: where values are seen, and what is evaluated in their place."""

from __future__ import annotations

import ast
import copy

import numpy as np
import pytest

from gradcheck.repair.influence import shaken
from gradcheck.repair.taps import TappedSource, sites_of
from gradcheck.script.record.instrument import HOOK
from gradcheck.script.record.run import Recorder
from gradcheck.script.source.file import ScriptText

CODE = """
def f(x):
    y = 2 * x
    y += 1
    return y
g = lambda a: a * 3
z = f(1.0)
kept = []
kept.append(g(z))
h = [lambda a: a - 1]
"""


def source(tmp_path):
    return ScriptText(tmp_path / "a.py", CODE, tuple(CODE.split("\n"))).parse()


def run(tmp_path, recorder):
    found = source(tmp_path)
    tree = TappedSource(found).prepared(copy.deepcopy(found.tree))
    variables = {HOOK: recorder}
    exec(compile(tree, "a.py", "exec"), variables)
    return variables, {ast.unparse(site.value): site for site in sites_of(found.tree)}


def test_every_value_is_a_site(tmp_path):
    sites = sites_of(source(tmp_path).tree)
    assert [ast.unparse(s.value) for s in sites] == [
        "2 * x",
        "1",
        "y",
        "a * 3",
        "f(1.0)",
        "[]",
        "g(z)",
        "[lambda a: a - 1]",
        "a - 1",
    ]
    assert [s.target for s in sites][:3] == ["y", "y", ""]
    assert [s.function and s.function.name for s in sites] == ["f", "f", "f", "g", None, None, None, None, None]


def test_taps_see_values_and_change_nothing(tmp_path):
    recorder, seen = Recorder(frozenset()), {}
    recorder.tap = lambda number, value: seen.setdefault(number, value)
    variables, sites = run(tmp_path, recorder)
    assert variables["kept"] == [9.0]
    assert variables["h"][0](5.0) == 4.0
    assert seen[sites["2 * x"].number] == 2.0
    assert seen[sites["a * 3"].number] == 9.0
    assert seen[sites["a - 1"].number] == 4.0


def test_another_expression_sees_the_local_variables(tmp_path):
    recorder = Recorder(frozenset())
    variables, sites = run(tmp_path, recorder)
    recorder.overrides = {sites["2 * x"].number: compile("sum(x + i for i in range(2))", "", "eval")}
    assert variables["f"](10.0) == 22.0


@pytest.mark.parametrize(
    "value", [1.5, np.ones((2, 2)), [1.0, [2.0]], (np.zeros(3), 1), {"a": 1.0}, np.array([True, False])]
)
def test_numbers_are_shaken(value):
    moved = shaken(value, np.random.default_rng(0))
    assert repr(moved) != repr(value)
    assert type(moved) is type(value)


@pytest.mark.parametrize("value", ["text", 3, None, [1, 2], np.arange(3)])
def test_what_is_no_fraction_is_left_alone(value):
    assert shaken(value, np.random.default_rng(0)) is value
