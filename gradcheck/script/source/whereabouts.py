"""Where a script is to be started: in its own folder, or in the current one, as its data show."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from gradcheck.errors import UsageError

# a text of more letters names no file
_LONGEST_NAME = 200


def folder_of_data(tree: ast.Module, script: Path, current: Path) -> tuple[Path, str] | None:
    """Return the current folder and the file that a script names and that lies there, and nothing in its own folder."""
    own = script.parent
    if own == current:
        return None
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = sorted(text for text in texts if _may_be_name(text))
    if any((own / name).exists() for name in names):
        return None
    here = [name for name in names if (current / name).exists()]
    return (current, here[0]) if here else None


def chosen_folder(cwd: str) -> Path:
    """Return the folder that the user has chosen."""
    folder = Path(cwd).absolute()
    if not folder.is_dir():
        raise UsageError(f"cwd: expected a folder, got {cwd!r}")
    return folder


def _may_be_name(text: str) -> bool:
    if not 1 < len(text) <= _LONGEST_NAME or "\n" in text or "\0" in text or os.path.isabs(text):  # noqa: PTH117
        return False
    # a word may be anything, and a folder of that name a chance
    return ("." in text.strip(".") or "/" in text.strip("/")) and text == text.strip()
