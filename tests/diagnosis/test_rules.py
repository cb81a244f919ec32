"""Every rule: its example is found and mended, what only looks like it passes, and its page says all."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import gradcheck.comparison
import gradcheck.repair
from gradcheck.cli import cli
from gradcheck.compare import compare_script
from gradcheck.comparison.record import Cause
from gradcheck.diagnosis.registry import MARK, rule, rules
from gradcheck.errors import UsageError
from gradcheck.settings import Options
from script_runs import LIMIT, check, write

pytestmark = pytest.mark.usefixtures("forked_children")

ALL = list(rules().values())
# of gradients, with edits that mend them, and of trainings, where there is nothing to verify an edit with
GRADIENT = [r for r in ALL if r.code < "GC4"]
TRAINING = [r for r in ALL if r.code >= "GC4"]
GIVEN = re.compile(r'"(GC[24]\d\d)"')
GIVING = [Path(package.__file__).parent for package in (gradcheck.repair, gradcheck.comparison)]


def checked(text, folder):
    return check(folder, text, isolated=True, seed=0)


def marked(text):
    lines = text.lstrip("\n").split("\n")
    return [number for number, line in enumerate(lines, start=1) if MARK in line]


def compared(text, folder):
    found = compare_script(str(write(folder, text)), Options(isolated=True, seed=0, timeout=LIMIT))
    assert found.error is None, found.error.message
    return found


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("found", GRADIENT, ids=lambda r: r.code)
def test_the_example_is_found_at_its_line_and_mended(found, tmp_path):
    script = checked(found.hit, tmp_path)
    assert [(f.code, f.span.line) for f in script.findings] == [(found.code, marked(found.hit)[0])], script
    fix = script.findings[0].fix
    if not found.right:
        assert fix is None
        return
    assert fix is not None
    assert fix.verified
    new = "\n".join(edit.new for edit in fix.edits).replace(MARK, "")
    assert found.right in [line.strip() for line in new.split("\n")]


@pytest.mark.parametrize("found", TRAINING, ids=lambda r: r.code)
def test_the_example_of_a_training_is_found_at_its_line(found, tmp_path):
    comparison = compared(found.hit, tmp_path)
    findings = comparison.findings
    assert [(f.code, f.name, f.span.line) for f in findings] == [(found.code, found.name, marked(found.hit)[0])]
    assert findings[0].fix is None
    assert any(re.search(r"\d", sentence) for sentence in findings[0].evidence)
    # it has no wrong gradient
    assert (comparison.result.verdict, comparison.result.findings) == ("match", ())


@pytest.mark.parametrize("found", TRAINING, ids=lambda r: r.code)
def test_a_training_that_only_looks_like_it_passes(found, tmp_path):
    comparison = compared(found.miss, tmp_path)
    assert comparison.findings == ()
    assert comparison.cause is Cause.NOTHING
    assert (comparison.result.verdict, comparison.result.findings) == ("match", ())


@pytest.mark.parametrize("found", TRAINING, ids=lambda r: r.code)
def test_the_line_as_it_should_be_is_no_longer_found(found, tmp_path):
    lines = found.hit.lstrip("\n").split("\n")
    guilty = lines[marked(found.hit)[0] - 1]
    lines[marked(found.hit)[0] - 1] = guilty[: len(guilty) - len(guilty.lstrip())] + found.right
    assert found.code not in [f.code for f in compared("\n".join(lines), tmp_path).findings]


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("found", GRADIENT, ids=lambda r: r.code)
def test_what_only_looks_like_it_passes(found, tmp_path):
    script = checked(found.miss, tmp_path)
    assert (script.verdict, script.findings) == ("match", ()), script


@pytest.mark.parametrize("found", ALL, ids=lambda r: r.code)
def test_what_a_rule_says(found):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", found.name)
    assert found.summary.endswith(".")
    assert found.why_right.endswith(".")
    assert len(found.explanation.split()) > 30
    assert len(found.evidence.split()) > 15
    assert len(marked(found.hit)) >= 1
    assert not marked(found.miss)


def test_every_code_that_is_given_has_a_rule_and_the_other_way_round():
    given = {
        code
        for folder in GIVING
        for file in folder.glob("*.py")
        for code in GIVEN.findall(file.read_text(encoding="utf-8"))
    }
    assert given == set(rules())


@pytest.mark.parametrize("found", ALL, ids=lambda r: r.code)
def test_the_page_of_a_rule(found):
    shown = CliRunner().invoke(cli, ["explain", found.code.lower()])
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"# {found.code} {found.name}\n")
    assert MARK not in shown.stdout


def test_the_list_of_rules():
    shown = CliRunner().invoke(cli, ["explain"]).stdout.splitlines()
    assert [line.split()[:2] for line in shown] == [[r.code, r.name] for r in ALL]


def test_a_rule_is_found_by_code_and_by_name():
    assert rule("gc201") is rule("wrong-variable") is rules()["GC201"]


def test_an_unknown_code_is_answered():
    with pytest.raises(UsageError, match="got GC999"):
        rule("GC999")
