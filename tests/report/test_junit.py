"""The report as JUnit's XML, read back with a reader of others."""

from __future__ import annotations

from xml.etree import ElementTree

from junitparser import Error, Failure, JUnitXml, Skipped

from gradcheck.checker.result import Reason
from gradcheck.report.junit import render
from gradcheck.script.source.file import Span
from gradcheck.session.report import Report
from report_records import edit, failed, finding, mixed, notebook, parameter, script, wrong


def read(*scripts):
    return JUnitXml.fromstring(render(Report(scripts)).encode())


def test_a_suite_per_script_and_a_case_per_parameter():
    report = mixed()
    found = JUnitXml.fromstring(render(report).encode())
    assert [suite.name for suite in found] == [s.path for s in report.scripts]
    for suite, s in zip(found, report.scripts, strict=True):
        assert [case.name for case in suite] == ([p.name for p in s.parameters] or ["gradcheck"])
        assert {case.classname for case in suite} == {s.path}
        assert suite.time == s.seconds
    assert (found.tests, found.failures, found.errors, found.skipped) == (20, 10, 2, 1)
    assert found.time == sum(s.seconds for s in report.scripts)
    counts = (found.tests, found.failures, found.errors, found.skipped)
    found.update_statistics()
    assert counts == (found.tests, found.failures, found.errors, found.skipped)


def test_a_failure_has_the_numbers_the_finding_and_the_fix():
    (suite,) = read(wrong())
    case, other = suite
    (failure,) = case.result
    assert isinstance(failure, Failure)
    assert (failure.type, failure.message) == ("GC213", "`dw` has `3`, where `2` belongs")
    assert failure.text.split("\n") == [
        "w[0]: analytic 3.0, numerical 2.0 +- 1e-11; 2 of 2 entries are wrong",
        "numerical = analytic x 0.667 in every entry, at every point",
        "",
        "GC213 constant-factor (verified) at net.py:2:10",
        "`dw` has `3`, where `2` belongs",
        "numerical = analytic x 0.667 in every entry",
        "",
        "fix, verified at 8 fresh points:",
        "@@ line 2 @@",
        "-    dw = 3 * x  # é",
        "+    dw = 2 * x  # é",
    ]
    assert not other.result
    properties = {p.name: p.value for p in suite.properties()}
    assert properties["verdict"] == "mismatch"
    assert (properties["backward"], properties["loss"], properties["seed"]) == ("backward", "loss(w)", "0")


def test_a_case_has_its_fix_although_that_stands_at_the_finding_of_another():
    second = finding(code="GC201", parameters=("b",), span=Span(3, 1, 3, 4))
    both = (finding(edit(), edit(3, "    return dw", "x")), second)
    (suite,) = read(script("n.py", parameter("w", 3.0, 2.0), parameter("b", 1.0, 2.0), findings=both))
    for case in suite:
        assert case.result[0].text.endswith("\n-    return dw\n+x")
        assert case.result[0].text.count("fix, verified") == 1


def test_what_no_finding_explains_fails_with_its_name():
    (suite,) = read(script("n.py", parameter("w", 1.0, 2.0)))
    (failure,) = next(iter(suite)).result
    assert (failure.type, failure.message) == ("mismatch", "the gradient of `w` is wrong")


def test_what_is_undecided_is_skipped_with_its_reason():
    (suite,) = read(script("n.py", parameter("w", 1.0, 2.0, verdict="inconclusive", reason=Reason.NOISE)))
    (skipped,) = next(iter(suite)).result
    assert isinstance(skipped, Skipped)
    assert (skipped.type, skipped.message) == ("noise", Reason.NOISE.sentence)


def test_an_error_is_one_case_with_slug_and_message():
    (suite,) = read(failed("bad.py", "syntax-error", "no <python>", line=2))
    (error,) = next(iter(suite)).result
    assert isinstance(error, Error)
    assert (error.type, error.message) == ("syntax-error", "line 2: no <python>")


def test_places_in_a_notebook_name_the_cell():
    (suite,) = read(notebook("a.ipynb"))
    assert "at a.ipynb: cell 2, line 1:10" in next(iter(suite)).result[0].text


def test_characters_that_xml_does_not_have_are_replaced():
    illegal = "\x00\x08\x0b\x0c\x1f\ud800\udfff\ufffe\uffff"
    legal = "\t\n é\u2028\U0001f600<&>\"']]>"
    bad = failed(f"a{illegal}.py", message=f"{illegal}{legal}")
    odd = wrong(findings=(finding(message=illegal + legal, evidence=(illegal + legal,)),))
    root = ElementTree.fromstring(render(Report((bad, odd))).encode("utf-8"))
    assert root[0].get("name") == f"a{chr(0xFFFD) * len(illegal)}.py"
    wanted = "\ufffd" * len(illegal) + legal
    # what is an attribute has its tabs and line feeds as references
    assert root.find("testsuite/testcase/error").get("message") == wanted
    assert wanted in root.find("testsuite/testcase/failure").text
