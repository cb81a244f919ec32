"""The scripts that are rewritten."""

from __future__ import annotations

import ast
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "fixtures"
_DIRECTIVE = re.compile(r"^\s*# gradcheck:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Fixture:
    """A script.

    Attributes
    ----------
    name : str
        Its folder and its own name.
    beside : dict of str to str
        Modules that it comes with: their paths as seen from the script's folder, and their texts.
    """

    name: str
    text: str
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What its file is called."""
        return self.name.rpartition("/")[2]

    @property
    def directives(self) -> list[str]:
        """Its comments for the checker."""
        return [line.strip() for line in _DIRECTIVE.findall(self.text)]


def fixtures(folder: Path = FOLDER) -> list[Fixture]:
    """Return the pairs, the submissions and the programs of several files."""
    found = [
        _read(path, f"{name}/{path.stem}")
        for name in ("buggy", "correct", "submissions")
        for path in sorted((folder / name).glob("*.py"))
    ]
    for script in sorted((folder / "programs").glob("*/train.py")):
        modules = {str(m.relative_to(script.parent)): m for m in sorted(script.parent.rglob("*.py")) if m != script}
        found.append(_read(script, f"programs/{script.parent.name}/train", modules))
    return [fixture for fixture in found if _is_python(fixture.text)]


def _read(path: Path, name: str, beside: dict[str, Path] | None = None) -> Fixture:
    return Fixture(name, _text(path), {where: _text(module) for where, module in (beside or {}).items()})


def _text(path: Path) -> str:
    with tokenize.open(path) as file:
        return file.read()


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
