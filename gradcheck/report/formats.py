"""The formats that a report can be written in, and which of them the name of a file stands for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gradcheck.errors import UsageError

if TYPE_CHECKING:
    from gradcheck.session.report import Report


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
    suffixes: tuple[str, ...] = ()

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
        Format("html", (".html", ".htm")),
        Format("markdown", (".md", ".markdown")),
        Format("sarif", (".sarif", ".sarif.json")),
        Format("github"),
        Format("junit", (".xml",)),
    )
}
NAMES = ("text", *FORMATS)
TEXT_SUFFIXES = (".txt", ".text", ".log", ".out")


def format_of(target: Path) -> str:
    """Return the name of the format that the name of a file stands for; without a suffix, that is ``text``."""
    name = target.name.lower()
    known = {suffix: form.name for form in FORMATS.values() for suffix in form.suffixes} | dict.fromkeys(
        TEXT_SUFFIXES, "text"
    )
    # the longest, as .sarif.json is no .json
    found = max((suffix for suffix in known if name.endswith(suffix)), key=len, default=None)
    if found is not None:
        return known[found]
    if target.suffix:
        raise UsageError(
            f"expected a file with one of the suffixes {', '.join(known)}, got {target.name}; --format says what to "
            "write into a file of any name"
        )
    return "text"


def encoded(report: Report, form: str, *, verbosity: int = 0) -> bytes:
    """Return a report as the content of a file, in UTF-8; text has no colours and is as wide as it needs to be."""
    if form == "text":
        from gradcheck.report.text import as_log

        rendered = as_log(report, verbosity=verbosity)
    else:
        rendered = FORMATS[form].render(report)
    # the bytes of a file name that are no text are shown as JSON, too, would write them
    return f"{rendered}\n".encode("utf-8", "backslashreplace") if rendered else b""


def write(report: Report, target: Path, form: str | None = None, *, verbosity: int = 0) -> None:
    """Write a report into a file."""
    content = encoded(report, form or format_of(target), verbosity=verbosity)
    try:
        target.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
