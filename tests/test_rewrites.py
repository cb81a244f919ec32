"""Rewrites print what the script prints and have the property of their kind; the comparison sees what differs."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner

import load_benchmarks  # noqa: F401 - the next imports need it
from benchmarks.__main__ import main
from benchmarks.rewrites.answers import Answer, answer, differences
from benchmarks.rewrites.fixtures import Fixture, fixtures
from benchmarks.rewrites.forks import Forks
from benchmarks.rewrites.kinds import KINDS
from benchmarks.rewrites.made import Made, in_other_names, keep, parsed, statement_lines, written
from benchmarks.rewrites.report import difference, fields, share, table, trials
from benchmarks.rewrites.scopes import module_names
from benchmarks.rewrites.trial import Draw, Trial, drawn, original, safe, tried

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="scripts are run in forks")

SMALL = Fixture(
    "small/tides",
    """\
import numpy as np

x = np.array([1.0, 2.0, -1.0])
y = np.array([0.5, 0.9, -0.4])
lr = 0.1


class Line:
    def __init__(self, slope, height):
        self.slope = slope
        self.height = height

    def at(self, place):
        return self.slope * place + self.height


def misfit(line, x, y):
    gap = line.at(x) - y
    return np.mean(gap**2)


def slopes(
    line,
    x,
):
    gap = line.at(x) - y
    d_slope = 2 * np.mean(gap * x)
    d_height = 3 * np.mean(gap)
    return d_slope, d_height


def summary(line):
    text = f"{line.slope[0]:.3f} {line.height[0]:.3f}"
    return text


line = Line(slope=np.array([0.0]), height=np.array([0.0]))
total = 0.0
for turn in range(4):
    d_slope, d_height = slopes(line, x)
    line.slope -= lr * d_slope
    line.height -= lr * d_height
    total = total + misfit(line, x, y)
    print(turn, f"{misfit(line, x=x, y=y):.4f}")
