"""Programs of several files: gradients in modules beside the script are checked, and mended where they lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fixture_scripts import FIXTURES
from gradcheck.api import examine_script
from gradcheck.fix import find_fix, write_fix
from gradcheck.report import github, html, sarif
from gradcheck.report.json import render
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options
from notebooks import write_notebook
from sarif_logs import results
from script_runs import TIMEOUT, snippet, verdicts, write, write_program

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

RIGHT, WRONG = FIXTURES / "programs" / "reservoir_right", FIXTURES / "programs" / "reservoir_wrong"
OPTIONS = Options(isolated=True, timeout=TIMEOUT)
PARAMETERS = {f"self.parts[{n}].{name}" for n in (0, 3) for name in ("weight", "shift")} | {
    f"self.parts[{n}].factor" for n in (1, 4)
}
FACTORS = {name for name in PARAMETERS if name.endswith("factor")}
LINE = 41
TRUTH = """
import numpy as np
sys.path.insert(0, sys.argv[1])
from flow import Chain
from flow.data import inflow
from flow.losses import Huber

rain, level = inflow()
net, measure, rng = Chain([3, 6, 1], np.random.default_rng(8)), Huber(0.8), np.random.default_rng(1)
for layer, name in net.slots():
    setattr(layer, name, getattr(layer, name) + 0.1 * rng.normal(size=getattr(layer, name).shape))

def loss():
    return measure.forward(net.forward(rain), level)

loss()
net.backward(measure.backward())
found = {}
for layer, name in net.slots():
    values, analytic = getattr(layer, name), getattr(layer, "d_" + name)
    numerical = np.zeros_like(values)
    for index in np.ndindex(values.shape):
        kept = values[index]
        values[index] = kept + 1e-6
        up = loss()
        values[index] = kept - 1e-6
        numerical[index] = (up - loss()) / 2e-6
        values[index] = kept
    found[f"self.parts[{net.parts.index(layer)}].{name}"] = float(np.max(np.abs(analytic - numerical)))
answer(found)
"""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> ScriptResult:
    folder = shutil.copytree(WRONG, tmp_path_factory.mktemp("wrong") / "reservoir")
    return examine_script(folder / "train.py", OPTIONS)


@pytest.mark.parametrize(("folder", "expected"), [(RIGHT, set()), (WRONG, FACTORS)], ids=["right", "wrong"])
def test_what_is_wrong_with_the_programs_is_known_from_differences(tmp_path, folder, expected):
    errors = snippet(TRUTH, folder, cwd=tmp_path)
    assert set(errors) == PARAMETERS
    assert {name for name, error in errors.items() if error > 1e-2} == expected
    assert all(error < 1e-8 for name, error in errors.items() if name not in expected)


def test_the_programs_differ_in_one_line():
    files = [path.relative_to(RIGHT) for path in RIGHT.rglob("*.py")]
    differing = {str(f): [a != b for a, b in zip(*lines(f), strict=True)] for f in files if lines(f)[0] != lines(f)[1]}
    assert list(differing) == ["flow/layers.py"]
    assert [n for n, differs in enumerate(differing["flow/layers.py"], start=1) if differs] == [LINE]


def lines(file: Path) -> list[list[str]]:
    return [(folder / file).read_text().splitlines() for folder in (RIGHT, WRONG)]


def test_a_right_program_matches():
    found = verdicts(examine_script(RIGHT / "train.py", OPTIONS))
    assert found == dict.fromkeys(PARAMETERS, "match")


def test_a_wrong_layer_is_found_where_it_lies(wrong):
    assert {name for name, verdict in verdicts(wrong).items() if verdict == "mismatch"} == FACTORS
    assert set(verdicts(wrong)) == PARAMETERS
    (finding,) = wrong.findings
    place = wrong.place(finding.span.line)
    assert (place.module, place.line) == ("flow/layers.py", LINE)
    assert str(wrong.place(wrong.entry_points.backward_line)) == "flow/model.py, line 16"
    assert finding.fix.verified
    (edit,) = finding.fix.edits
    assert (str(wrong.place(edit.line)), "self.seen" in edit.new) == (f"flow/layers.py, line {LINE}", True)


def test_formats_name_the_file(wrong):
    (finding,) = json.loads(render(Report((wrong,))))["scripts"][0]["findings"]
    (edit,) = finding["fix"]["edits"]
    path = str(Path(wrong.path).parent / "flow" / "layers.py")
    assert (finding["path"], finding["line"], finding["end_line"]) == (path, LINE, LINE)
    assert (edit["path"], edit["line"]) == (path, LINE)
    assert f"file={path},line={LINE},endLine={LINE}" in github.render(Report((wrong,)))
    (result,) = results(wrong)
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == Path(path).as_uri()
    assert location["region"]["startLine"] == LINE
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == Path(path).as_uri()
    assert change["replacements"][0]["deletedRegion"]["startLine"] == LINE
    page = html.render(Report((wrong,)))
    assert "flow/layers.py" in page
    assert "ˑ" not in page
    assert sarif.render(Report((wrong,)))


def test_a_fix_is_written_into_the_module(tmp_path):
    folder = shutil.copytree(WRONG, tmp_path / "reservoir")
    mended = find_fix(folder / "train.py", OPTIONS)
    assert [file.path.relative_to(folder).as_posix() for file in mended.files] == ["flow/layers.py"]
    assert b"+        self.d_factor = (up * self.seen).sum(axis=0)" in mended.diff
    assert write_fix(mended, OPTIONS).verdict == "match"
    changed = {f.relative_to(folder).as_posix() for f in folder.rglob("*.py") if f.read_text() != twin(f, folder)}
    assert changed == {"flow/layers.py"}


def twin(file: Path, folder: Path) -> str:
    return (WRONG / file.relative_to(folder)).read_text()


def test_a_notebook_that_imports_the_modules(tmp_path):
    shutil.copytree(WRONG / "flow", tmp_path / "flow")
    text = (WRONG / "train.py").read_text()
    head, loop = text.split("\nfor epoch", 1)
    path = write_notebook(tmp_path, head, "for epoch" + loop)
    result = examine_script(path, OPTIONS)
    assert set(result.mismatching) == FACTORS
    (finding,) = result.findings
    assert str(result.place(finding.span.line)) == f"flow/layers.py, line {LINE}"
    assert str(result.place(result.entry_points.loss_line)) == "cell 2, line 2"


MODELS = """
# left.py
import numpy as np
W = np.array([0.3, -0.2])
b = np.zeros(1)
def out(X):
    return X @ W + b
