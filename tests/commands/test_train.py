"""The command ``gradcheck train``: what it prints, what it writes, and what it says to wrong usage."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from gradcheck import reference
from gradcheck.cli import cli
from gradcheck.commands import train as command_module
from gradcheck.errors import UsageError
from gradcheck.reference.optimizers import OPTIMIZERS
from gradcheck.report.curve import curve
from gradcheck.report.plot import plot_curves
from script_runs import command

pytestmark = pytest.mark.usefixtures("forked_commands")

QUICK = ("--epochs", "3")


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a way to call the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["train", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    """Return a way to write a CSV file."""

    def of(text, name="data.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return name

    return of


def numbers(rows: int = 60) -> str:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 2))
    lines = [f"{a:.4f},{b:.4f},{['no', 'yes'][int(a > b)]},{3 * a - b:.4f}" for a, b in X]
    return "\n".join(["a,b,larger,c", *lines, ""])


# -- what it prints ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", command_module.TASKS)
def test_every_task_is_learned(task, train):
    done = train(task)
    assert done.exit_code == 0, done.output
    accuracies = re.findall(r"^  \d+ (?:training|test) +(\S+) ", done.stdout, flags=re.M)
    assert len(accuracies) == (1 if task in ("parity", "xor") else 2)
    assert all(float(accuracy) > 0.95 for accuracy in accuracies)


def test_parity_is_the_default(train):
    assert train().stdout == train("parity").stdout
    assert "parity: 9 samples, 1 input, 2 labels\n  network 1-8-1 tanh, 25 parameters" in train().stdout


def test_one_unit_in_place_of_eight_does_not_learn_parity(train):
    done = train("--hidden", "1", "--loss", "squared_error", "--activation", "sigmoid")
    error = float(re.search(r"9 training +\S+ +(\S+)", done.stdout)[1])
    assert 0.22 < error < 0.25


def test_settings_reach_the_network(train):
    done = train("moons", "--hidden", "5,3", "--activation", "relu", "--optimizer", "sgd", "--seed", "7", *QUICK)
    assert "network 2-5-3-1 relu, 37 parameters; sgd, seed 7\n  3 epochs (finished)" in done.stdout
    assert "network 2-1, 3 parameters" in train("moons", "--hidden", "none", *QUICK).stdout
    halves = train("moons", "--test", "0.5", *QUICK).stdout
    assert re.search(r"200 training .*\n  200 test ", halves)


def test_the_same_seed_prints_the_same(train):
    assert train("moons", *QUICK).stdout == train("moons", *QUICK).stdout
    assert train("moons", *QUICK).stdout != train("moons", "--seed", "1", *QUICK).stdout


def test_early_stopping_is_told(train):
    done = train("moons", "--patience", "3", "--validation", "0.2", "--epochs", "5000", "--learning-rate", "0.1")
    assert re.search(r"\d+ epochs \(no progress, the parameters of epoch \d+ kept\)", done.stdout)


def test_a_pipe_gets_the_curve_and_nothing_of_the_progress(tmp_path):
    done = command("train", "xor", *QUICK, cwd=tmp_path, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "█" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_pipe_without_blocks_gets_ascii(tmp_path):
    done = command("train", "xor", *QUICK, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "#" in done.stdout
    assert "\\u" not in done.stdout


def test_a_terminal_gets_the_progress_on_standard_error(train, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    with command_module._progress() as moved:
        for epoch in range(1, 201):
            moved(epoch, 200, 0.5 / epoch)
    assert "200/200" in screen.getvalue()
    assert "loss 0.0025" in screen.getvalue()


def test_choices_are_those_of_the_reference():
    assert set(command_module.ACTIVATIONS) == set(reference.ACTIVATIONS)
    assert set(command_module.OPTIMIZERS) == set(OPTIMIZERS)
    assert set(command_module.TASKS) == set(reference.TASKS)


# -- CSV files --------------------------------------------------------------------------------------------------------


def test_labels_of_a_file_are_learned(train, table):
    done = train(table(numbers()), "--target", "larger", "--epochs", "300")
    assert done.exit_code == 0, done.output
    assert "data.csv: 60 samples, 3 inputs, 2 labels" in done.stdout
    assert "accuracy" in done.stdout


def test_numbers_of_a_file_are_learned(train, table):
    text = re.sub(r",(yes|no),", ",1,", numbers())
    done = train(table(text), "--target", "c", "--epochs", "300")
    assert done.exit_code == 0, done.output
    assert "data.csv: 60 samples, 3 inputs, a number to predict" in done.stdout
    assert float(re.search(r"12 test +(\S+)", done.stdout)[1]) > 0.9


@pytest.mark.parametrize(("kind", "shown"), [(None, "3 labels"), ("regression", "a number"), ("classification", "3 l")])
def test_few_whole_numbers_are_labels_unless_told_otherwise(kind, shown, train, table):
    text = "x,y\n" + "".join(f"{i / 7},{i % 3}\n" for i in range(20))
    done = train(table(text), "--target", "y", *QUICK, *(("--kind", kind) if kind else ()))
    assert f"1 input, {shown}" in done.stdout


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ways_to_write_a_file(separator, encoding, end, train, table):
    text = numbers().replace(",", separator).replace("\n", end) + end
    done = train(table(text, encoding=encoding), "--target", "larger", *QUICK)
    assert done.exit_code == 0, done.output
    assert "60 samples, 3 inputs, 2 labels" in done.stdout


def test_quoted_names_may_have_separators(train, table):
    text = '"a, b",y\n1,p\n2,q\n3,p\n4,q\n5,p\n'
    assert "5 samples, 1 input, 2 labels" in train(table(text), "--target", "y", "--test", "0", *QUICK).stdout


BAD_FILES = [
    ("", "data.csv is empty; expected names of columns in the first line"),
    ("\n\n", "data.csv is empty"),
    ("x,y\n", "data.csv has no line of data below its first line"),
    ("y\n1\n2\n", "data.csv: expected at least one column besides 'y'"),
    ("x,z\n1,2\n", "data.csv: no column 'y'; it has the columns x, z"),
    ("x,x,y\n1,2,3\n", "data.csv: the column 'x' occurs more than once"),
    ("x,y\n1,2\n3\n", "data.csv, line 3: expected 2 values, got 1"),
    ("x,y\n1,2\n\n3,4,5\n", "data.csv, line 4: expected 2 values, got 3"),
    ("x,y\n1,a\nred,b\n", "data.csv, line 3, column 'x': expected a number, got 'red'"),
    ("x,y\n1,a\n,b\n", "data.csv, line 3, column 'x': expected a number, got ''"),
    ("x,y\nnan,a\n2,b\n", "data.csv, line 2, column 'x': expected a finite number, got 'nan'"),
    ("x,y\n1,a\n-inf,b\n", "data.csv, line 3, column 'x': expected a finite number, got '-inf'"),
    ("x,y\n1,1.5\n2,nan\n", "data.csv, line 3, column 'y': expected a label or a finite number, got 'nan'"),
    ("x,y\n1,a\n2,\n", "data.csv, line 3, column 'y': expected a label or a number, got nothing"),
    ("x,y\n1,a\n2,a\n3,a\n4,a\n", "y: expected at least two labels, got 'a' for all samples"),
    ("x,y\n1,5\n2,5\n3,5\n4,5\n", "y: expected at least two labels, got 5 for all samples"),
    ('x,y\n1,"a\n2,b\n', "unexpected end of data"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES, ids=[message for _, message in BAD_FILES])
def test_a_bad_file_is_told(text, message, tmp_path, train, table):
    done = train(table(text), "--target", "y")
    assert message in str(done.exception)
    assert isinstance(done.exception, UsageError)


def test_a_file_that_cannot_be_read_is_told(train, table, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name, message in (
        (table("x,y\nä,1\n", "latin.csv", "latin-1"), "cannot read latin.csv: expected text in UTF-8"),
        ("missing.csv", "cannot read missing.csv: No such file or directory"),
        ("folder.csv", "cannot read folder.csv: Is a directory"),
    ):
        assert message in str(train(name, "--target", "y").exception)


WRONG = [
    (("pairty",), "expected a task (parity, xor, moons, digits) or a CSV file, got 'pairty'"),
    (("xor", "--target", "y"), "--target names a column of a CSV file; the task xor has its own target"),
    (("data.csv",), "data.csv: say with --target which column to predict; it has the columns a, b, larger, c"),
    (("data.csv", "--target", "larger", "--kind", "regression"), "data.csv: expected numbers to predict, got '"),
    (("--kind", "regression", "--loss", "cross_entropy"), "cross-entropy is a loss for labels"),
    (("--hidden", "0"), "expected whole numbers of at least 1, separated by commas, or none, got '0'"),
    (("--hidden", "4,x"), "separated by commas, or none, got '4,x'"),
    (("--hidden", "-3"), "got '-3'"),
    (("--learning-rate", "0"), "learning_rate: expected a positive number, got 0.0"),
    (("--learning-rate", "nan"), "learning_rate: expected a positive number, got nan"),
    (("--l2", "-1"), "l2: expected a number of at least 0, got -1.0"),
    (("--test", "1"), "fraction: expected a number of at least 0 and less than 1, got 1.0"),
    (("--validation", "-0.5"), "fraction: expected a number of at least 0 and less than 1, got -0.5"),
    (("--epochs", "0"), "Invalid value for '--epochs'"),
    (("--save", "no/folder/m.npz"), "is not a folder that can be written"),
    (("--plot", "no/folder/p.png"), "is not a folder that can be written"),
    (
        ("moons", "--optimizer", "sgd", "--learning-rate", "1e200", "--activation", "relu"),
        "the training diverged: the loss was",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(arguments) for arguments, _ in WRONG])
def test_wrong_usage_is_told(arguments, message, train, table):
    table(numbers())
    done = train(*arguments)
    assert message in done.output + str(done.exception)
    assert done.exit_code == 2 or isinstance(done.exception, UsageError)


def test_wrong_usage_ends_with_2_and_without_a_traceback(tmp_path):
    (tmp_path / "data.csv").write_text("x,y\n1,2\noops,3\n")
    done = command("train", "data.csv", "--target", "y", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "gradcheck: data.csv, line 3, column 'x': expected a number, got 'oops'\n"


# -- files that it writes ---------------------------------------------------------------------------------------------


def test_a_saved_model_predicts_as_the_trained_one(train, tmp_path):
    done = train("--save", "model.npz")
    assert "wrote model.npz" in done.stderr
    model, task = reference.load(tmp_path / "model.npz"), reference.parity()
    assert model.score(task.X, task.y) == 1.0


def test_a_plot_without_matplotlib_says_what_to_install(train, monkeypatch):
    monkeypatch.setattr("gradcheck.report.plot.find_spec", lambda name: None)
    done = train("--plot", "p.png", *QUICK)
    assert "needs matplotlib, which is not installed; type: pip install 'gradcheck[plot]'" in str(done.exception)
    assert done.stdout == ""


def test_a_plot_is_drawn(train, tmp_path):
    pytest.importorskip("matplotlib")
    for name in ("p.png", "p.svg"):
        done = train("moons", "--plot", name, "--validation", "0.2", *QUICK)
        assert done.exit_code == 0, done.output
        assert (tmp_path / name).stat().st_size > 1000
    with pytest.raises(UsageError, match=r"cannot write .*p\.xyz"):
        plot_curves({"training": [1.0]}, tmp_path / "p.xyz", title="t")


# -- the curve --------------------------------------------------------------------------------------------------------


def test_curve_of_few_losses():
    assert curve([4.0, 2.0, 1.0, 3.0], height=2) == [
        "loss by epoch",
        "        4 |█  ▃",
        "        1 |█▆▁█",
        "           1  4",
    ]


def test_curve_of_many_losses_is_one_of_means():
    lines = curve([1.0] * 500 + [0.0] * 500, width=10, height=3)
    assert lines[1] == "        1 |█████"
    assert lines[3] == "        0 |█████▁▁▁▁▁"
    assert lines[4] == "           1     1000"


def test_curve_in_ascii():
    lines = curve([100.0, 10.0, 1.0], height=4, plain=True)
    assert lines[0] == "loss by epoch, logarithmic"
    assert lines[1:5] == ["      100 |#", "          |#", "          |##", "        1 |###"]


@pytest.mark.parametrize("losses", [[0.0], [2.0, 2.0, 2.0], [0.0, 1.0]], ids=str)
@pytest.mark.parametrize("plain", [False, True])
def test_curve_of_special_losses(losses, plain):
    lines = curve(losses, plain=plain)
    assert len(lines) == 10
    assert all(line == line.rstrip() for line in lines)
