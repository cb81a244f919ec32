"""What the command line calls for a comparison: prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gradcheck.api import prepare
from gradcheck.comparison.compare import Choices, compare
from gradcheck.comparison.record import Comparison
from gradcheck.settings import Options


def compare_script(
    path: str,
    options: Options,
    choices: Choices | None = None,
    *,
    before_run: Callable[[], object] | None = None,
    output: Callable[[bytes], object] | None = None,
) -> Comparison:
    """Train a script as it is, with its verified fix, and beside the reference."""
    # what is hidden from a report is still wrong
    job = replace(prepare(path, replace(options, fix=True)), options=Options())
    result = job.run(output)
    if job.request is None:
        return Comparison(result, error=result.error)
    found = compare(result, job.request, choices, before_run=before_run, output=output)
    return replace(found, findings=tuple(finding for finding in found.findings if options.shows(finding.code)))
