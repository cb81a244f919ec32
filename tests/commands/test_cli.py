"""The command line: exit codes, streams, formats, and what it says to wrong usage."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gradcheck import __version__
from gradcheck.cli import cli
from notebooks import DATA, TRAINING, WRONG_MODEL, markdown, write_notebook
from script_runs import PATIENCE, command, write

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

RIGHT = """
import sys
def loss(w):
    return (w - 3) ** 2
def gradient(w):
    dw = 2 * (w - 3)
    return dw
w = 0.5
print("printed by the script", sys.argv[1:])
for i in range(3):
    dw = gradient(w)
    w -= 0.1 * dw
"""
WRONG = RIGHT.replace("2 * (w - 3)", "2 * (w + 3)")
BROKEN = "def gradient(w:\n"
# a loss of which nothing is known: the limit is reached before anything is decided
UNDECIDED = "# gradcheck: points=1, max_evals=1\n" + RIGHT
ESCAPE = "\x1b["


@pytest.fixture
def folder(tmp_path):
    for name, text in (("right", RIGHT), ("wrong", WRONG), ("broken", BROKEN)):
        write(tmp_path, text, f"{name}.py")
    return tmp_path


@pytest.fixture
def invoke(folder, monkeypatch, forked):
    """Return a way to call the command line in this process, in the folder."""

    def of(*arguments):
        monkeypatch.setattr("sys.argv", ["gradcheck", *arguments])
        return CliRunner().invoke(cli, arguments)

    monkeypatch.chdir(folder)
    return of


@pytest.fixture
def report(invoke):
    """Return a way to get the exit code and the parsed report of a run."""

    def of(*arguments):
        done = invoke("run", *arguments, "--format", "json")
        return done.exit_code, json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    return of


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["right.py"], 0),
        (["wrong.py"], 1),
        (["broken.py"], 3),
        (["missing.py"], 3),
        (["right.py", "broken.py"], 3),
        (["right.py", "wrong.py"], 1),
        (["broken.py", "wrong.py", "right.py"], 1),
        (["--exit-zero", "wrong.py"], 0),
        (["--exit-zero", "wrong.py", "broken.py"], 3),
        (["-k", "nothing", "right.py"], 5),
        (["-k", "right", "right.py", "wrong.py"], 0),
        (["empty"], 5),
        ([], 2),
        (["--points", "0", "right.py"], 2),
        (["--nonsense", "right.py"], 2),
        (["--", "x"], 2),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else None,
)
def test_exit_codes(folder, invoke, arguments, code):
    (folder / "empty").mkdir()
    assert invoke("run", *arguments).exit_code == code


@pytest.mark.parametrize(
    ("arguments", "code"), [(["right.py"], 0), (["--no-fix", "wrong.py"], 1), (["broken.py"], 3), ([], 2)]
)
def test_exit_codes_of_the_process(folder, arguments, code):
    """Of a process that is forked where a script is examined, and of an interpreter where none is."""
    if code in (0, 1):
        assert command("run", *arguments, cwd=folder).returncode == code
        return
    interpreter = [sys.executable, "-m", "gradcheck", "run", *arguments]
    assert subprocess.run(interpreter, cwd=folder, capture_output=True, check=False).returncode == code


def test_strict_turns_the_inconclusive_into_a_failure(tmp_path):
    write(tmp_path, UNDECIDED, "undecided.py")
    plain, strict = (command("run", *flags, "undecided.py", cwd=tmp_path) for flags in ([], ["--strict"]))
    assert "could not be decided" in plain.stdout
    assert (plain.returncode, strict.returncode) == (0, 1)


def test_long_names_are_whole_in_a_pipe(folder):
    name = "a_rather_long_name_of_a_weight_that_somebody_chose_because_short_names_say_nothing"
    write(folder, re.sub(r"\bw\b", name, WRONG).replace("dw", f"d_{name}"), "long.py")
    done = command("run", "long.py", cwd=folder, COLUMNS="60")
    assert any(name in line and "mismatch" in line for line in done.stdout.splitlines())


def test_the_report_is_on_stdout_and_the_counts_are_on_stderr(folder):
    done = command("run", "wrong.py", "right.py", cwd=folder)
    assert "wrong.py: the gradient is wrong" in done.stdout
    assert "right.py: the gradient matches" in done.stdout
    assert "2 scripts: 1 match, 1 mismatch" in done.stderr
    assert "2 scripts" not in done.stdout
    assert "printed by the script" not in done.stdout + done.stderr


def test_verbose_shows_on_stderr_what_the_script_prints(folder):
    done = command("run", "-v", "right.py", "--", "-n", "7", cwd=folder)
    assert "printed by the script ['-n', '7']" in done.stderr
    assert "printed by the script" not in done.stdout
    assert "how the script was understood" in done.stdout


def test_quiet_is_one_line_per_script(invoke):
    done = invoke("run", "-q", "right.py", "wrong.py", "broken.py")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["right.py", "wrong.py", "broken.py"]
    assert done.stderr == ""


def test_what_follows_the_dashes_is_the_scripts(folder):
    done = command("run", "right.py", "-v", "--", "--points", "0", "wrong.py", cwd=folder)
    assert done.returncode == 0
    assert "['--points', '0', 'wrong.py']" in done.stderr


def test_what_is_piped_in_is_the_scripts(folder):
    write(folder, "n = int(input())\nm = int(input('m? '))\nassert (n, m) == (3, 4)\n" + RIGHT, "asks.py")
    assert command("run", "asks.py", cwd=folder, stdin="3\n4\n").returncode == 0
    done = command("run", "asks.py", cwd=folder, stdin="3\n")
    assert done.returncode == 3
    assert "asks.py: line 2: needs-input" in done.stdout


def test_a_folder_means_every_script_below_it(folder, report):
    for name in (".hidden/a.py", "__pycache__/b.py", "sub/c.py", "notes.txt"):
        write(folder, RIGHT, name)
    _, found = report(".")
    assert sorted(Path(s["path"]).name for s in found["scripts"]) == ["broken.py", "c.py", "right.py", "wrong.py"]


def test_a_path_can_be_narrowed_to_one_function(folder, report):
    write(folder, RIGHT + "def gradient_of_v(v):\n    return 2 * v\ngradient_of_v(1.0)\n", "two.py")
    code, found = report("two.py::gradient")
    assert code == 0
    assert found["scripts"][0]["entry_points"]["backward"] == "gradient"
    code, found = report("two.py::nothing")
    assert (code, found["scripts"][0]["error"]["slug"]) == (3, "no-gradient")


def test_the_format_follows_the_suffix_of_the_output_file(folder):
    done = command("run", "wrong.py", "-o", "report.json", cwd=folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert json.loads((folder / "report.json").read_text(encoding="utf-8"))["scripts"][0]["verdict"] == "mismatch"
    command("run", "wrong.py", "-o", "report.txt", cwd=folder)
    assert "the gradient is wrong" in (folder / "report.txt").read_text(encoding="utf-8")


def test_an_output_file_that_cannot_be_written_is_wrong_usage(folder):
    done = command("run", "right.py", "-o", "nowhere/report.json", cwd=folder)
    assert done.returncode == 2
    assert "cannot write nowhere" in done.stderr.replace(os.sep, "/")


def test_an_output_file_that_cannot_be_written_is_told_before_anything_runs(folder):
    write(folder, "import time\ntime.sleep(10_000)\n" + RIGHT, "slow.py")
    done = command("run", "slow.py", "--timeout", 10_000, "-o", "nowhere/report.json", cwd=folder)
    assert done.returncode == 2


SCRIPT_KEYS = {
    "path": str,
    "verdict": str,
    "seconds": float,
    "evaluations": int,
    "entry_points": dict,
    "parameters": list,
    "findings": list,
    "error": type(None),
}
PARAMETER_KEYS = {
    "name": str,
    "shape": list,
    "checked": int,
    "mismatched": int,
    "max_abs_error": float,
    "max_rel_error": float,
    "worst_index": list,
    "analytic": float,
    "numerical": float,
    "numerical_error": float,
    "verdict": str,
    "reason": type(None),
    "signature": str,
    "certified": type(None),
}


def test_the_json_has_the_keys_and_types_of_schema_1(folder, report):
    code, found = report("wrong.py")
    assert code == 1
    assert {key: type(value) for key, value in found.items()} == {
        "schema": int,
        "gradcheck": str,
        "seed": int,
        "scripts": list,
    }
    assert (found["schema"], found["gradcheck"], found["seed"]) == (1, __version__, 0)
    (script,) = found["scripts"]
    types = {key: type(value) for key, value in script.items() if key not in {"notes"}}
    assert types == SCRIPT_KEYS
    assert set(script["entry_points"]) == {"backward", "forward", "loss", "parameters"}
    (parameter,) = script["parameters"]
    assert {key: type(value) for key, value in parameter.items()} == PARAMETER_KEYS
    assert (parameter["name"], parameter["shape"], parameter["verdict"]) == ("w", [], "mismatch")


def test_the_json_of_an_error(folder, report):
    _, found = report("broken.py")
    (script,) = found["scripts"]
    assert script["verdict"] == "error"
    message = script["error"]["message"]
    place = {"path": None, "line": 1, "cell": None, "cell_line": None}
    assert script["error"] == {"slug": "syntax-error", "message": message, **place}
    assert (script["parameters"], script["findings"], script["entry_points"]) == ([], [], None)


def test_the_json_of_an_error_in_a_notebook_names_the_cell(folder, report):
    write_notebook(folder, "x = 1", markdown("text"), "y = 2\n\nx / 0")
    _, found = report("net.ipynb")
    error = found["scripts"][0]["error"]
    assert error == {
        "slug": "script-raised",
        "message": "no gradients were seen in the other cells, and in this one the script raised ZeroDivisionError: "
        "division by zero",
        "path": None,
        "line": 4,
        "cell": 2,
        "cell_line": 3,
    }


def test_the_json_of_a_file_that_is_no_notebook_names_its_line(folder, report):
    (folder / "net.ipynb").write_text('{\n"cells": [}')
    _, found = report("net.ipynb")
    error = found["scripts"][0]["error"]
    assert (error["slug"], error["line"], error["cell"], error["cell_line"]) == ("unreadable", 2, None, None)


def test_the_text_names_the_cell_and_the_numbers_of_its_lines(folder, invoke):
    write_notebook(folder, "import numpy as np", DATA, WRONG_MODEL, TRAINING)
    done = invoke("run", "net.ipynb")
    assert done.exit_code == 1
    assert "backward gradient (cell 3, line 5)   loss loss(w, b) (cell 3, line 2)" in done.stdout
    shown = """
  --> net.ipynb: cell 3, line 8:20
  7 |     dw = 2 * X.T @ error / len(y)
  8 |     db = 2 * error.sum()
    |                    ^^^
  9 |     return dw, db
