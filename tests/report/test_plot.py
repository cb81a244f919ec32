"""Pictures of checks: what they show, where they are written, and what they refuse."""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck import CheckResult, Report, check_grad
from gradcheck.cli import cli
from gradcheck.errors import ScriptError, UsageError
from gradcheck.report.plot import files_for, require_format, save
from gradcheck.session.result import ScriptResult
from notebooks import DATA, MODEL, TRAINING, WRONG_MODEL
from script_runs import write

pytest.importorskip("matplotlib")

PARAMS = {
    "W": np.arange(6.0).reshape(2, 3) - 2.5,
    "重み_$x$_$y": np.linspace(1, 2, 8).reshape(2, 2, 2),
    "s": 0.5,
    "a_very_long_name" * 8: np.array([1e-6, 1.0, 1e4]),
    "n": np.arange(1.0, 6.0),
}


def check(curves: bool = False, entries: int | str = "auto") -> CheckResult:
    """Check sums of squares, with mistakes of several kinds."""

    def grad(p):
        g = {name: np.array(value) * 2 for name, value in p.items()}
        g["W"][1] *= 1.5
        g["n"][:2] = math.nan, math.inf
        return g

    return check_grad(lambda p: sum(np.sum(v**2) for v in p.values()), grad, PARAMS, curves=curves, entries=entries)


@pytest.fixture(scope="module")
def result() -> CheckResult:
    return check(curves=True, entries=4)


