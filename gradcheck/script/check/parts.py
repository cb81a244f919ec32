"""Of a step that is wrong, which of its layers are: each checked by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradcheck.checker.result import CheckResult
from gradcheck.checker.verdict import Verdict
from gradcheck.script.check.points import Examined, checks
from gradcheck.script.record.run import Recording
from gradcheck.script.request import Overrides, Request
from gradcheck.script.understand.layers import layers_in
from gradcheck.script.understand.losses import reached
from gradcheck.script.understand.subject import Subject

# so many say where the mistake is; of one alone, the step says as much
_SEVERAL = 2


def said_of_parts(recording: Recording, models: Sequence[Examined], request: Request) -> str | None:
    """Return which layers of wrong steps are wrong, and which are right; None where there are no several to tell."""
    wrong = [model.subject.backward for model in models if model.wrong and model.subject.backward.is_trained]
    if not wrong or request.left <= 0 or any(backward.handed for backward in wrong):
        return None
    try:
        inner = {name for backward in wrong for name in reached(recording.source, backward.function)}
        layers = [s for s in layers_in(recording, Overrides()).subjects if s.backward.function.name in inner]
        told = [_told(recording, layer, request) for layer in layers] if len(layers) >= _SEVERAL else []
    except Exception:  # noqa: BLE001 - the verdict stands without it, and the user's functions may raise anything
        return None
    known = [sentence for sentence in told if sentence]
    return f"layers checked by themselves: {', '.join(known)}" if len(known) >= _SEVERAL else None


def _told(recording: Recording, layer: Subject, request: Request) -> str:
    quiet = replace(request, points=2, told=None, resume=None)
    results = [point.result for point, _ in checks(recording, layer, quiet, perturb=True)]
    if not results:
        return ""
    merged = CheckResult.merge(results)
    name = layer.backward.function.name
    if merged.verdict is Verdict.MATCH:
        return f"{name} is right"
    bad = [f"`{p.name}`" for p in merged.parameters if p.verdict is Verdict.MISMATCH]
    return f"{name} is wrong: {', '.join(bad)}" if bad else ""
