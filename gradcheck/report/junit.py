"""The report as JUnit's XML: one test suite per script, one test case per parameter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gradcheck._version import __version__
from gradcheck.checker.result import ParameterResult, Verdict
from gradcheck.report.problems import UNCHECKED, diff_of, finding_with_fix, fix_title, numbers_of, sentences_about
from gradcheck.script.source.finding import Finding
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult

# XML 1.0 has no way to write them
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTED = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def render(report: Report) -> str:
    """Return an XML document; a wrong gradient is a failure, an undecided or unchecked one is skipped."""
    root = Element("testsuites", name="gradcheck")
    root.extend(_suite(script, report.name(script), report.seed) for script in report.scripts)
    _count(root)
    root.set("time", f"{sum(script.seconds for script in report.scripts):.3f}")
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}'


def _suite(script: ScriptResult, name: str, seed: int) -> Element:
    suite = Element("testsuite", name=_legal(name))
    properties = SubElement(suite, "properties")
    for key, value in _properties(script, seed).items():
        SubElement(properties, "property", name=key, value=_legal(str(value)))
    if script.error is not None:
        case = SubElement(suite, "testcase", classname=_legal(name), name="gradcheck")
        place = f"{script.place(script.error.line)}: " if script.error.line else ""
        _outcome(case, "error", script.error.slug, f"{place}{script.error.message}")
    for parameter in script.parameters:
        suite.append(_case(script, name, parameter))
    for row in script.unchecked:
        case = SubElement(suite, "testcase", classname=_legal(name), name=_legal(row.name))
        _outcome(case, "skipped", UNCHECKED, f"not checked: {row.reason}")
    if script.notes:
        SubElement(suite, "system-out").text = _legal("\n".join(f"note: {note}" for note in script.notes))
    _count(suite)
    suite.set("time", f"{script.seconds:.3f}")
    return suite


def _properties(script: ScriptResult, seed: int) -> dict[str, object]:
    points = script.entry_points
    found = {"gradcheck": __version__, "seed": seed, "verdict": script.verdict, "evaluations": script.evaluations}
    return found | ({"backward": points.backward, "loss": points.loss} if points else {})


def _case(script: ScriptResult, name: str, parameter: ParameterResult) -> Element:
    case = Element("testcase", classname=_legal(name), name=_legal(parameter.name))
    said = tuple(sentences_about(parameter, dict(script.signatures).get(parameter.name)))
    findings = [finding for finding in script.findings if parameter.name in finding.parameters]
    if parameter.verdict is Verdict.MISMATCH:
        text = [*said, *_findings(script, findings)]
        message = findings[0].message if findings else f"the gradient of `{parameter.name}` is wrong"
        _outcome(case, "failure", findings[0].code if findings else "mismatch", message, text)
    elif parameter.verdict is Verdict.INCONCLUSIVE:
        reason = parameter.reason.sentence if parameter.reason else "the gradient could not be decided"
        _outcome(case, "skipped", parameter.reason.value if parameter.reason else "inconclusive", reason, said)
    else:
        SubElement(case, "system-out").text = _legal(numbers_of(parameter))
    return case


def _findings(script: ScriptResult, findings: Sequence[Finding]) -> Iterable[str]:
    for finding in findings:
        place = script.place(finding.span.line).at(finding.span.column)
        yield from ("", f"{finding.code} {finding.name} ({finding.confidence}) at {place}", finding.message)
        yield from finding.evidence
    # a case is read by itself, so it has its fix although that may stand at the finding of another parameter
    for fix in dict.fromkeys(other.fix for f in findings if (other := finding_with_fix(script, f)) and other.fix):
        yield from ("", f"{fix_title(fix)}:", *diff_of(script, fix))


def _outcome(case: Element, tag: str, kind: str, message: str, lines: Iterable[str] = ()) -> None:
    made = SubElement(case, tag, type=kind, message=_legal(message))
    made.text = _legal("\n".join(lines)) or None


def _count(suite: Element) -> None:
    """Write into an element how many of the test cases below it came out how."""
    outcomes = Counter(child.tag for case in suite.iter("testcase") for child in case)
    suite.set("tests", str(len(list(suite.iter("testcase")))))
    for name, tag in _COUNTED.items():
        suite.set(name, str(outcomes[tag]))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text).replace("\r\n", "\n").replace("\r", "\n")
