"""The report as JUnit XML: a test suite per script, a test case per parameter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from gradcheck.report.findings import show_finding
from gradcheck.report.problems import numbers
from gradcheck.report.record import Report
from gradcheck.report.text import in_plain_text as plain
from gradcheck.result import ParameterResult, Verdict
from gradcheck.script.result import ScriptResult

if TYPE_CHECKING:
    from rich.console import Console

# characters that XML 1.0 cannot hold
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """Return the report as XML.

    A mismatch is a failure, what is inconclusive is skipped, and a script that could not be checked is an error.
    """
    root = ElementTree.Element("testsuites", name="gradcheck")
    for script in report.scripts:
        _suite(root, script)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, 0)) for suite in root)))
    root.set("time", f"{sum(script.seconds for script in report.scripts):.3f}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _suite(root: ElementTree.Element, script: ScriptResult) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=_legal(script.path), time=f"{script.seconds:.3f}")
    each = script.seconds / max(len(script.parameters), 1)
    for parameter in script.parameters:
        _case(suite, script, parameter, each)
    if script.error is not None:
        case = _element(suite, "testcase", classname=script.path, name=script.error.slug, time=f"{each:.3f}")
        place = f"{script.place(script.error.line)}: " if script.error.line else ""
        _element(case, "error", place + script.error.message, type=script.error.slug, message=script.error.message)
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(1 for _ in suite.iter(tag))))


def _case(suite: ElementTree.Element, script: ScriptResult, parameter: ParameterResult, seconds: float) -> None:
    case = _element(suite, "testcase", classname=script.path, name=parameter.name, time=f"{seconds:.3f}")
    properties, worst = ElementTree.SubElement(case, "properties"), parameter.worst
    for name, value in {
        "gradcheck.verdict": parameter.verdict.value,
        "gradcheck.max_abs_error": repr(parameter.max_abs_error),
        "gradcheck.max_rel_error": repr(parameter.max_rel_error),
        "gradcheck.worst_index": str(parameter.worst_index),
        "gradcheck.analytic": repr(float(parameter.analytic[worst])),
        "gradcheck.numerical": repr(float(parameter.numerical[worst])),
        "gradcheck.numerical_error": repr(float(parameter.numerical_error[worst])),
    }.items():
        _element(properties, "property", name=name, value=value)
    if parameter.verdict is Verdict.MISMATCH:
        said = dict(script.signatures).get(parameter.name, "")
        text = "\n".join(filter(None, (numbers(parameter), said, _findings(script, parameter.name))))
        _element(case, "failure", text, type="mismatch", message=numbers(parameter))
    elif parameter.verdict is Verdict.INCONCLUSIVE:
        reason = parameter.reason
        _element(case, "skipped", type="inconclusive", message=reason.sentence if reason else "inconclusive")


def _findings(script: ScriptResult, name: str) -> str:
    return plain(lambda console: _show(script, name, console))


def _show(script: ScriptResult, name: str, console: Console) -> None:
    for finding in script.findings:
        if name in finding.parameters:
            show_finding(script, finding, console)


def _element(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, tag, {name: _legal(value) for name, value in attributes.items()})
    element.text = _legal(text) or None
    return element


def _legal(text: str) -> str:
    return _ILLEGAL.sub("?", text)
