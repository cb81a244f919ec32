"""Lambdas that become definitions: the same program, in the same places."""

from __future__ import annotations

import ast

import pytest

from gradcheck.script.source.lambdas import with_lambdas_defined

NAMED = "f = lambda x, y=2: x * y\nanswer = f(3)\n"
HANDED = "answer = minimize(lambda w: w + k, 5, jac=lambda w: 2 * w)\n"
IN_FUNCTION = "def go(k):\n    return minimize(lambda w: w + k, 1, jac=lambda w: k * w)\nanswer = go(4)\n"
IN_LOOP = "answer = 0\nfor k in range(3):\n    answer += minimize(lambda w: w + k, 1, jac=lambda w: k * w)\n"
RENAMED = "from scipy.optimize import minimize as least\nanswer = least(lambda w: w + k, 5, jac=lambda w: 2 * w).nit\n"


def defined(text: str) -> list[ast.FunctionDef]:
    tree = with_lambdas_defined(ast.parse(text))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name != "go"]


@pytest.mark.parametrize("text", [NAMED, HANDED, IN_FUNCTION, IN_LOOP])
def test_the_program_does_what_it_did(text):
    answers = []
    for tree in (ast.parse(text), with_lambdas_defined(ast.parse(text))):
        variables = {"k": 10, "minimize": lambda f, x, jac: f(x) * jac(x)}
        exec(compile(tree, "<script>", "exec"), variables)
        answers.append(variables["answer"])
    assert answers[0] == answers[1]


def test_they_stand_where_they_stood():
    tree = with_lambdas_defined(ast.parse("\n\nf = lambda x: (x +\n    1)\n"))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    returned = definition.body[0]
    assert isinstance(returned, ast.Return)
    assert (definition.lineno, definition.col_offset) == (3, 0)
    assert (returned.lineno, returned.end_lineno) == (3, 4)


def test_names_tell_the_line_and_are_not_taken():
    found = defined("lambda_in_line_2 = 1\n" + HANDED)
    assert [f.name for f in found] == ["lambda_in_line_2_2", "lambda_in_line_2_3"]
    assert [f.name for f in defined(RENAMED)] == ["lambda_in_line_2", "lambda_in_line_2_2"]


@pytest.mark.parametrize(
    "text",
    [
        "answer = sorted(xs, key=lambda x: -x)\n",
        "fs = [minimize(lambda w: w + k, 1) for k in range(3)]\n",
        "g = lambda k: minimize(lambda w: w + k, 1)\n",
        "self.f = lambda x: x\n",
        "while minimize(lambda w: w, 1): pass\n",
    ],
)
def test_others_stay_what_they_are(text):
    tree = with_lambdas_defined(ast.parse(text))
    assert any(isinstance(node, ast.Lambda) for node in ast.walk(tree))
    assert len(defined(text)) == text.startswith("g =")
