"""From a script to the text of a test file: examine, draft, and keep the first draft that says the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from gradcheck.api import Job, prepare
from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.errors import ScriptError
from gradcheck.scaffold.direct import direct_tests
from gradcheck.scaffold.pinned import Pins, pinned_test, possible_pins
from gradcheck.scaffold.target import Target
from gradcheck.script.source.file import SourceFile
from gradcheck.session.isolate import Children, try_isolated
from gradcheck.session.report import GRAVITY
from gradcheck.session.result import ScriptResult
from gradcheck.session.trial import TrialRequest
from gradcheck.session.usage import Usage
from gradcheck.settings import Options

_DECIDED = (Verdict.MATCH, Verdict.MISMATCH)


@dataclass(frozen=True)
class Written:
    """A test file for a script.

    Attributes
    ----------
    text : str
        The file's content; empty where the script was not understood.
    verdict : str
        What the test says of what it covers.
    """

    result: ScriptResult
    text: str = ""
    verdict: str = "error"


def write_test(path: str | Path, target: Path, options: Options) -> Written:
    """Return the text of a test file that keeps a script's gradients right; no file is written.

    Where the script can be imported without effect, the test calls its functions with small random arguments;
    otherwise it checks the script as it is. The text was tried out: its verdict is that of the examination.
    """
    job = prepare(path, replace(options, fix=False))
    if job.request is None:
        return Written(job.run())
    result = _examined(replace(job, request=replace(job.request, usages=True)))
    if result.error is not None:
        return Written(result)
    place = Target(target.absolute(), Path(path).absolute())
    text = _direct(place, result, job, options)
    if text is not None and result.check is not None:
        return Written(result, text, result.check.verdict.value)
    pins = _pins(path, result, options)
    verdict = min((verdict for _, verdict in pins), key=GRAVITY.index)
    return Written(result, pinned_test(place, [pin for pin, _ in pins], options), verdict)


def _examined(job: Job) -> ScriptResult:
    """Examine a script as a test will: with nothing on its standard input."""
    return job.run(children=Children(share_input=False))


def _direct(target: Target, result: ScriptResult, job: Job, options: Options) -> str | None:
    """Return a test that calls the script's functions, if one was tried that says the same as the examination."""
    if job.request is None or result.check is None or len(result.usages) != 1 or result.check.verdict not in _DECIDED:
        return None
    source = SourceFile.read(target.script)
    for text in direct_tests(target, source, result.usages[0], options):
        trial = TrialRequest(replace(job.request, path=str(target.path)), text)
        found = try_isolated(trial, Children(share_input=False))
        if not isinstance(found, ScriptError) and _agrees(found, result.check):
            return text
    return None


def _agrees(found: tuple[CheckResult, ...], check: CheckResult) -> bool:
    """Whether a trial says of all parameters together what the examination does, and of each if they are the same."""
    one = Counter(p.verdict for check in found for p in check.parameters)
    other = Counter(p.verdict for p in check.parameters)
    if one.total() == other.total():
        return one == other
    return len(found) == 1 and found[0].verdict is check.verdict


def _pins(path: str | Path, result: ScriptResult, options: Options) -> list[tuple[Pins, str]]:
    """Return for each model the most that can be said about it without another verdict, and the verdict with that."""
    several = len(result.usages) > 1
    found = [_pins_of(path, usage, result, options, several=several) for usage in result.usages]
    # what cannot be named is found by the check of the whole script
    return (
        [pins for pins in found if pins is not None]
        if all(found)
        else [(Pins(options.backward, options.loss, options.params), result.verdict)]
    )


def _pins_of(
    path: str | Path, usage: Usage, result: ScriptResult, options: Options, *, several: bool
) -> tuple[Pins, str] | None:
    known = {(parameter.name, parameter.verdict) for parameter in result.parameters}
    for pins in possible_pins(usage):
        job = prepare(path, replace(pins.options(options), fix=False))
        again = _examined(replace(job, request=job.request and replace(job.request, usages=True)))
        # not by the numbers: a script without a seed has others each time
        same = [(other.loss, other.parameters) for other in again.usages] == [(usage.loss, usage.parameters)]
        whole = several or len(again.parameters) == len(result.parameters)
        if same and whole and {(parameter.name, parameter.verdict) for parameter in again.parameters} <= known:
            return pins, again.verdict
    return None
