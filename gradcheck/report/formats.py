"""The formats that a report can be written in, and which of them the name of a file stands for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.report.record import Report


@dataclass(frozen=True)
class Format:
    """A format of reports, made by ``render(report) -> str`` of a module of its own.

    Attributes
    ----------
    name : str
        What it is called on the command line; the name of its module, too.
    suffixes : tuple of str
        How the names of its files end.
    """

    name: str
    suffixes: tuple[str, ...]

    def render(self, report: Report) -> str:
        """Return a report in this format, without a line feed at its end."""
        rendered: str = import_module(f"gradcheck.report.{self.name}").render(report)
        return rendered


# text is not among them: how it looks depends on where it is shown
FORMATS = {
    form.name: form
    for form in (
        Format("json", (".json",)),
        Format("jsonl", (".jsonl", ".ndjson")),
        Format("csv", (".csv",)),
        Format("markdown", (".md", ".markdown")),
        Format("sarif", (".sarif", ".sarif.json")),
        Format("github", ()),
        Format("junit", (".xml",)),
    )
}
# how the names of plain texts end
_PLAIN = (".txt", ".log", ".out")
NAMES = ("text", *FORMATS)


def format_of(target: Path) -> str:
    """Return the name of the format that the name of a file stands for.

    Parameters
    ----------
    target : Path
        The file.

    Raises
    ------
    UsageError
        If it ends like the name of something else.
    """
    name, endings = target.name.lower(), {s: form.name for form in FORMATS.values() for s in form.suffixes}
    # the longest that fits: .sarif.json is no .json
    known = max((suffix for suffix in endings if name.endswith(suffix)), key=len, default=None)
    if known is not None:
        return endings[known]
    if target.suffix.lower() in ("", *_PLAIN):
        return "text"
    raise UsageError(f"{target}: expected a file that ends in {', '.join(endings)} or {_PLAIN[0]}, got {target.suffix}")


def write(report: Report, target: Path, form: str | None = None, *, verbosity: int = 0) -> None:
    """Write a report into a file.

    Parameters
    ----------
    report : Report
        What to write.
    target : Path
        The file.
    form : str, optional
        The name of the format; by default that which the name of the file stands for.
    verbosity : int
        How much a text tells, as for `gradcheck.report.text.render`.

    Raises
    ------
    UsageError
        If the file cannot be written, or its name stands for no format.
    """
    name = form or format_of(target)
    if name == "text":
        from gradcheck.report.text import plain_text

        text = plain_text(report, verbosity=verbosity)
    else:
        text = FORMATS[name].render(report)
    try:
        target.write_text(text + "\n" if text else "", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