said = summary(line)
print(said, f"{total:.4f}")
""",
)
# d_height is wrong; the line in which it gets its value
WRONG, LINE = ("line.height",), 27


PRELOADED = ("numpy.random", "gradcheck.api", "gradcheck.session.examine")


@pytest.fixture(scope="module")
def forks():
    with Forks(preloaded=PRELOADED) as started:
        yield started


@pytest.fixture
def light_forks(monkeypatch):
    """Let the benchmark preload nothing for scripts of which there are none here."""
    monkeypatch.setattr("benchmarks.rewrites.report.Forks", lambda: Forks(preloaded=PRELOADED))


@pytest.fixture(scope="module")
def small(forks):
    return original(SMALL, forks)


def rewritten(kind, fixture=SMALL, turn=0):
    """Return the first attempt."""
    made = next(KINDS[kind](parsed(fixture.text), Draw(fixture.name, kind, turn, 0).rng))
    return made, written(made, fixture.stem)


def statements(text):
    return [ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]


# -- each kind --------------------------------------------------------------------------------------------------------


def names_of(text):
    nodes = list(ast.walk(ast.parse(text)))
    found = {node.id for node in nodes if isinstance(node, ast.Name)}
    return found | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


OWN = {"x", "y", "lr", "slope", "height", "at", "misfit", "line", "slopes", "gap", "d_slope", "total", "turn", "said"}

# no call of the small script can be written out in its place
HERE = [kind for kind in KINDS if kind != "inline_call"]

PROPERTIES = {
    "reformat": lambda before, after: ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)),
    "rename_numbered": lambda _, after: not OWN & names_of(after) and {"np", "mean", "v1", "range"} <= names_of(after),
    "rename_words": lambda _, after: not OWN & names_of(after) and {"np", "mean", "range"} <= names_of(after),
    "into_main": lambda _, after: not any(isinstance(s, ast.For | ast.Assign) for s in ast.parse(after).body),
    "into_class": lambda _, after: not any(isinstance(s, ast.FunctionDef) for s in ast.parse(after).body),
    "inline_call": lambda _, after: "def summary" not in after and "def misfit" in after,
    "outline_loop": lambda _, after: len(next(s for s in ast.parse(after).body if isinstance(s, ast.For)).body) == 1,
    "rebind": lambda _, after: "line.slope = line.slope - lr * d_slope" in after and "-=" not in after,
    "in_place": lambda _, after: "total += misfit(line, x, y)" in after,
    "ufunc_out": lambda _, after: "np.subtract(line.slope, lr * d_slope, out=line.slope)" in after,
    "add_negative": lambda _, after: "+= -" in after and "-=" not in after,
    "integers": lambda _, after: "total = 0\n" in after,
    "scale_back": lambda before, after: after.count("0.5 * (2.0 * ") > before.count("0.5 * (2.0 * "),
    "module_beside": lambda _, after: "def misfit" not in after and "import" in after,
    "notebook": lambda before, after: ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)),
    "add_prints": lambda before, after: after.count("print('~ ") in {1, 2, 3},
    "add_history": lambda before, after: len(statements(after)) == len(statements(before)) + 2,
    "add_timer": lambda _, after: after.count("time.perf_counter()") == 2,
    "add_helper": lambda before, after: after.count("def ") == before.count("def ") + 1,
    "reorder_parameters": lambda _, after: "misfit(line, x, y)" not in after and "misfit(" in after,
}


def test_every_kind_has_a_property():
    assert set(PROPERTIES) == set(KINDS)


@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize("kind", HERE)
def test_rewrite_prints_the_same_and_has_its_property(kind, turn, small, forks, tmp_path):
    found = safe(Draw(SMALL.name, kind, turn, 0), KINDS[kind], small, forks, tmp_path)
    assert found is not None
    _, files = found
    assert PROPERTIES[kind](SMALL.text, files.files[files.plain])


@pytest.mark.parametrize("kind", HERE)
def test_the_same_is_answered_about_each(kind, small, forks):
    trial = tried(Draw(SMALL.name, kind, 0, 0), KINDS[kind], small, forks)
    assert (trial.after.verdict, trial.different) == ("mismatch", ()), trial.after


def test_keywords_are_renamed_where_the_script_is_called():
    text = (
        "import numpy as np\n\ndef f(size, axis=0):\n    return np.sum(size, axis=axis)\n\nprint(f(size=[1], axis=0))\n"
    )
    _, files = rewritten("rename_numbered", Fixture("a/b", text))
    assert files.files["b.py"].splitlines()[-1] == "print(v1(v2=[1], v3=0))"
    assert "np.sum(v2, axis=v3)" in files.files["b.py"]


def test_what_stands_in_a_text_keeps_its_name_where_texts_may_be_names():
    text = "class A:\n    pass\n\na = A()\na.size_of = 1\na.other = 2\nprint(getattr(a, 'size_of'))\n"
    _, files = rewritten("rename_numbered", Fixture("a/b", text))
    assert "v2.size_of = 1\nv2.v3 = 2" in files.files["b.py"]


def test_loop_that_sets_what_a_function_reads_is_outlined_with_globals(forks, tmp_path):
    text = (
        "w = 4.0\n\ndef loss():\n    return w**2\n\nfor k in range(3):\n    w = w - 0.1 * 2 * w\n    print(k, loss())\n"
    )
    fixture = Fixture("a/b", text)
    before = original(fixture, forks)
    _, files = safe(Draw("a/b", "outline_loop", 0, 0), KINDS["outline_loop"], before, forks, tmp_path)
    assert "global w" in files.files["b.py"]


@pytest.mark.parametrize("turn", range(4))
def test_loop_whose_variable_is_set_in_some_rounds_only_is_outlined_with_it(turn, forks, tmp_path):
    text = """\
