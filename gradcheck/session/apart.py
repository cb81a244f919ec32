"""Results of several pieces of code, told apart: parameters of one name, and causes that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from gradcheck.script.source.finding import Finding
from gradcheck.session.result import ScriptResult


def told_apart(results: Sequence[ScriptResult]) -> list[ScriptResult]:
    """Return results in which what has the same name in several is called by its function: ``gradient_reg.theta``."""
    counts = Counter(parameter.name for result in results for parameter in result.parameters)
    shared = {name for name, count in counts.items() if count > 1}
    owners = Counter(_owner(result) for result in results if shared & {p.name for p in result.parameters})
    seen: Counter[str] = Counter()
    renamed = []
    for result in results:
        owner = _owner(result)
        seen[owner] += 1
        prefix = f"{owner}[{seen[owner] - 1}]" if owners[owner] > 1 else owner
        renamed.append(_renamed(result, {name: f"{prefix}.{name}" for name in shared}))
    return renamed


def _owner(result: ScriptResult) -> str:
    return "" if result.entry_points is None else result.entry_points.backward.replace(" ", "_")


def _renamed(result: ScriptResult, names: dict[str, str]) -> ScriptResult:
    def new(name: str) -> str:
        return names.get(name, name)

    if result.check is None or result.entry_points is None:
        return result
    points = result.entry_points
    return replace(
        result,
        check=replace(result.check, parameters=tuple(replace(p, name=new(p.name)) for p in result.check.parameters)),
        entry_points=replace(points, parameters=tuple(map(new, points.parameters))),
        sources=tuple(replace(source, parameter=new(source.parameter)) for source in result.sources),
        signatures=tuple((new(name), said) for name, said in result.signatures),
        findings=tuple(replace(f, parameters=tuple(map(new, f.parameters))) for f in result.findings),
    )


def shared_findings(results: Sequence[ScriptResult]) -> tuple[Finding, ...]:
    """Return the findings of all results; one that several have in common is told once, for all their parameters."""
    found: list[Finding] = []
    for finding in (finding for result in results for finding in result.findings):
        same = next((i for i, f in enumerate(found) if _cause(f) == _cause(finding)), None)
        if same is None:
            found.append(finding)
        else:
            both = dict.fromkeys((*found[same].parameters, *finding.parameters))
            found[same] = replace(found[same], parameters=tuple(both))
    return tuple(found)


def _cause(finding: Finding) -> object:
    return finding.code, finding.span, None if finding.fix is None else finding.fix.edits
