"""The rules that findings belong to, found by walking their folder."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from functools import cache

from gradcheck.errors import UsageError

# stands behind the guilty lines of a rule's example
MARK = "# <- wrong"


@dataclass(frozen=True)
class Rule:
    """A family of mistakes: how it is called, what is said about it, and how it is told from what only looks like it.

    Attributes
    ----------
    explanation : str
        Why it is wrong, how it comes about, and what one sees of it: Markdown.
    evidence : str
        What must have been measured before a finding gets this code: Markdown.
    hit : str
        A short script with the mistake; `MARK` stands behind each guilty line.
    right : str
        The first guilty line as it should be.
    miss : str
        A script that looks like it and is right.
    why_right : str
        Why it is right, in one sentence.
    message : str
        How the cause is told: a template with ``{where}``, what the line computes, ``{old}`` and ``{new}``, what the
        edit takes away and puts there. Empty where the edit itself says it best.
    """

    code: str
    name: str
    summary: str
    explanation: str
    evidence: str
    hit: str
    right: str
    miss: str
    why_right: str
    message: str = ""


@cache
def rules() -> dict[str, Rule]:
    """Return all rules by their codes, in order."""
    folder = importlib.import_module("gradcheck.diagnosis.rules")
    modules = [importlib.import_module(f"{folder.__name__}.{m.name}") for m in pkgutil.iter_modules(folder.__path__)]
    found = sorted((module.RULE for module in modules), key=lambda rule: rule.code)
    return {rule.code: rule for rule in found}


def rule(wanted: str) -> Rule:
    """Return the rule of a code or of a name, in upper or lower case."""
    known = rules()
    by_name = {r.name: r for r in known.values()}
    found = known.get(wanted.upper()) or by_name.get(wanted.lower())
    if found is None:
        raise UsageError(
            f"expected a code from {min(known)} to {max(known)} or a name such as wrong-sign, got {wanted}"
        )
    return found