def train():
    best = 9
    for k in range(5):
        loss = (k - 2) ** 2
        if loss < best:
            best = loss
            where = k
    return best

print(train())
print("end")
"""
    fixture = Fixture("a/b", text.replace("return best", "return best, where"))
    before = original(fixture, forks)
    # `where` may not be set in a round, and is not set before: nothing can be handed over
    assert safe(Draw("a/b", "outline_loop", turn, 0), KINDS["outline_loop"], before, forks, tmp_path) is None
    fixture = Fixture("a/b", text)
    _, files = safe(
        Draw("a/b", "outline_loop", turn, 0), KINDS["outline_loop"], original(fixture, forks), forks, tmp_path
    )
    assert "return best\n" in files.files["b.py"]


def test_functions_beside_take_their_constants_along():
    text = "import numpy as np\n\nRATE = 0.5\nrng = np.random.default_rng(0)\n\ndef f(a):\n    return RATE * a\n\n"
    text += "def g():\n    return rng.normal()\n\nprint(f(g()))\n"
    made, files = rewritten("module_beside", Fixture("a/b", text))
    ((name, _),) = made.modules.items()
    assert "RATE = 0.5" in files.files[f"{name}.py"]
    assert "def f(" in files.files[f"{name}.py"]
    assert "def g(" in files.files["b.py"]


def test_scale_of_what_is_an_index_is_left_alone():
    assert list(KINDS["scale_back"](parsed("n = 7 // 2\nm = 'a'\n"), random.Random(0))) == []


# -- what is not safe -------------------------------------------------------------------------------------------------

ALIASED = """\
import numpy as np

w = np.array([1.0, 2.0])
seen = w
for k in range(3):
    w -= 0.1 * w
