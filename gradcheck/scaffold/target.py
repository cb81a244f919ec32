"""Where a test file lies, and how it finds the script from there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from gradcheck.scaffold.layout import WIDTH, quoted


@dataclass(frozen=True)
class Target:
    """A test file and the script that it is about.

    Attributes
    ----------
    path : Path
        The test file, absolute; it need not be there.
    """

    path: Path
    script: Path

    @property
    def word(self) -> str:
        """The script's name as a part of a name of Python."""
        return word_of(self.script)

    @property
    def docstring(self) -> str:
        """What the test file says about itself."""
        text = f'"""The gradients of {self.script.name} agree with finite differences."""'
        is_plain = len(text) <= WIDTH and '"' not in self.script.name and "\\" not in self.script.name
        return text if is_plain else '"""Gradients agree with finite differences."""'

    @property
    def script_expression(self) -> str:
        """The path of the script, as the test computes it from its own."""
        return _joined(self._relative(self.script))

    @property
    def folder_expression(self) -> str:
        """The path of the script's folder, as the test computes it from its own."""
        return _joined(self._relative(self.script.parent))

    @property
    def is_beside(self) -> bool:
        """Whether pytest finds the script where it finds the test: in the same folder, which is no package."""
        same = self.path.parent == self.script.parent
        return same and not (self.path.parent / "__init__.py").exists()

    def _relative(self, path: Path) -> PurePath:
        return PurePath(os.path.relpath(path, self.path.parent))


def _joined(relative: PurePath) -> str:
    up = sum(part == ".." for part in relative.parts)
    below = [part for part in relative.parts if part not in ("..", ".")]
    # beyond two, an index reads better than a chain
    parents = ".parent" * (up + 1) if up < 2 else f".resolve().parents[{up}]"
    return " / ".join([f"Path(__file__){parents}", *map(quoted, below)])


def word_of(script: Path) -> str:
    """Return the name of a script as a part of a name of Python."""
    return function_name(script.stem) or "script"


def function_name(text: str) -> str:
    """Return a name of a function of the script as a part of the name of a test: ``Net.backward``, ``net_backward``."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.replace("<locals>.", ""))
    return re.sub(r"\W+", "_", split).strip("_").lower()