"""
    assert shown in done.stdout


def test_a_snippet_ends_with_its_cell(folder, invoke):
    write_notebook(folder, "x = 1", "y = 2\nx / 0", "z = 3")
    lines = invoke("run", "net.ipynb").stdout.splitlines()
    assert lines[0].startswith("net.ipynb: cell 2, line 2: script-raised: ")
    assert lines[1:] == ["  --> net.ipynb: cell 2, line 2:1", "  1 | y = 2", "  2 | x / 0", "    | ^^^^^"]


def test_a_notebook_can_be_narrowed_to_one_function(folder, report):
    write_notebook(folder, "import numpy as np", DATA, WRONG_MODEL, TRAINING)
    code, found = report("net.ipynb::gradient")
    assert (code, found["scripts"][0]["entry_points"]["backward"]) == (1, "gradient")


def test_the_json_has_text_for_what_is_not_finite(folder, report):
    write(folder, RIGHT.replace("dw = 2 * (w - 3)", "dw = float('nan')").replace("0.1 * dw", "0.1"), "nan.py")
    _, found = report("nan.py", "--loss", "loss")
    (parameter,) = found["scripts"][0]["parameters"]
    assert (parameter["analytic"], parameter["verdict"], parameter["reason"]) == (
        "nan",
        "mismatch",
        "non-finite-gradient",
    )


def test_numbers_in_the_json_keep_their_digits(folder, report):
    write(
        folder, RIGHT.replace("(w - 3) ** 2", "1e-13 * (w - 3) ** 2").replace("2 * (w - 3)", "2e-13 * (w - 3)"), "t.py"
    )
    _, found = report("t.py")
    (parameter,) = found["scripts"][0]["parameters"]
    assert 0 < abs(parameter["analytic"]) < 1e-11


def test_paths_are_given_back_as_they_were_given(folder, report):
    _, found = report("./right.py", str(folder / "wrong.py"))
    assert [script["path"] for script in found["scripts"]] == ["./right.py", str(folder / "wrong.py")]


def test_json_with_nothing_to_check_is_still_json(folder, report):
    code, found = report("-k", "nothing", "right.py")
    assert (code, found["scripts"]) == (5, [])


def test_the_seed_is_told(folder, report):
    _, found = report("right.py", "--seed", "11")
    assert found["seed"] == 11
    assert "seed 11" in command("run", "right.py", "--seed", "11", cwd=folder).stderr


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["pipe", "forced", "no-colour", "dumb"],
)
def test_colours(folder, environment, coloured):
    done = command("run", "wrong.py", cwd=folder, **environment)
    assert (ESCAPE in done.stdout) is coloured
    assert ESCAPE not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")
@pytest.mark.parametrize(("name", "coloured"), [("PATH", True), ("NO_COLOR", False)])
def test_colours_on_a_terminal(folder, name, coloured):
    import pty

    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "60", name: os.environ.get(name, "1")}
    with subprocess.Popen(
        [sys.executable, "-m", "gradcheck", "run", "--no-fix", "wrong.py"],
        cwd=folder,
        stdin=slave,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 65_536):
                shown += piece
        except OSError:  # the terminal is closed when the process has ended
            pass
    os.close(master)
    assert process.returncode == 1
    # bold and the like are no colours
    assert bool(re.search(rb"\x1b\[[0-9;]*3[0-7]m", shown)) is coloured
    assert b"mismatch" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reader_that_has_seen_enough_gets_no_traceback(folder, form):
    # the second one is told when the reader has had its line
    paths = ["broken.py", "wrong.py"]
    done = subprocess.run(
        f"'{sys.executable}' -m gradcheck run --no-fix {' '.join(paths)} --format {form} | head -1",
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
def test_an_interrupt_ends_with_130_and_leaves_nothing_running(folder):
    write(folder, "import os, sys, time\nprint('PID', os.getpid(), flush=True)\ntime.sleep(600)\n", "sleeps.py")
    with subprocess.Popen(
        [sys.executable, "-m", "gradcheck", "run", "-v", "sleeps.py"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        pid = int(process.stderr.readline().split()[1])
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(PATIENCE) == 130
    assert "Traceback" not in rest
    assert "interrupted" in rest
    with pytest.raises(ProcessLookupError):  # noqa: PT012 - the child is a zombie of nobody after its parent's end
        for _ in range(10_000):
            os.kill(pid, 0)
            time.sleep(0.02)


def test_version_and_help(folder):
    for flag in ("--version", "-h", "--help"):
        done = command(flag, cwd=folder)
        assert done.returncode == 0
    assert command("--version", cwd=folder).stdout.split() == ["gradcheck", __version__]
    assert "130" in command("--help", cwd=folder).stdout


def test_no_command_shows_the_help_as_wrong_usage(folder):
    done = command(cwd=folder)
    assert done.returncode == 2
    assert "gradcheck demo" in done.stdout + done.stderr


def test_an_unknown_command_is_told(folder):
    done = command("rum", cwd=folder)
    assert done.returncode == 2
    assert "rum" in done.stderr


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_and_every_option_has_help(name):
    shown = CliRunner().invoke(cli, [name, "--help"])
    assert shown.exit_code == 0
    assert cli.commands[name].help
    for parameter in cli.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_is_quick_because_it_loads_nothing_heavy(arguments):
    code = (
        "import sys\nfrom gradcheck.cli import main\nsys.argv[1:] = sys.argv[1:]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'rich', 'pytest'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--points", "many"], "many"),
        (["--points", "0"], "points: expected a number of at least 1, got 0"),
        (["--seed", "-1"], "seed: expected a number of at least 0, got -1"),
        (["--rtol", "0"], "rtol: expected a positive number, got 0"),
        (["--rtol", "nan"], "got nan"),
        (["--atol", "-1"], "atol: expected a number of at least 0, got -1"),
        (["--method", "magic"], "'auto', 'central'"),
        (["--timeout", "0"], "timeout: expected a positive number of seconds, got 0"),
        (["--timeout", "inf"], "got inf"),
        (["--memory", "0"], "memory: expected a positive number of MiB, got 0"),
        (["--workers", "0"], "--workers: expected a number of at least 1 or MODULE:NAME, got 0"),
        (["--workers", "many"], "many"),
        (["--format", "yaml"], "'text', 'json'"),
        (["-o", "."], "directory"),
    ],
    ids=" ".join,
)
def test_wrong_values_say_what_was_expected_and_what_was_received(invoke, arguments, said):
    done = invoke("run", *arguments, "right.py")
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_wrong_setting_is_wrong_usage_with_its_place(folder):
    (folder / "pyproject.toml").write_text("[tool.gradcheck]\npionts = 3\n")
    done = command("run", "right.py", cwd=folder)
    assert done.returncode == 2
    assert "pyproject.toml" in done.stderr
    assert command("run", "--isolated", "right.py", cwd=folder).returncode == 0


def test_a_wrong_comment_is_an_error_of_its_script(folder):
    write(folder, "# gradcheck: lost=loss\n" + RIGHT, "typo.py")
    done = command("run", "typo.py", "right.py", cwd=folder)
    assert done.returncode == 3
    assert done.stdout.startswith("typo.py")
    assert "'lost'" in done.stdout
    assert "right.py: the gradient matches" in done.stdout


def test_a_seed_of_the_environment_is_told(folder):
    assert "seed 11" in command("run", "right.py", cwd=folder, GRADCHECK_SEED="11").stderr


def test_settings_of_the_environment_are_used(folder):
    done = command("run", "-v", "right.py", cwd=folder, GRADCHECK_POINTS="2")
    assert "checked at 2 points" in done.stdout


def test_the_demo_is_written_and_its_next_step_finds_a_mistake(tmp_path):
    first = command("demo", cwd=tmp_path)
    assert first.returncode == 0
    (path,) = tmp_path.iterdir()
    assert f"gradcheck run {path.name}" in first.stdout
    done = command("run", "--no-fix", path.name, cwd=tmp_path)
    assert done.returncode == 1
    assert "gradients are wrong" in done.stdout


def test_the_demo_does_not_overwrite_without_force(tmp_path):
    command("demo", cwd=tmp_path)
    (path,) = tmp_path.iterdir()
    text = path.read_text(encoding="utf-8")
    path.write_text("mine", encoding="utf-8")
    refused = command("demo", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert path.read_text(encoding="utf-8") == "mine"
    assert command("demo", "--force", cwd=tmp_path).returncode == 0
    assert path.read_text(encoding="utf-8") == text


def test_the_demo_is_the_fixture_without_its_comments():
    from gradcheck.demo import TEXT

    fixture = Path(__file__).parents[2] / "fixtures" / "buggy" / "one_neuron_deltas.py"
    lines = [line for line in fixture.read_text(encoding="utf-8").splitlines() if not line.startswith("# expect:")]
    assert TEXT.splitlines() == [re.sub(r"\s*# bug:.*$", "", line) for line in lines]


def test_a_run_leaves_every_file_as_it_was(folder):
    def files():
        return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}

    write(folder, "from helper import VALUE\nopen('log.txt', 'w').write('x')\n" + RIGHT, "writes.py")
    write(folder, "VALUE = 1\n", "helper.py")
    before = files()
    assert command("run", ".", cwd=folder).returncode == 1
    assert files() == before


def test_a_script_whose_path_has_no_folder_in_common_is_found(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    assert command("run", folder / "right.py", cwd=other).returncode == 0


def test_latin_1_terminals_do_not_break_the_report(folder):
    write(folder, RIGHT.replace("w", "größe_λ"), "umlaut.py")
    done = subprocess.run(
        [sys.executable, "-m", "gradcheck", "run", "umlaut.py"],
        cwd=folder,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode in {0, 1}


def test_a_folder_that_cannot_be_written_is_no_hindrance_without_an_output_file(folder, monkeypatch):
    from gradcheck.commands import shared

    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    shared.refuse_unwritable(None)
    with pytest.raises(click.UsageError, match="cannot write"):
        shared.refuse_unwritable(folder / "report.json")