def words(figure) -> list[str]:
    """Return all texts of a figure."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_each_parameter_is_a_row_with_its_verdict_the_worst_first(result):
    figure = result.plot()
    rows = [subfigure.get_suptitle() for subfigure in figure.subfigs]
    assert rows[0].startswith("n  (5)   mismatch: 2 of ")
    assert rows[1].startswith("W  (2 x 3)   mismatch: ")
    assert "grey: not compared by itself (1 of 5)" in rows[0]
    folded = next(row for row in rows if "2 x 2 x 2" in row)
    # letters that the font lacks are escapes, and the dollar signs no formula
    assert folded.startswith("\\u91cd\\u307f_$x$_$y  (2 x 2 x 2)   match   2 x 2 x 2, drawn as 2 x 4")
    assert all(len(row) < 160 for row in rows)
    assert figure.get_suptitle() == "mismatch"


def test_the_panels_are_labelled(result):
    found = words(result.plot(parameters="W"))
    for label in ("analytic", "numerical", "relative error", "row", "column", "step", "from analytic", "derivative"):
        assert label in found


def test_numbers_are_shown_where_there_is_no_array(result):
    found = words(result.plot(parameters=["s"]))
    assert found.count("1") >= 2


def test_without_curves_there_is_no_panel_of_steps():
    figure = check().plot(parameters=["W"])
    assert "step" not in words(figure)
    assert len(figure.subfigs[0].axes) == 6  # with two bars of colours


def test_colours_tell_wrong_entries_and_mark_what_is_no_number(result):
    axes = result.plot(parameters=["n"]).subfigs[0].axes
    (image,) = axes[0].get_images()
    marks = axes[0].collections[0].get_offsets()
    assert [x for x, _ in marks] == [0, 1]
    cells = np.asarray(image.get_array())
    unchecked = set(range(5)) - set(result.parameters[-1].indices.tolist())
    assert {tuple(cells[0, i].round(2)) for i in unchecked} == {(0.69, 0.69, 0.69, 1.0)}


@pytest.mark.parametrize("scale", [1e305, 1e-305, 0.0])
def test_numbers_of_any_size_are_drawn(scale, tmp_path):
    made = check_grad(lambda w: scale * np.sum(w), lambda w: np.full((1, 4), scale), np.ones((1, 4)))
    with warnings.catch_warnings(action="error"):
        save(made.plot(), tmp_path / "made.png")
    assert (tmp_path / "made.png").stat().st_size > 1000


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")])
def test_formats_follow_the_suffix_and_files_are_the_same_every_time(suffix, start, result, tmp_path):
    files = [tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"]
    for file in files:
        save(result.plot(parameters=["W"]), file)
    assert files[0].read_bytes().startswith(start)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_parameters_that_do_not_exist_are_a_sentence(result):
    with pytest.raises(UsageError, match=r"^no parameter 'V'; there are W, "):
        result.plot(parameters=["W", "V"])


def test_at_most_six_rows_unless_more_are_named():
    params = {f"w{i}": float(i + 1) for i in range(8)}
    made = check_grad(lambda p: sum(v**2 for v in p.values()), lambda p: {k: 2 * v for k, v in p.items()}, params)
    figure = made.plot()
    assert len(figure.subfigs) == 6
    assert figure.get_suptitle() == "match (the 6 worst of 8 parameters)"
    assert len(made.plot(parameters=list(params)[:7]).subfigs) == 7


def test_a_script_of_a_report_is_chosen_by_its_path_or_place(result):
    failed = ScriptResult("a/bad.py", error=ScriptError("m", slug="syntax-error"))
    report = Report((failed, ScriptResult("a/net.py", check=result), ScriptResult("b/net.py", check=result)))
    assert report.plot(parameters="s").get_suptitle().startswith("a/net.py: ")
    assert report.plot("b/net.py", parameters="s").get_suptitle().startswith("b/net.py: ")
    assert report.plot(-1, parameters="s").get_suptitle().startswith("b/net.py: ")
    for wanted, complaint in ((7, "below 3"), ("net.py", "2 scripts of that path"), ("c", "no script"), (0, "nothing")):
        with pytest.raises(UsageError, match=complaint):
            report.plot(wanted)
    with pytest.raises(UsageError, match="no scripts"):
        Report(()).plot()


def test_matplotlib_that_is_missing_is_a_sentence(result, monkeypatch):
    monkeypatch.setattr("gradcheck.report.plot.find_spec", lambda name: None)
    for call in (result.plot, lambda: require_format(Path("made.png"))):
        with pytest.raises(UsageError, match=r"pip install 'gradcheck\[plot\]'"):
            call()


def test_several_scripts_have_files_of_their_own():
    scripts = [ScriptResult(path) for path in ("a/net.py", "b/Net.py", "deep.tar.ipynb")]
    names = [file.as_posix() for file in files_for(scripts, Path("out/grad.png"))]
    assert names == ["out/grad-net.png", "out/grad-Net-2.png", "out/grad-deep.tar.png"]
    assert files_for(scripts[:1], Path("grad.png")) == [Path("grad.png")]


# -- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def invoke(tmp_path, monkeypatch, forked):
    """Return a way to call the command line in a folder with scripts."""
    for name, model in (("right", MODEL), ("wrong", WRONG_MODEL)):
        write(tmp_path, "import numpy as np\n" + DATA + model + TRAINING, f"{name}.py")
    write(tmp_path, "def f(:", "broken.py")

    def of(*arguments):
        monkeypatch.setattr("sys.argv", ["gradcheck", *arguments])
        return CliRunner().invoke(cli, arguments)

    monkeypatch.chdir(tmp_path)
    return of


def test_a_script_is_drawn_into_the_file_with_its_curves(invoke):
    done = invoke("run", "--isolated", "--no-fix", "--plot", "grad.svg", "wrong.py")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, "wrote grad.svg")
    drawn = Path("grad.svg").read_text()
    # letters are shapes; their text is in comments
    assert re.search(r"<!-- step -->", drawn)
    assert re.search(r"<!-- wrong.py: 1 of 2 gradients is wrong -->", drawn)


def test_scripts_are_drawn_into_files_of_their_own(invoke):
    done = invoke("run", "--isolated", "--no-fix", "--plot", "grad.png", "right.py", "broken.py")
    assert done.stderr.splitlines()[-2:] == ["wrote grad-right.png", "no picture of broken.py: nothing was compared"]
    assert Path("grad-right.png").read_bytes().startswith(b"\x89PNG")
    assert not Path("grad-broken.png").exists()


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("grad.bmp", "--plot grad.bmp: expected a file name that ends in .png, .svg, .pdf, got .bmp"),
        ("grad", "got no suffix"),
        ("missing/grad.png", "is not a folder that can be written"),
    ],
)
def test_a_picture_that_cannot_be_made_is_told_before_anything_is_run(file, complaint, invoke, monkeypatch):
    monkeypatch.setattr("gradcheck.commands.run.check", lambda *_: pytest.fail("something was run"))
    done = invoke("run", "--plot", file, "wrong.py")
    assert done.exit_code != 0
    assert complaint in done.stderr + str(done.exception)
