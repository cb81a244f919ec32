"""The pages of the documentation, and the tables in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
JSON_PAGE = DOCS / "reference" / "json.md"


def table(page: Path, heading: str = "") -> list[list[str]]:
    """Return the rows of the first table of a page, or of the section with that heading."""
    text = page.read_text(encoding="utf-8")
    text = text[text.index(f"\n{heading}\n") :] if heading else text
    (rows,) = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)[:1]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows.splitlines()]
    return cells[2:]
