"""The pages that the tests of the HTML report look at, made from records."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from gradcheck.checker.certificate import Certificate
from gradcheck.checker.result import Reason, Verdict
from gradcheck.checker.step_curve import StepCurve
from gradcheck.comparison.record import Cause, Comparison, Conclusion, Run, Setting
from gradcheck.report import html
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Confidence, Fix
from gradcheck.session.report import Report
from gradcheck.session.result import EntryPoints, Unchecked
from report_records import AWKWARD, UNCHECKED, edit, finding, mixed, parameter, script

FIXTURE = Path(__file__).parents[2] / "fixtures" / "buggy" / "one_neuron_deltas.py"
# a text may say anything, and a source may hold what looks like the end of the page
HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "Größe „ß“ 'single' \"double\" & &amp;",
    "bell \x07, escape \x1b[31m, null \x00, delete \x7f",
    "admin\u202e nimda\u2066 isolate, zero\u200bwidth, \ufeff mark",
    "lone \udcff surrogate",
    "{{ 7 * 7 }} {% raw %}",
    "</style></title></svg></pre>-->]]>",
)


def one_neuron() -> Report:
    """Return what is found in the first user's kind of script: four numbers, three of them wrong, one fix."""
    lines = tuple(FIXTURE.read_text(encoding="utf-8").splitlines())
    numbers = {"w1": (0.045, 0.0112), "b1": (-0.119, -0.0287), "w2": (0.107, 0.130), "b2": (0.28, 0.28)}
    steps = np.geomspace(1e-13, 0.3, 19)
    parameters = []
    for name, (analytic, numerical) in numbers.items():
        differences = numerical * (1 + steps**2 + 1e-16 / steps)
        curve = StepCurve(0, analytic, numerical, steps, differences)
        parameters.append(replace(parameter(name, analytic, numerical), curve=curve))
    at = {
        k: next(i for i, line in enumerate(lines, 1) if line.strip().startswith(k)) for k in ("at_hidden", "change_w1")
    }
    edits = [edit(line, lines[line - 1], lines[line - 1].replace("* w", "* fixed_w", 1)) for line in at.values()]
    other = Fix((edits[0], edit(at["change_w1"], lines[at["change_w1"] - 1], "    change_w1 = 0")), True, 8)
    findings = (
        finding(
            code="GC202",
            name="missing-activation-derivative",
            message="`at_hidden` lacks `squash_slope(guess)`",
            parameters=("b1", "w1"),
            span=Span(at["at_hidden"], 17, at["at_hidden"], 31),
            fix=Fix(tuple(edits), verified=True, points=8, alternatives=(other,)),
            confidence=Confidence.VERIFIED,
        ),
        finding(
            code="GC201", name="wrong-variable", parameters=("w1",), span=Span(at["change_w1"], 59, at["change_w1"], 61)
        ),
    )
    found = script(
        "one_neuron_deltas.py",
        *parameters,
        lines=lines,
        entry_points=EntryPoints("learn", "run", "cost(error)", tuple(numbers), 42, 47),
        sources=(),
        findings=findings,
        signatures=(("b1", "numerical = analytic x `guess` x (1 - `guess`) in every entry, at every point"),),
        notes=("the learning rate is folded in: learn returns STEP = 0.25 times the gradient",),
        evidence=("backward: `learn` in line 42, replayed from the loop in line 61",),
    )
    return Report((found,))


def hostile() -> Report:
    """Return a report with texts everywhere that would break a page which took them as they are."""
    names = (*HOSTILE, *AWKWARD)
    lines = tuple(f"x = {text!r}  # {text}" for text in HOSTILE)
    parameters = [parameter(name, [[1.0, 2.0]], [[1.0, 2.0 + k % 2]]) for k, name in enumerate(names)]
    findings = tuple(
        finding(
            edit(k, lines[k - 1], f"y = {text!r}"),
            message=f"`{text}` in {text}",
            name=text,
            parameters=(text,),
            span=Span(k, 1, k, 20),
            evidence=(text,),
        )
        for k, text in enumerate(HOSTILE, 1)
    )
    found = script(
        HOSTILE[0],
        *parameters,
        lines=lines,
        findings=findings,
        notes=HOSTILE,
        evidence=HOSTILE,
        signatures=tuple((name, name) for name in names),
        entry_points=EntryPoints(HOSTILE[0], HOSTILE[1], HOSTILE[2], names, 1, 2),
        unchecked=tuple(Unchecked(f"other {text}", (2,), f"`{text}` in {text}") for text in HOSTILE),
    )
    return Report((found,))


