"""Every rule: its example is found and mended, what only looks like it passes, and its page says all."""

import re

import pytest

from gradcheck.api import check_script
from gradcheck.config import Options
from gradcheck.diagnosis.registry import MARK, rule, rules
from gradcheck.errors import UsageError

ALL = list(rules().values())
CODES = [f"GC{number}" for number in (*range(201, 231), 290)]


def checked(text, folder):
    path = folder / "script.py"
    path.write_text(text.lstrip("\n"), encoding="utf-8")
    return check_script(path, Options(isolated=True, seed=0)).scripts[0]


def marked(text):
    lines = text.lstrip("\n").split("\n")
    return [number for number, line in enumerate(lines, start=1) if MARK in line]


@pytest.mark.parametrize("found", ALL, ids=lambda r: r.code)
def test_the_example_is_found_at_its_line(found, tmp_path):
    script = checked(found.hit, tmp_path)
    assert [(f.code, f.span.line) for f in script.findings] == [(found.code, marked(found.hit)[0])], script


@pytest.mark.parametrize("found", ALL, ids=lambda r: r.code)
def test_the_example_is_mended(found, tmp_path):
    script = checked(found.hit, tmp_path)
    fix = script.findings[0].fix
    if not found.right:
        assert fix is None
        return
    assert fix is not None
    assert fix.verified
    new = "\n".join(edit.new for edit in fix.edits).replace(MARK, "")
    assert found.right in [line.strip() for line in new.split("\n")]


@pytest.mark.parametrize("found", ALL, ids=lambda r: r.code)
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


def test_a_rule_is_found_by_code_and_by_name():
    assert rule("gc201") is rule("wrong-variable") is rules()["GC201"]


def test_an_unknown_code_is_answered():
    with pytest.raises(UsageError, match="got GC999"):
        rule("GC999")
