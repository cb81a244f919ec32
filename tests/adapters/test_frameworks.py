"""Where frameworks are required, nothing is skipped because one of them is missing."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

import frameworks

TESTS = Path(__file__).parents[1]
HERE = {"absent_here": "absent-here", "absent_anywhere": None}
SCRIPTS = {
    "test_of_module": "import pytest\npytest.importorskip('{name}.part')\ndef test_it(): pass\n",
    "test_of_function": "import pytest\ndef test_it():\n    pytest.importorskip('{name}')\n",
}


@pytest.fixture
def run(pytester, monkeypatch):
    def of(stem, name, require):
        monkeypatch.setattr(frameworks, "expected", lambda: HERE)
        monkeypatch.setenv(frameworks.REQUIRE, require)
        pytester.makepyfile(**{stem: SCRIPTS[stem].format(name=name)})
        return pytester.runpytest_inprocess("-p", "frameworks", "-ra")

    return of


@pytest.mark.parametrize(("stem", "outcome"), [("test_of_module", "errors"), ("test_of_function", "failed")])
def test_a_framework_that_is_missing_is_an_error(run, stem, outcome):
    done = run(stem, "absent_here", "1")
    done.assert_outcomes(**{outcome: 1})
    done.stdout.fnmatch_lines(["frameworks: absent_here is missing, absent_anywhere has no wheel here"])
    done.stdout.fnmatch_lines(["*could not import 'absent_here*", "REQUIRE_FRAMEWORKS=1: expected it*"])


@pytest.mark.parametrize("stem", SCRIPTS)
@pytest.mark.parametrize(("name", "require"), [("absent_anywhere", "1"), ("absent_here", "0")])
def test_others_are_skipped_and_said(run, stem, name, require):
    done = run(stem, name, require)
    done.assert_outcomes(skipped=1)
    done.stdout.fnmatch_lines([f"SKIPPED*could not import '{name}*"])


def test_what_is_expected_is_what_the_group_lists():
    assert {"autograd", "jax", "sklearn", "torch"} <= {name for name, there in frameworks.expected().items() if there}
    assert "tensorflow" in frameworks.expected()


def test_every_test_that_asks_for_a_framework_runs_where_there_are_frameworks():
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(TESTS.parent / "tox.ini", encoding="utf-8")
    run = re.findall(r"\btests/([\w/.]+)", tox["testenv:adapters"]["commands"])
    asks = re.compile(rf"importorskip\(\"({'|'.join(frameworks.expected())})\b")
    asking = [path for path in TESTS.rglob("test_*.py") if asks.search(path.read_text(encoding="utf-8"))]
    assert len(asking) > 3
    assert [p for p in asking if not any(p.is_relative_to(TESTS / place) for place in run)] == []