def unchecked() -> Report:
    """Return a report on a script of which a part was checked, and that matches."""
    return Report((script("net.py", parameter("W1", [[0.1, 0.2]]), parameter("b1", 1.0), unchecked=UNCHECKED),))


def many_parameters() -> Report:
    """Return a report on 300 parameters of 1,200 entries, of which 60 are wrong."""
    generator = np.random.default_rng(1)
    parameters = []
    for k in range(300):
        values = generator.normal(size=(30, 40)) * 10.0 ** generator.integers(-6, 3)
        wrong = values * np.where(generator.random(values.shape) < 0.5, 1.5, 1) if k % 5 == 0 else values
        parameters.append(parameter(f"layers[{k}].W", values, wrong))
    return Report((script("deep.py", *parameters),))


def many_entries() -> Report:
    """Return a report on parameters of 100,000 entries: all of them compared, some of them, and along directions."""
    generator = np.random.default_rng(2)
    values = generator.normal(size=(250, 400))
    wrong = values.copy()
    wrong[17] *= 1.25
    wrong[:, 3] = np.nan
    some = np.sort(generator.choice(values.size, 2000, replace=False))
    sampled = replace(parameter("U", values.flat[some], shape=(250, 400)), indices=some)
    along = Certificate(4, 1e-4, Verdict.MATCH)
    flat = parameter("v", np.r_[1.0, 2.0], np.r_[1.0, 3.0], shape=(100_000,), certificate=along)
    return Report((script("wide.py", parameter("W", values, wrong), sampled, flat),))


def several() -> Report:
    """Return a report on several scripts, with an error and a notebook among them."""
    stack = parameter("k", np.arange(48.0).reshape(2, 2, 3, 4), reason=Reason.COARSE)
    return Report((*mixed().scripts, script("stack.py", stack)))


def comparison() -> Comparison:
    """Return a comparison in which the network was too small."""
    noisy = np.random.default_rng(3).normal(0.25, 0.005, size=900)
    falling = np.geomspace(0.26, 3e-4, 4000)
    runs = (
        Run(
            "script", "the script as it is", (1, 1, 1), "sigmoid", "sigmoid", tuple(range(1, 901)), tuple(noisy), "call"
        ),
        Run(
            "fixed",
            "with its verified fix",
            (1, 1, 1),
            "sigmoid",
            "sigmoid",
            (1, 2, 3),
            (0.26, float("inf"), 0.25),
            "call",
        ),
        Run(
            "reference",
            "reference, same network",
            (1, 1, 1),
            "sigmoid",
            "sigmoid",
            (1, 2),
            (0.25, 0.23),
            "epoch",
            "best of 6",
        ),
        Run("wider", "reference, wider", (1, 8, 1), "tanh", "sigmoid", tuple(range(1, 4001)), tuple(falling)),
    )
    return Comparison(
        one_neuron().scripts[0],
        Setting("numbers", "labels", "guess", 12, "squared error", 0.25),
        runs,
        (
            Conclusion(Cause.CAPACITY, "the corrected network cannot represent the task: `1-1-1` ends at 0.25"),
            Conclusion(Cause.ALSO_GRADIENT, "the gradient was a mistake, but not the whole problem"),
        ),
        (finding(code="GC401", name="outside-the-training-range", parameters=(), span=Span(59, 18, 59, 40)),),
        ("the samples were counted once each",),
    )


@cache
def page(name: str) -> str:
    """Return one of the pages."""
    if name == "comparison":
        return html.render_comparison(comparison())
    return html.render(globals()[name]())


PAGES = ("one_neuron", "hostile", "many_parameters", "many_entries", "several", "unchecked", "comparison")
