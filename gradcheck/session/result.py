"""What is known about a script after it was examined: the record that every report is made from."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gradcheck.checker.result import CheckResult, ParameterResult, Verdict
from gradcheck.errors import ScriptError
from gradcheck.script.source.file import Span
from gradcheck.script.source.finding import Finding
from gradcheck.script.source.place import Cells, Layout, Part, Place, shown
from gradcheck.script.understand.origin import GradientSource as GradientSource
from gradcheck.script.understand.unchecked import Unchecked as Unchecked
from gradcheck.session.usage import Usage


@dataclass(frozen=True)
class EntryPoints:
    """The parts of a script that were found.

    Attributes
    ----------
    backward : str
        The function that returns the gradients.
    forward : str or None
        The function that computes the prediction.
    loss : str
        The loss, as an expression of the script.
    parameters : tuple of str
        The script's own names of the parameters.
    backward_line, loss_line : int
        Where they stand.
    """

    backward: str
    forward: str | None
    loss: str
    parameters: tuple[str, ...]
    backward_line: int
    loss_line: int

    def reworded(self, say: Callable[[str], str]) -> EntryPoints:
        """Return them in other words."""
        return replace(
            self,
            backward=say(self.backward),
            forward=self.forward and say(self.forward),
            loss=shown(self.loss),
            parameters=tuple(map(shown, self.parameters)),
        )

    @classmethod
    def joined(cls, parts: Sequence[EntryPoints]) -> EntryPoints:
        """Return those of several models as one; the lines are those of the first."""
        names = {
            field: ", ".join(dict.fromkeys(name for part in parts if (name := getattr(part, field))))
            for field in ("backward", "forward", "loss")
        }
        parameters = tuple(name for part in parts for name in part.parameters)
        return cls(
            names["backward"],
            names["forward"] or None,
            names["loss"],
            parameters,
            parts[0].backward_line,
            parts[0].loss_line,
        )


@dataclass(frozen=True)
class ScriptResult:
    """The examination of one script.

    Attributes
    ----------
    path : str
        As the user gave it.
    check : CheckResult or None
        The comparison at all points; None where there was an error.
    entry_points : EntryPoints or None
        What was found in the script.
    sources : tuple of GradientSource
        Where the gradients are computed.
    signatures : dict
        What is wrong with a mismatching gradient, in numbers, by parameter.
    findings : tuple of Finding
        The root causes of what is wrong, best first.
    notes : tuple of str
        Conventions that were recognised and other things the user should know.
    evidence : tuple of str
        How the script was understood.
    usages : tuple of Usage
        How it uses what is checked, for each model; empty unless that was asked for.
    lines : tuple of str
        The source, for snippets.
    cells : Cells or None
        For a notebook: where its cells begin in these lines.
    parts : tuple of Part
        For a program of several files: where each of them stands in these lines.
    seconds : float
        Wall time.
    evaluations : int
        Calls of the script's functions for the check.
    error : ScriptError or None
        Why there is no check.
    unchecked : tuple of Unchecked
        What the training moves besides the parameters of the check; with any of it, a script is no match. Empty
        where there was an error.
    flags, argv : tuple of str
        What was asked for beside the path, as words of the command line, and the script's own arguments.
    """

    path: str
    check: CheckResult | None = None
    entry_points: EntryPoints | None = None
    sources: tuple[GradientSource, ...] = ()
    signatures: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    usages: tuple[Usage, ...] = ()
    lines: tuple[str, ...] = ()
    cells: Cells | None = None
    parts: tuple[Part, ...] = ()
    seconds: float = 0.0
    evaluations: int = 0
    error: ScriptError | None = None
    unchecked: tuple[Unchecked, ...] = ()
    flags: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()

    def command(self, name: str, *flags: str) -> str:
        """Return what to type into a shell for another command to see what was seen here: ``gradcheck fix ...``."""
        words = ["gradcheck", name, self.path, *self.flags, *flags, *(("--", *self.argv) if self.argv else ())]
        return shlex.join(words)

    @property
    def layout(self) -> Layout:
        """Where its lines stand."""
        return Layout(self.cells, self.parts)

    def place(self, line: int) -> Place:
        """Return where a line of the source stands: in which cell, or in which file."""
        return self.layout.place(self.path, line)

    def in_file(self, span: Span) -> tuple[str, Span]:
        """Return the file in which a stretch of the source stands, and where in it."""
        place = self.place(span.line)
        moved = place.line - span.line
        return place.path, replace(span, line=place.line, end_line=span.end_line + moved)

    def extent(self, line: int) -> tuple[int, int]:
        """Return the first and the last line of what belongs together around a line: a file, or a cell."""
        return self.layout.extent(line, len(self.lines))

    def laid_out(self, layout: Layout) -> ScriptResult:
        """Return this result with everything that it says about lines said about lines of cells and files.

        Parameters
        ----------
        layout : Layout
            Of a script that is one file it changes nothing. A result that speaks of cells and files already is returned
            as it is.
        """
        if layout in (Layout(), self.layout):
            return self
        error, points, say = self.error, self.entry_points, layout.reword
        return replace(
            self,
            cells=layout.cells,
            parts=layout.parts,
            error=error and ScriptError(say(error.message), slug=error.slug, line=error.line),
            # a result that is wrong is false
            check=self.check if self.check is None else replace(self.check, parameters=self._shown_parameters()),
            entry_points=points and points.reworded(say),
            sources=tuple(replace(source, parameter=shown(source.parameter)) for source in self.sources),
            findings=tuple(finding.in_own_names() for finding in self.findings),
            notes=tuple(map(say, self.notes)),
            evidence=tuple(map(say, self.evidence)),
            signatures=tuple((shown(name), say(said)) for name, said in self.signatures),
            unchecked=tuple(replace(row, name=shown(row.name), reason=say(row.reason)) for row in self.unchecked),
        )

    def _shown_parameters(self) -> tuple[ParameterResult, ...]:
        return tuple(replace(parameter, name=shown(parameter.name)) for parameter in self.parameters)

    @property
    def verdict(self) -> str:
        """``match``, ``mismatch``, ``inconclusive`` or ``error``; what was not checked is no match."""
        if self.check is None:
            return "error"
        found = self.check.verdict
        return (Verdict.INCONCLUSIVE if found is Verdict.MATCH and self.unchecked else found).value

    @property
    def parameters(self) -> tuple[ParameterResult, ...]:
        """The comparison per parameter; empty where there was an error."""
        return () if self.check is None else self.check.parameters

    @property
    def rows(self) -> tuple[ParameterResult | Unchecked, ...]:
        """What a report lists: the comparisons, and after them what was not checked."""
        return (*self.parameters, *self.unchecked)

    @property
    def mismatching(self) -> tuple[str, ...]:
        """Names of the parameters whose gradients are wrong."""
        return tuple(p.name for p in self.parameters if p.verdict is Verdict.MISMATCH)

    @property
    def undecided(self) -> tuple[str, ...]:
        """Names of the parameters whose gradients could not be decided."""
        return tuple(p.name for p in self.parameters if p.verdict is Verdict.INCONCLUSIVE)
