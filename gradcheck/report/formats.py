"""The formats that a report can be written in, and which of them the name of a file stands for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

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
FORMATS = {form.name: form for form in (Format("json", (".json",)), Format("html", (".html", ".htm")))}
NAMES = ("text", *FORMATS)


def format_of(target: Path) -> str:
    """Return the name of the format that the name of a file stands for: ``text`` where it stands for no other.

    Parameters
    ----------
    target : Path
        The file.
    """
    name = target.name.lower()
    return next((form.name for form in FORMATS.values() if name.endswith(form.suffixes)), "text")
