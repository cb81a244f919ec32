"""The page of a rule: Markdown, for the terminal and for the documentation."""

from __future__ import annotations

from gradcheck.diagnosis.registry import MARK, Rule


def page(rule: Rule) -> str:
    """Return what is said about a rule, as Markdown."""
    guilty = next(line.partition(MARK)[0].strip() for line in rule.hit.split("\n") if MARK in line)
    parts = [
        f"# {rule.code} {rule.name}",
        rule.summary,
        "## Why it is wrong",
        rule.explanation.strip(),
        "## Example",
        _code(rule.hit.replace(f"  {MARK}", "")),
        f"The guilty line is\n\n{_code(guilty)}",
        f"It should be\n\n{_code(rule.right)}" if rule.right else "No edit of one place makes it right.",
        "## How it is recognised",
        rule.evidence.strip(),
        "## What only looks like it",
        f"{rule.why_right}\n\n{_code(rule.miss)}",
    ]
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    return f"```python\n{text.strip(chr(10))}\n```"