print(seen)
print("end")
"""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("rebind", ALIASED),
        ("in_place", ALIASED.replace("w -= 0.1 * w", "w = w - 0.1 * w")),
        ("ufunc_out", "import numpy as np\n\nw = 1.0\nw -= 0.5\nprint(w)\n"),
        ("integers", "a = 1.0\nprint(a)\n"),
        ("into_main", "a = 1\nb = 2\nprint(sorted(name for name in globals() if len(name) == 1))\n"),
        ("rename_numbered", "def loss():\n    return 1\n\nprint(loss.__name__)\n"),
    ],
)
def test_rewrite_that_prints_something_else_is_dropped(kind, text, forks):
    trial = tried(Draw("a/b", kind, 0, 0), KINDS[kind], original(Fixture("a/b", text), forks), forks)
    assert trial.outcome == "not applicable"
    assert trial.after is None


def test_first_attempt_that_prints_the_same_counts(small, forks, tmp_path):
    def kind(tree, _):
        yield Made(ast.parse("print(1)"))
        yield Made(ast.parse("raise ValueError"))
        yield Made(ast.parse("print(x := 1); print((x := 2))\ndef f():\n    x = 1\n    global x\n"))
        yield Made(tree)

    made, _ = safe(Draw(SMALL.name, "own", 0, 0), kind, small, forks, tmp_path)
    assert ast.dump(made.tree) == ast.dump(ast.parse(SMALL.text))


def test_script_that_hangs_is_ended(tmp_path):
    script = tmp_path / "a.py"
    script.write_text("print(1, flush=True)\nwhile True:\n    pass\n")
    with Forks(seconds=0.5, preloaded=()) as short:
        assert short.output(script) == (False, "1\n")
        script.write_text("print(2)\n")
        assert short.output(script)[1] in {"2\n", ""}


@pytest.mark.parametrize("how", ["closed", "ended"])
def test_no_script_outlives_the_process_that_forks(tmp_path, how):
    (tmp_path / "a.py").write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    with Forks(preloaded=()) as started, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(started.output, tmp_path / "a.py")
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        if how == "closed":
            started._process.stdin.close()
        else:
            started._process.terminate()
        assert answer.result(timeout=60)[0] is False
        with started._process:
            pass
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)
        started._process = None


def test_marked_lines_are_not_counted(forks, tmp_path):
    fixture = Fixture("a/b", "x = 1.5\nprint(x)\n")
    before = original(fixture, forks)
    _, files = safe(Draw("a/b", "add_prints", 0, 0), KINDS["add_prints"], before, forks, tmp_path)
    ran, output = forks.output(tmp_path / files.script)
    assert ran
    assert output.startswith("~ x ")
    assert output.endswith("\n1.5\n")


# -- lines and names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reformat", "module_beside", "notebook", "into_main", "into_class", "rename_words"])
def test_every_line_leads_back_to_its_own(kind):
    _, files = rewritten(kind)
    lines = SMALL.text.splitlines()
    assert set(files.lines.values()) == set(statement_lines(SMALL.text).values())
    for (name, line), old in files.lines.items():
        text = files.files[files.plain if name == files.script else name].splitlines()[line - 1]
        assert ("np.mean" in text, "range" in text) == ("np.mean" in lines[old - 1], "range" in lines[old - 1])


def test_notebook_can_be_read(tmp_path):
    _, files = rewritten("notebook")
    script = keep(files, tmp_path)
    cells = json.loads(script.read_text())["cells"]
    assert len(cells) > 1
    assert "\n".join("".join(cell["source"]) for cell in cells) + "\n" == files.files[files.plain]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("v1", "W"), ("v1['v2'][v2]", "W['v2'][b]"), ("self.v1#3", "self.W#3"), ("v11", "v11")],
)
def test_names_are_put_back_outside_of_texts(expression, expected):
    assert in_other_names(expression, {"v1": "W", "v2": "b"}) == expected


def test_names_of_the_module_are_told_from_those_of_functions():
    text = "a = [b for b in c]\ndef f(d, e=g):\n    d = h\n    return lambda i: i + j\nclass K:\n    m = o\n    n = m\n"
    assert module_names([ast.parse(text)]) == {"a", "c", "g", "h", "j", "o"}
    assert module_names([ast.parse(text)], within_functions=True) == {"h", "j"}


# -- the comparison ---------------------------------------------------------------------------------------------------

SAID = Answer("mismatch", ("W", "self.b"), frozenset({3}))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (SAID, []),
        (Answer("mismatch", ("self.W", "net.b"), frozenset({3})), []),
        (Answer("match"), ["verdict"]),
        (Answer("error", why="no-loss"), ["verdict"]),
        (Answer("mismatch", ("W",), frozenset({3})), ["set"]),
        (Answer("mismatch", ("W", "b"), frozenset({4})), ["line"]),
        (Answer("mismatch", ("W", "c"), frozenset({None})), ["set", "line"]),
    ],
)
def test_what_differs_is_named(after, expected):
    assert differences(SAID, after, Made(ast.Module([], []))) == expected


def test_names_that_stand_for_one_another_are_the_same():
    made = Made(ast.Module([], []), same={"weights": "W"})
    assert differences(Answer("mismatch", ("weights",)), Answer("mismatch", ("W",)), made) == []


def test_no_answer_is_no_error_of_the_script():
    assert answer("late", "a.py", {}).verdict == "none"
    assert Trial(Draw("a", "b", 0, 0), SAID, answer("late", "a.py", {})).outcome == "no answer"


SILENT = re.sub(r"print\(.*\)", "print(1)", SMALL.text)


def test_rewrite_that_mends_a_gradient_is_seen(forks):
    before = original(Fixture("a/b", SILENT), forks)
    assert before.answer.verdict == "mismatch"

    def kind(tree, _):
        yield Made(ast.parse(ast.unparse(tree).replace("3 * np.mean(gap)", "2 * np.mean(gap)")))

    trial = tried(Draw("a/b", "own", 0, 0), kind, before, forks)
    assert trial.outcome == "verdict"
    assert trial.after.verdict == "match"


# -- the benchmark ----------------------------------------------------------------------------------------------------


def test_a_seed_decides_everything():
    draws = drawn(["a", "b"], KINDS, 50, 3)
    assert draws == drawn(["a", "b"], KINDS, 50, 3) != drawn(["a", "b"], KINDS, 50, 4)
    assert len(set(draws)) == 50
    assert {draw.turn for draw in draws} == {0, 1}
    assert [draw.rng.random() for draw in draws[:3]] == [draw.rng.random() for draw in draws[:3]]
    assert draws[0].rng.random() != draws[1].rng.random()


def test_what_is_drawn_for_a_fixture_does_not_depend_on_the_others():
    (alone,) = drawn(["a"], {"rebind": KINDS["rebind"]}, 1, 3)
    assert alone in drawn(["a", "b"], KINDS, 40, 3)


def test_all_fixtures_are_there():
    names = [fixture.name for fixture in fixtures()]
    assert len(names) == len(set(names)) > 250
    assert {name.partition("/")[0] for name in names} == {"buggy", "correct", "submissions", "programs"}
    program = next(fixture for fixture in fixtures() if fixture.name == "programs/reservoir_wrong/train")
    assert "flow/layers.py" in program.beside


def test_table_counts_the_outcomes():
    draws = [Draw("f/a", kind, 0, 7) for kind in ("rebind", "rebind", "notebook", "notebook")]
    results = [
        Trial(draws[0], SAID, SAID),
        Trial(draws[1]),
        Trial(draws[2], SAID, Answer("match"), ("verdict",)),
        Trial(draws[3], SAID, Answer("mismatch", ("W",)), ("set", "line")),
    ]
    rows = {row.split("|")[1].strip(): row.split() for row in table(results).splitlines()}
    cells = {name: [word for word in row if word.isdigit()] for name, row in rows.items()}
    assert cells["rebind"] == ["1", "1", "0", "0", "0", "0", "1"]
    assert cells["notebook"] == ["2", "0", "1", "1", "0", "0", "0"]
    assert cells["**all**"] == ["3", "1", "1", "1", "0", "0", "1"]
    assert share(results) == "1 of 3 answered as before (33.3 %)"
    lines = list(difference(results[3]))
    assert lines[0] == "f/a: notebook: set, line"
    assert lines[-1].endswith("rewrites --seed 7 --kind notebook --only f/a --keep FOLDER")
    assert fields(results, 7)["trials"][2]["after"] == {"verdict": "match", "wrong": [], "lines": [], "why": ""}


def test_script_that_does_not_run_has_no_rewrites(light_forks):
    broken = Fixture("a/b", "raise ValueError\n")
    (trial,) = trials([Draw("a/b", "reformat", 0, 0)], [broken], 1)
    assert trial.outcome == "not applicable"


def test_small_run_prints_its_table_and_keeps_what_it_made(tmp_path, light_forks):
    arguments = ["rewrites", "--only", "correct/radioactive", "--kind", "notebook", "--kind", "reformat", "--jobs", "1"]
    run = CliRunner().invoke(main, [*arguments, "--keep", str(tmp_path), "--json", str(tmp_path / "all.json")])
    assert run.exit_code == 0, run.output
    assert "2 rewrites of 1 fixtures, seed 0" in run.output
    assert (tmp_path / "notebook" / "correct" / "radioactive.ipynb").exists()
    assert (tmp_path / "reformat" / "correct" / "radioactive.py").exists()
    assert [trial["outcome"] for trial in json.loads((tmp_path / "all.json").read_text())["trials"]] == ["same", "same"]


def test_unknown_fixture_is_refused():
    run = CliRunner().invoke(main, ["rewrites", "--only", "nobody"])
    assert run.exit_code == 2
    assert "no fixture is called nobody" in run.output


# -- a sample ---------------------------------------------------------------------------------------------------------

SAMPLE, OF = 24, 6
