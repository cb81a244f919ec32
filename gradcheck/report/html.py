"""The report, or a comparison, as one file for a browser that needs nothing else: no network, and no JavaScript."""

from __future__ import annotations

from dataclasses import replace

from gradcheck._version import __version__
from gradcheck.comparison.record import Comparison
from gradcheck.report.page.comparison import comparison_view
from gradcheck.report.page.limits import MOST_PICTURES, Limits
from gradcheck.report.page.script import overview_sentence, script_view
from gradcheck.report.page.template import fill
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult


def render(report: Report) -> str:
    """Return the report as HTML."""
    scripts = report.scripts
    only = scripts[0].path if len(scripts) == 1 else ""
    return _page(scripts, title=only, headline="" if only else overview_sentence(scripts), seed=report.seed)


def render_comparison(comparison: Comparison) -> str:
    """Return a comparison as HTML, with the check of the script."""
    result = comparison.result
    # what else is wrong with the training stands in the same source
    result = replace(result, findings=(*result.findings, *comparison.findings))
    has_check = result.check is not None or result.error is not None
    view = comparison_view(comparison)
    return _page(
        (result,) if has_check else (), title=result.path, headline=view.headline, seed=comparison.seed, comparison=view
    )


def _page(scripts: tuple[ScriptResult, ...], **content: object) -> str:
    limits = Limits.of(scripts)
    return fill(
        **{"comparison": None} | content,
        scripts=[script_view(script, number, limits) for number, script in enumerate(scripts)],
        version=__version__,
        most_pictures=MOST_PICTURES,
    )
