"""Settings: which place wins, and what a wrong one is told."""

from __future__ import annotations

import pytest

from gradcheck.errors import UsageError
from gradcheck.settings import Options, from_texts, resolve


@pytest.fixture
def project(tmp_path):
    def of(toml: str = ""):
        (tmp_path / "pyproject.toml").write_text(toml, encoding="utf-8")
        script = tmp_path / "deep" / "script.py"
        script.parent.mkdir(exist_ok=True)
        return script

    return of


PLACES = ("flag", "comment", "environment", "pyproject")


@pytest.mark.parametrize("count", range(5))
@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("loss", ("a", "b", "c", "d")),
        ("params", (("a",), ("b",), ("c",), ("d",))),
        ("points", (1, 2, 3, 4)),
        ("seed", (0, 2, 3, 4)),
        ("rtol", (0.1, 0.2, 0.3, 0.4)),
        ("atol", (0.0, 0.2, 0.3, 0.4)),
        ("timeout", (1.5, 2.5, 3.5, 4.5)),
        ("method", ("auto", "central", "auto", "central")),
    ],
)
def test_the_first_place_that_says_something_wins(project, monkeypatch, key, values, count):
    """Flag, then comment, then environment, then pyproject.toml; a zero is something."""
    texts = dict(zip(PLACES, (v[0] if isinstance(v, tuple) else str(v) for v in values), strict=True))
    said = PLACES[4 - count :] if count else ()
    flags = Options(**{key: values[0]}) if "flag" in said else Options()
    directive = {key: texts["comment"]} if "comment" in said else {}
    if "environment" in said:
        monkeypatch.setenv(f"GRADCHECK_{key.upper()}", texts["environment"])
    script = project(f'[tool.gradcheck]\n{key} = "{texts["pyproject"]}"\n' if "pyproject" in said else "")
    expected = values[4 - count] if count else None
    assert getattr(resolve(flags, from_texts(directive, "the comment"), script), key) == expected


def test_isolated_leaves_environment_and_files_aside_but_not_the_comment(project, monkeypatch):
    monkeypatch.setenv("GRADCHECK_POINTS", "3")
    script = project("[tool.gradcheck]\nseed = 5\n")
    options = resolve(Options(isolated=True), Options(loss="cost"), script)
    assert (options.points, options.seed, options.loss) == (None, None, "cost")


def test_isolated_does_not_even_look_at_them(project, monkeypatch):
    monkeypatch.setenv("GRADCHECK_POINTS", "none")
    assert resolve(Options(isolated=True), Options(), project("broken")).points is None


def test_kinds_of_toml_values(project):
    script = project('[tool.gradcheck]\nparams = ["W1", "b1"]\npoints = 2\nrtol = 1e-3\nloss = "cost(E)"\n')
    options = resolve(Options(), Options(), script)
    assert (options.params, options.points, options.rtol, options.loss) == (("W1", "b1"), 2, 1e-3, "cost(E)")


def test_the_nearest_pyproject_counts(project, tmp_path):
    script = project("[tool.gradcheck]\npoints = 2\n")
    (tmp_path / "deep" / "pyproject.toml").write_text("[tool.gradcheck]\nseed = 7\n")
    options = resolve(Options(), Options(), script)
    assert (options.points, options.seed) == (None, 7)


def test_a_pyproject_without_a_table_says_nothing(project):
    assert resolve(Options(), Options(), project('[project]\nname = "x"\n')) == Options()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[tool.gradcheck]\npionts = 3\n", r"pyproject\.toml.*unknown setting 'pionts'; known are .*points"),
        ("[tool.gradcheck]\npoints = 'many'\n", r"pyproject\.toml.*points: expected a whole number, got 'many'"),
        ("[tool.gradcheck]\npoints = 0\n", r"pyproject\.toml.*points: expected a number of at least 1, got 0"),
        ("[tool.gradcheck]\npoints = true\n", r"points: expected a whole number"),
        ("[tool.gradcheck\n", r"pyproject\.toml cannot be read"),
    ],
)
def test_a_wrong_pyproject_is_named(project, toml, said):
    with pytest.raises(UsageError, match=said):
        resolve(Options(), Options(), project(toml))


@pytest.mark.parametrize("toml", ["[tool]\ngradcheck = 3\n", "tool = 3\n"])
def test_a_pyproject_without_tables_is_named(project, toml):
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        resolve(Options(), Options(), project(toml))


def test_a_pyproject_that_is_not_utf8_is_named(project, tmp_path):
    script = project()
    (tmp_path / "pyproject.toml").write_bytes(b"[tool.gradcheck]\nloss = '\xe4'\n")
    with pytest.raises(UsageError, match="cannot be read"):
        resolve(Options(), Options(), script)


