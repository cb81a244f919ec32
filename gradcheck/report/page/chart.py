"""A chart as a record: a template draws it, the stylesheet gives it its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradcheck.report.page.axis import Axis


@dataclass(frozen=True)
class Mark:
    """Something small that is drawn at a place.

    Attributes
    ----------
    x, y : str
        Where, in units of the drawing.
    kind : str
        Its class in the stylesheet, and what it looks like: ``match``, ``mismatch`` or ``inconclusive``.
    title : str
        What it says when it is pointed at.
    """

    x: str
    y: str
    kind: str
    title: str


@dataclass(frozen=True)
class Line:
    """A curve."""

    path: str
    kind: str
    title: str = ""


@dataclass(frozen=True)
class Label:
    """Words in a chart: where they stand, what they say, whose they are, and how they lie."""

    x: str
    y: str
    text: str
    kind: str = ""
    anchor: str = "middle"


@dataclass(frozen=True)
class Chart:
    """A drawing with two axes.

    Attributes
    ----------
    grid : tuple of Line
        Lines behind the numbers beside the axes.
    labels : tuple of Label
        Those numbers, and words in the drawing.
    title, text : str
        What is drawn, and what is to be seen in it, for whoever does not see it.
    """

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int
    across: str
    up: str
    grid: tuple[Line, ...]
    labels: tuple[Label, ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    title: str
    text: str


@dataclass(frozen=True)
class Frame:
    """Where a chart has its axes.

    Attributes
    ----------
    margin : int
        What is free on the right, for labels of curves.
    """

    width: int
    height: int
    margin: int
    x: Axis
    y: Axis
    top: int = 14

    left = 66
    below = 44

    @property
    def right(self) -> int:
        """Where the frame ends on the right."""
        return self.width - self.margin

    @property
    def bottom(self) -> int:
        """Where the frame ends below."""
        return self.height - self.below

    def at(self, x: float, y: float) -> tuple[str, str]:
        """Return the place of two numbers in the drawing."""
        return (
            f"{self.left + self.x(x) * (self.right - self.left):.1f}",
            f"{self.bottom - self.y(y) * (self.bottom - self.top):.1f}",
        )

    def path(self, x: Sequence[float], y: Sequence[float | None]) -> str:
        """Return the course of a curve; where a number is missing, it is interrupted."""
        parts, pen = [], "M"
        for a, b in zip(x, y, strict=True):
            if b is None:
                pen = "M"
            else:
                parts.append(pen + " ".join(self.at(a, b)))
                pen = "L"
        return "".join(parts)

    def chart(
        self,
        across: str,
        up: str,
        title: str,
        text: str,
        *,
        lines: Sequence[Line] = (),
        marks: Sequence[Mark] = (),
        labels: Sequence[Label] = (),
    ) -> Chart:
        """Return what is drawn in this frame, with its axes."""
        columns = [(f"{self.left + t.at * (self.right - self.left):.1f}", t.text) for t in self.x.ticks]
        rows = [(f"{self.bottom - t.at * (self.bottom - self.top):.1f}", t.text) for t in self.y.ticks]
        grid = [Line(f"M{x} {self.top}V{self.bottom}", "grid") for x, _ in columns]
        grid += [Line(f"M{self.left} {y}H{self.right}", "grid") for y, _ in rows]
        numbers = [Label(x, str(self.bottom + 16), said, "tick") for x, said in columns]
        numbers += [Label(str(self.left - 7), f"{float(y) + 4:.1f}", said, "tick", "end") for y, said in rows]
        return Chart(
            *(self.width, self.height, self.left, self.top, self.right, self.bottom, across, up),
            grid=tuple(grid),
            labels=(*numbers, *labels),
            lines=tuple(lines),
            marks=tuple(marks),
            title=title,
            text=text,
        )
