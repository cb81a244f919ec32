"""What the command line calls: check scripts, print nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gradcheck.errors import ScriptError, UsageError
from gradcheck.script.request import Overrides, Request
from gradcheck.script.source.file import ScriptText, SourceFile
from gradcheck.script.source.place import Layout
from gradcheck.script.source.whereabouts import chosen_folder, folder_of_data
from gradcheck.session.isolate import Children, examine_isolated
from gradcheck.session.report import Report
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options, from_texts, resolve


def check_script(path: str | Path, options: Options | None = None) -> Report:
    """Check the gradients of a script or a notebook as it is.

    The script is run in a process of its own, real calls of its functions are recorded, and its gradients are
    compared with finite differences of its own loss, at recorded points and at perturbed ones.

    Parameters
    ----------
    path : str or Path
        The script, or the notebook (``.ipynb``).
    options : Options, optional
        Settings; what they leave open comes from the script's ``# gradcheck:`` comment, the environment and
        pyproject.toml.

    Returns
    -------
    Report
        With one script. A script that cannot be read, run or understood has the verdict ``error``.

    Raises
    ------
    UsageError
        If a setting is wrong.
    """
    options = options or Options()
    result = examine_script(path, options)
    return Report((result,))


def options_of_comment(source: SourceFile) -> Options:
    """Return the settings of the script's ``# gradcheck:`` comments."""
    try:
        return from_texts(source.directive, "the # gradcheck: comment")
    except UsageError as error:
        raise ScriptError(error.message, slug="bad-setting", line=next(iter(source.directive_lines))) from None


@dataclass(frozen=True)
class Job:
    """One script to check, read and with its settings.

    Attributes
    ----------
    request : Request or None
        What to examine; None for a script that cannot be read.
    layout : Layout
        Where its lines stand, in cells and in files.
    options : Options
        The settings; they say which findings are shown.
    flags : tuple of str
        What was asked for beside the path, as words of the command line.
    """

    path: str
    request: Request | None = None
    error: ScriptError | None = None
    layout: Layout = field(default_factory=Layout)
    options: Options = field(default_factory=Options)
    notes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def run(
        self,
        output: Callable[[bytes], object] | None = None,
        children: Children | None = None,
        told: Callable[[str], object] | None = None,
    ) -> ScriptResult:
        """Check the script."""
        if self.request is None:
            result = ScriptResult(self.path, error=self.error)
        else:
            result = examine_isolated(self.request, output, children, told)
            result = replace(result, path=self.path, flags=self.flags, argv=self.request.argv)
        shown = tuple(finding for finding in result.findings if self.options.shows(finding.code))
        return replace(result, findings=shown, notes=(*self.notes, *result.notes)).laid_out(self.layout)


def prepare(path: str | Path, options: Options, *, content: str | None = None, beside: Options | None = None) -> Job:
    """Read one script and settle its settings; nothing of it is run."""
    shown, place = str(path), Path(path).absolute()
    layout = Layout()
    try:
        text = ScriptText.read(place, content).with_modules()
        layout = Layout(text.cells, text.parts)
        source = text.parse()
        comment = options_of_comment(source)
    except ScriptError as error:
        return Job(shown, error=error, layout=layout)
    settled = resolve(options, comment, place, beside)
    if settled.call:
        text = ScriptText.read(place, content).calling(settled.call).with_modules()
        layout = Layout(text.cells, text.parts)
    # what nobody has said is left to the request's own defaults
    said: dict[str, Any] = {name: getattr(settled, name) for name in ("points", "seed", "method", "fix")}
    said["seconds"] = settled.timeout
    folder, notes = _start(source, place, settled)
    request = Request(
        path=str(place),
        argv=settled.argv,
        overrides=Overrides(settled.loss, settled.backward, settled.params or (), settled.strict),
        rtol=settled.rtol,
        atol=settled.atol,
        memory=settled.memory,
        curves=settled.curves,
        workers=settled.workers or 1,
        max_evals=settled.max_evals,
        resume=settled.resume and str(Path(settled.resume).absolute()),
        call=settled.call or (),
        cwd=None if folder is None else str(folder),
        content=content,
        **{field: value for field, value in said.items() if value is not None},
    )
    typed = options if beside is None else options.over(beside)
    return Job(shown, request, layout=layout, options=settled, notes=notes, flags=typed.typed)


def _start(source: SourceFile, script: Path, options: Options) -> tuple[Path | None, tuple[str, ...]]:
    """Return where a script is started, None for its own folder, and what is to be said of that."""
    if options.cwd is not None:
        return chosen_folder(options.cwd), ()
    found = folder_of_data(source.tree, script, Path.cwd())
    if found is None:
        return None, ()
    folder, name = found
    return folder, (f"started in the current folder, where `{name}` lies; --cwd DIR starts it elsewhere",)


def examine_script(path: str | Path, options: Options, output: Callable[[bytes], object] | None = None) -> ScriptResult:
    """Check one script; `output` receives what it prints."""
    return prepare(path, options).run(output)