def gradient(X, y):
    gap = (out(X) - y) / len(y)
    return X.T @ gap, gap.sum(keepdims=True)
# right.py
import numpy as np
W = np.array([0.1, 0.4])
b = np.ones(1)
def out(X):
    return X @ W - b
def gradient(X, y):
    gap = (out(X) - y) / len(y)
    return X.T @ gap, {sign}gap.sum(keepdims=True)
# main.py
import numpy as np
import left, right
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 2))
y = X @ np.array([1.0, -1.0])
for step in range(50):
    loss = 0.5 * np.mean((left.out(X) - y) ** 2) + 0.5 * np.mean((right.out(X) - y) ** 2)
    dW, db = left.gradient(X, y)
    left.W -= 0.1 * dW
    left.b -= 0.1 * db
    dW, db = right.gradient(X, y)
    right.W -= 0.1 * dW
    right.b -= 0.1 * db
    if step % 10 == 0:
        print(loss)
"""


@pytest.mark.parametrize(("sign", "mismatch"), [("-", set()), ("", {"right.b"})], ids=["right", "wrong"])
def test_names_that_several_modules_have_are_told_apart(tmp_path, sign, mismatch):
    write_program(tmp_path, MODELS.format(sign=sign))
    result = examine_script(tmp_path / "main.py", OPTIONS)
    assert set(verdicts(result)) == {"left.W", "left.b", "right.W", "right.b"}
    assert set(result.mismatching) == mismatch
    for finding in result.findings:
        assert finding.fix.verified
    assert "ˑ" not in repr(result)


STARTED = """
import numpy as np
t, y = np.loadtxt("data/points.txt")
w = 0.5
for step in range(100):
    loss = np.mean((w * t - y) ** 2)
    w -= 0.05 * 2 * np.mean((w * t - y) * t)
    if step % 20 == 0:
        print(loss)
"""


def test_a_script_is_started_where_its_data_lie(tmp_path, monkeypatch):
    write(tmp_path, "1 2 3\n2 4 6.5\n", "data/points.txt")
    path = write(tmp_path, STARTED, "src/train.py")
    monkeypatch.chdir(tmp_path)
    result = examine_script(path.relative_to(tmp_path), OPTIONS)
    assert verdicts(result) == {"w": "match"}
    assert "started in the current folder, where `data/points.txt` lies" in result.notes[0]
    monkeypatch.chdir(path.parent)
    assert examine_script("train.py", OPTIONS).error.slug == "script-raised"
    assert verdicts(examine_script("train.py", Options(isolated=True, cwd=".."))) == {"w": "match"}


def test_data_beside_the_script_come_first(tmp_path, monkeypatch):
    write(tmp_path, "1 2 3\n2 4 6.5\n", "data/points.txt")
    path = write(tmp_path, STARTED, "src/train.py")
    write(tmp_path, "1 2 3\n2 4 6.5\n", "src/data/points.txt")
    monkeypatch.chdir(tmp_path)
    assert not any("started" in note for note in examine_script(path, OPTIONS).notes)


@pytest.mark.parametrize(
    ("place", "way"),
    [
        ("examples/start.py", "sys.path.append(os.path.join(os.path.dirname(__file__), '..'))"),
        ("start.py", "pass"),
    ],
)
@pytest.mark.parametrize(("slope", "wrong"), [("1 - h**2", set()), ("1 - h", {"self.inner"})])
def test_objects_of_modules_in_folders_beside_have_parameters(tmp_path, place, way, slope, wrong):
    """A script in `examples` is not above the package that it shows."""
    program = f"""
        # kites/__init__.py

        # kites/net.py
        import numpy as np


        class Kite:
            def __init__(self, rng):
                self.inner = rng.normal(size=(2, 3))
                self.outer = rng.normal(size=(3, 1))

            def train(self, wind, lift, rate, rounds):
                for _ in range(rounds):
                    h = np.tanh(wind @ self.inner)
                    miss = h @ self.outer - lift
                    loss = np.sum(miss**2) / 2
                    below = miss @ self.outer.T * ({slope})
                    self.outer -= rate * h.T @ miss
                    self.inner -= rate * wind.T @ below
                return loss
        # {place}
        import os
        import sys
        {way}
        import numpy as np
        from kites.net import Kite

        rng = np.random.default_rng(5)
        print(Kite(rng).train(rng.normal(size=(12, 2)), rng.normal(size=(12, 1)), 0.01, 40))
        """
    *_, start = write_program(tmp_path, program)
    script = examine_script(start, Options(fix=False, timeout=TIMEOUT))
    assert verdicts(script) == {name: "mismatch" if name in wrong else "match" for name in ("self.inner", "self.outer")}
