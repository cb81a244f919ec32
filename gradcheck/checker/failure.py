"""What `assert_grad` says about a result that did not pass."""

from __future__ import annotations

from gradcheck.checker.result import CheckResult, ParameterResult, summary_table
from gradcheck.checker.verdict import Verdict

_WORST_ENTRIES = 5


def failure_message(result: CheckResult) -> str:
    """Return what `assert_grad` says about a result that did not pass."""
    failed = [parameter for parameter in result.parameters if parameter.verdict is result.verdict]
    if result.verdict is Verdict.MISMATCH:
        title = f"the gradient does not match in {len(failed)} of {len(result.parameters)} parameters"
    else:
        title = "nothing was shown to be wrong, but the gradient could not be decided at every entry (inconclusive)"
    lines = [title, "", summary_table(failed), ""]
    for parameter in failed:
        worst = [int(i) for i in parameter.order[:_WORST_ENTRIES] if parameter.verdicts[i] is result.verdict]
        lines += [_entry_line(parameter, position) for position in worst]
    notes = [f"note: {note}" for note in result.notes]
    return "\n".join([*lines, "", *notes, result.footer])


def _entry_line(parameter: ParameterResult, position: int) -> str:
    index = parameter.index(position)
    reason = parameter.reasons[position]
    return (
        f"{parameter.name}{list(index) if index else ''}: analytic {parameter.analytic[position]:.6g}, "
        f"numerical {parameter.numerical[position]:.6g} +- {parameter.numerical_error[position]:.1g}, "
        f"rel error {parameter.rel_error[position]:.3g}, allowed difference {parameter.tolerance[position]:.1g}"
        + (f" ({reason.sentence})" if reason else "")
    )
