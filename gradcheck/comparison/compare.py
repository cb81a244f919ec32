"""From a script to a comparison; prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gradcheck.comparison.architecture import Architecture, find_architecture
from gradcheck.comparison.conclusions import Losses, conclude
from gradcheck.comparison.findings import Evidence, find_training_mistakes, is_out_of_reach
from gradcheck.comparison.measure import Task, losses_of, task_of
from gradcheck.comparison.record import Comparison, Run, Setting
from gradcheck.comparison.steps import Steps, try_steps
from gradcheck.comparison.trainings import Kind, best_of, best_run, held_out, wider
from gradcheck.errors import ScriptError
from gradcheck.script.request import Request
from gradcheck.script.source.finding import Edit
from gradcheck.script.source.patch import verified_edits
from gradcheck.session.course import Course, CourseRequest
from gradcheck.session.isolate import follow_isolated
from gradcheck.session.result import ScriptResult

# so many samples are more than the task itself: some can be put aside
_ENOUGH = 20
Output = Callable[[bytes], object]


@dataclass(frozen=True)
class Choices:
    """What the user said about the comparison.

    Attributes
    ----------
    hidden : tuple of int or None
        Units of the hidden layers of the wider reference.
    """

    inputs: str | None = None
    targets: str | None = None
    hidden: tuple[int, ...] | None = None


@dataclass(frozen=True)
class _Runner:
    """Runs the script, again and again."""

    request: Request
    choices: Choices
    before_run: Callable[[], object] | None
    output: Output | None

    def follow(self, edits: Sequence[Edit]) -> Course:
        if self.before_run is not None:
            self.before_run()
        job = CourseRequest(self.request, tuple(edits), self.choices.inputs, self.choices.targets)
        course = follow_isolated(job, self.output)
        if isinstance(course, ScriptError):
            raise course
        if len(course.snapshots) < 2:
            raise ScriptError(
                "the script moves its parameters in no way that could be followed: there is no training to compare",
                slug="no-training",
                line=course.line,
            )
        return course


def compare(
    result: ScriptResult,
    request: Request,
    choices: Choices | None = None,
    *,
    before_run: Callable[[], object] | None = None,
    output: Output | None = None,
) -> Comparison:
    """Train a script as it is and with its fix, and the reference on the same data."""
    began = time.perf_counter()
    try:
        found = _compare(result, _Runner(request, choices or Choices(), before_run, output))
    except ScriptError as error:
        found = Comparison(result, error=error)
    return replace(found, seed=request.seed, seconds=time.perf_counter() - began + result.seconds)


def _compare(result: ScriptResult, runner: _Runner) -> Comparison:
    if result.error is not None:
        raise result.error
    seed = runner.request.seed
    course = runner.follow(())
    architecture = _architecture(course)
    task = task_of(course, architecture)
    setting = Setting(course.inputs, course.targets, course.prediction, len(task.X), task.measure, task.baseline)
    runs = [_run("script", "the script as it is", course, architecture, task)]
    edits, last, notes = verified_edits(result.findings), course, []
    if edits:
        try:
            last = runner.follow(edits)
            runs.append(_run("fixed", "with its verified fix", last, architecture, task))
        except ScriptError as error:
            notes.append(f"the script with its fix could not be followed: {error.message}")
            last = course
    kind = Kind(architecture.widths, architecture.hidden, architecture.output)
    same = best_of(task, kind, seed=seed, name="reference", title="reference, same network")
    # another output where this one cannot reach the targets
    larger = replace(kind, output="linear") if is_out_of_reach(kind.output, task.Y) else kind
    runs += [same, *wider(task, larger, seed=seed, good=0.004 * task.baseline, hidden=runner.choices.hidden)]
    losses = Losses(setting, runs)
    if losses.is_too_small and len(task.X) >= _ENOUGH:
        best = best_run([run for run in runs if run.name == "wider"])
        fresh = [held_out(task, other, seed=seed) for other in (kind, Kind(best.widths, best.hidden, best.output))]
        if not losses.is_better_fresh(*fresh):
            losses = Losses(setting, runs, is_learned_by_heart=True)
            notes.append(
                f"the wider network has learned its samples by heart: on a quarter of them that were put aside, its "
                f"loss is {fresh[1]:.3g} at best, and that of the same network {fresh[0]:.3g}"
            )
    steps: Steps | None = None
    if losses.is_learnable and not losses.is_too_small and not losses.is_well(losses.own):
        steps = try_steps(last, architecture, task, good=losses.good, seed=seed)
    conclusions = conclude(losses, setting, runs, len(result.mismatching), len(result.parameters), steps)
    if result.unchecked:
        names = ", ".join(f"`{row.name}`" for row in result.unchecked)
        notes.append(f"not checked: {names}; what is said about the gradients is said about the others")
    if course.problem is not None:
        notes.append(f"the script did not run to its end: {course.problem.message}")
    findings = find_training_mistakes(
        Evidence(replace(last, places=course.places), architecture, task, losses, steps), course.uses
    )
    return Comparison(result, setting, tuple(runs), tuple(conclusions), findings, tuple(notes))


def _architecture(course: Course) -> Architecture:
    found = find_architecture(course.samples)
    if found is None:
        shapes = ", ".join(f"`{n}` {_shape(v.shape)}" for n, v in sorted(course.samples[0].parameters.items()))
        raise ScriptError(
            f"no multilayer perceptron was found that computes `{course.prediction}` from `{course.inputs}` with the "
            f"parameters {shapes}: only such networks are compared with the reference",
            slug="no-reference",
            line=course.line,
        )
    return found


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "(a number)"


def _run(name: str, title: str, course: Course, architecture: Architecture, task: Task) -> Run:
    a = architecture
    return Run(name, title, a.widths, a.hidden, a.output, course.calls, losses_of(course, a, task), unit="call")