def test_a_wrong_environment_variable_is_named(project, monkeypatch):
    monkeypatch.setenv("GRADCHECK_RTOL", "small")
    with pytest.raises(UsageError, match=r"GRADCHECK_.*rtol: expected a number, got 'small'"):
        resolve(Options(), Options(), project())


def test_the_name_of_a_wrong_environment_variable_is_written_out(project, monkeypatch):
    monkeypatch.setenv("GRADCHECK_RTOL", "small")
    with pytest.raises(UsageError, match="GRADCHECK_RTOL"):
        resolve(Options(), Options(), project())


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("points", "1.5", "expected a whole number, got '1.5'"),
        ("points", "", "expected a whole number, got ''"),
        ("seed", "-1", "expected a number of at least 0, got -1"),
        ("rtol", "0", "expected a positive number, got 0"),
        ("rtol", "nan", "expected a positive number, got nan"),
        ("rtol", "inf", "expected a positive number, got inf"),
        ("atol", "-1e-9", "expected a number of at least 0"),
        ("atol", "nan", "expected a number of at least 0, got nan"),
        ("method", "magic", "expected one of auto, central.*got 'magic'"),
        ("timeout", "0", "expected a positive number of seconds"),
        ("timeout", "1e400", "expected a positive number of seconds, got inf"),
        ("memory", "0", "expected a positive number of MiB"),
    ],
)
def test_values_out_of_range_are_told_with_what_was_received(key, text, said):
    with pytest.raises(UsageError, match=rf"^here: {key}: {said}"):
        from_texts({key: text}, "here")


def test_options_check_themselves():
    with pytest.raises(UsageError, match="points: expected a number of at least 1, got 0"):
        Options(points=0)


def test_lists_of_parameters_may_have_spaces_and_gaps():
    assert from_texts({"params": " a, b ,,c "}, "x").params == ("a", "b", "c")


def test_the_scripts_arguments_survive():
    assert Options(argv=("-n", "1")).over(Options()).argv == ("-n", "1")


@pytest.mark.parametrize(
    ("select", "ignore", "code", "shown"),
    [
        (None, None, "GC201", True),
        (("GC2",), None, "GC201", True),
        (("GC202", "GC21"), None, "GC201", False),
        (("GC202", "GC21"), None, "GC213", True),
        (None, ("GC21",), "GC213", False),
        (("GC213",), ("GC21",), "GC213", False),
    ],
)
def test_findings_are_chosen_by_the_beginnings_of_their_codes(select, ignore, code, shown):
    assert Options(select=select, ignore=ignore).shows(code) is shown


@pytest.mark.parametrize("codes", [("202",), ("GC2022",), ("gc202",), ()])
def test_what_is_no_code_is_refused(codes):
    with pytest.raises(UsageError, match="select: expected codes such as GC202 or GC2, got"):
        Options(select=codes)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("0", False), ("1", True)])
def test_whether_to_fix_is_read_from_a_text(text, value):
    assert from_texts({"fix": text}, "here").fix is value


def test_a_text_that_is_neither_true_nor_false_is_refused():
    with pytest.raises(UsageError, match="here: fix: expected true or false, got 'perhaps'"):
        from_texts({"fix": "perhaps"}, "here")


def test_flags_are_those_that_decide_what_is_found():
    assert Options().typed == ()
    hidden = Options(fix=False, select=("GC2",), ignore=("GC201",), curves=True, workers=3, resume="f", argv=("3",))
    assert hidden.typed == ()
    said = Options(loss="f(x, 1)", params=("a", "b"), rtol=1e-5, max_evals=9, call=("n = 3", "f(n)"), isolated=True)
    assert said.typed == (
        *("--loss", "f(x, 1)", "--params", "a,b", "--rtol", "1e-05", "--max-evals", "9"),
        *("--call", "n = 3", "--call", "f(n)", "--isolated"),
    )


def test_every_setting_that_a_command_has_as_a_flag_is_typed_or_shows_only():
    from gradcheck.commands.fix import fix

    flags = {name for parameter in fix.params for name in parameter.opts if name.startswith("--")}
    values = {"params": ("a",), "call": ("f()",), "method": "central", "isolated": True, "strict": True}
    names = {flag.lstrip("-").replace("-", "_") for flag in flags} - {"write"}
    asked = Options(**{name: values.get(name, "x" if name in ("loss", "backward", "cwd") else 2) for name in names})
    assert {word for word in asked.typed if word.startswith("--")} == flags - {"--write"}
