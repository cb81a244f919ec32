"""What a script prints while it trains, read as numbers: how one knows, without any checker, that a mutant is wrong.

Run as a file, it is the child process: it reads texts and factors of the step size from standard input.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import re
import subprocess
import sys
import warnings

RATES = {"lr", "rate", "eta", "alpha", "step", "step_size", "learning_rate"}
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|nan|inf)", re.IGNORECASE)
SECONDS = 60
SAME = 1e-6  # relative; what rounding does to a training is far below
TINY = 1e-8  # so small a step that the loss changes in proportion to it
SHORT = 0.1  # so short a step that curvature tells two directions apart, but nothing oscillates
ALIKE = 1e-4  # the factor found with a tiny step is not exact

Losses = list[float] | None


class _Exactly(ast.NodeTransformer):
    """Print every digit, and scale the step size."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        node.format_spec = None
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            node.value = re.sub(r"%[\d.]*f", "%s", node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        for target, value in zip(_parts(node.targets[0]), _parts(node.value), strict=False):
            if isinstance(target, ast.Name):
                self._scale(target.id, value)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        self._scale(node.arg, node.value)
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        for argument, default in zip(reversed(node.args), reversed(node.defaults), strict=False):
            self._scale(argument.arg, default)
        return self.generic_visit(node)

    def _scale(self, name: str | None, value: ast.expr) -> None:
        if name in RATES and isinstance(value, ast.Constant) and isinstance(value.value, float):
            value.value *= self.factor


def _parts(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _train(text: str, factor: float) -> Losses:
    """Run a script in this process; None if it raises."""
    printed = io.StringIO()
    try:
        program = compile(ast.fix_missing_locations(_Exactly(factor).visit(ast.parse(text))), "script", "exec")
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(program, {"__name__": "__main__"})
    except Exception:  # noqa: BLE001 - whatever the mutant raises
        return None
    return [float(number) for number in NUMBER.findall(printed.getvalue())]


def trained(*runs: tuple[str, float]) -> list[Losses]:
    """Train scripts in a process of their own.

    Parameters
    ----------
    *runs : tuple of str and float
        Texts, each with a factor of its step size.

    Returns
    -------
    list
        For each the numbers that it prints, with all digits; None if it raises, or takes too long.
    """
    try:
        child = subprocess.run(
            [sys.executable, __file__], input=json.dumps(runs), capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return [None for _ in runs]
    return json.loads(child.stdout) if child.returncode == 0 else [None for _ in runs]


def same(one: Losses, other: Losses) -> bool:
    """Tell whether two trainings print the same numbers; NaN is the same as NaN."""
    if one is None or other is None or len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(
        a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= SAME * max(abs(a), abs(b)) for a, b in pairs
    )


def is_wrong(correct: str, mutant: str) -> bool:
    """Tell whether a mutant runs, trains differently, and not just with another common step size.

    Parameters
    ----------
    correct, mutant : str
        The two texts.
    """
    right, wrong, start, near, far = trained(
        (correct, 1.0), (mutant, 1.0), (correct, 0.0), (correct, TINY), (mutant, TINY)
    )
    if right is None or wrong is None or start is None or near is None or far is None or same(right, wrong):
        return False
    if not len(right) == len(wrong) == len(start) == len(near) == len(far):
        return False
    factor = (far[-1] - start[-1]) / (near[-1] - start[-1])
    # a training with a long step is chaotic, where no two runs agree
    short = SHORT / max(1.0, abs(factor))
    scaled, shortened = trained((correct, factor * short), (mutant, short))
    return not _move_alike(scaled, shortened, start)


def _move_alike(one: Losses, other: Losses, start: list[float]) -> bool:
    """Tell whether two trainings change the losses that are printed without a step by the same amounts."""
    if one is None or other is None:
        return False
    moves = zip(one, other, start, strict=True)
    return all(abs(a - b) <= ALIKE * max(abs(a - s), abs(b - s)) for a, b, s in moves)


if __name__ == "__main__":
    json.dump([_train(text, factor) for text, factor in json.load(sys.stdin)], sys.stdout)
