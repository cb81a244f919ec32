"""A real notebook in a real kernel: results show themselves, and %%gradcheck checks a cell."""

from __future__ import annotations

import base64
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import gradcheck
from notebooks import DATA, MODEL, TRAINING, WRONG_MODEL

pytestmark = pytest.mark.usefixtures("forked_children", "forked_commands")

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

LIMIT = 60
SETTING = "%load_ext gradcheck\nimport numpy as np" + DATA
CELLS = {
    "setting": SETTING,
    "failing": "1 / 0",
    "wrong": "%%gradcheck --points 3\n" + WRONG_MODEL + TRAINING + "'the last value'",
    "misspelt": "%%gradcheck --point 3\nnever = 1",
    "right": "%%gradcheck --no-fix\n" + MODEL + TRAINING + "print('printed')",
    "raising": "%%gradcheck\nbefore = 3\nbefore + undefined",
    "calling": "%%gradcheck --no-fix --call 'v = called = np.zeros(3)' --call 'v -= gradient_2(v)'\n"
    "def loss_2(v):\n    return np.mean((X @ v - y) ** 2)\n"
    "def gradient_2(v):\n    dv = 3 * X.T @ (X @ v - y) / len(y)\n    return dv\n",
    "names": "w.shape, before, 'never' in dir(), 'called' in dir()",
    "result": "from gradcheck import check_grad\n"
    "result = check_grad(lambda w: np.sum(w**2), lambda w: 3 * w, np.ones(3), curves=True)\nresult",
}
if find_spec("matplotlib"):
    CELLS["plot"] = "result.plot()"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Run the notebook once; return what stands below its cells."""
    with warnings.catch_warnings():
        # of the libraries that start a kernel, none of which is ours
        warnings.simplefilter("ignore")
        import nbformat
        from nbclient import NotebookClient

        book = nbformat.v4.new_notebook()
        book.cells = [nbformat.v4.new_code_cell(dedent(source).strip("\n")) for source in CELLS.values()]
        folder = {"metadata": {"path": str(tmp_path_factory.mktemp("notebook"))}}
        environment = {**os.environ, "PYTHONPATH": str(Path(gradcheck.__file__).parent.parent)}
        client = NotebookClient(book, kernel_name="python3", timeout=LIMIT, allow_errors=True, resources=folder)
        client.execute(env=environment)
    return {name: cell.outputs for name, cell in zip(CELLS, book.cells, strict=True)}


def shown(outputs: list[dict[str, Any]], kind: str = "text/html") -> list[str]:
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def streams(outputs: list[dict[str, Any]]) -> dict[str, str]:
    return {output["name"]: output["text"] for output in outputs if output["output_type"] == "stream"}


def errors(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [output for output in outputs if output["output_type"] == "error"]


def test_nothing_is_written_to_standard_error_but_for_a_misspelt_option(outputs):
    assert [name for name, found in outputs.items() if "stderr" in streams(found)] == ["misspelt"]


def test_a_wrong_cell_is_run_and_its_mistake_shown_with_its_place(outputs):
    value, report = shown(outputs["wrong"], "text/plain")
    assert value == "'the last value'"
    assert report.startswith("<Report: 1 script: 1 mismatch>\nnotebook: 1 of 2 gradients is wrong\n  parameter  shape")
    assert "\n    -     db = 2 * error.sum()\n    +     db = 2 * error.mean()" in report
    (page,) = shown(outputs["wrong"])
    for text in ("1 of 2 gradients is wrong", "GC212", "cell 3, line 10", "+     db = 2 * error.mean()"):
        assert text in page
    assert "cell 2 raised an exception and was left out" in page
    assert "points=3" in page


def test_a_right_cell_matches_and_prints_once(outputs):
    assert streams(outputs["right"]) == {"stdout": "printed\n"}
    (page,) = shown(outputs["right"])
    assert "both gradients match" in page
    assert shown(outputs["right"], "text/markdown")[0].startswith("**notebook: both gradients match**")


def test_a_wrong_option_is_a_sentence_and_nothing_is_run(outputs):
    assert streams(outputs["misspelt"])["stderr"].startswith("UsageError: %%gradcheck: unknown option '--point'; known")
    assert not errors(outputs["misspelt"])
    assert shown(outputs["names"], "text/plain")[0].endswith(", 3, False, False)")


def test_a_call_is_checked_and_not_run_in_the_notebook(outputs):
    (page,) = shown(outputs["calling"])
    assert "the gradient is wrong" in page
    assert "not shown, because other cells compute them: the gradients of <code>w</code>, <code>b</code>" in page
    assert shown(outputs["names"], "text/plain")[0].endswith(", False)")


def test_an_exception_is_shown_once_and_nothing_is_checked(outputs):
    (error,) = errors(outputs["raising"])
    assert error["ename"] == "NameError"
    assert not shown(outputs["raising"])


def test_the_names_of_a_checked_cell_exist_afterwards(outputs):
    assert shown(outputs["names"], "text/plain")[0].startswith("((3,), 3, ")


def test_a_result_is_a_table(outputs):
    (page,) = shown(outputs["result"])
    assert "mismatch: the gradient is wrong" in page
    assert "<table>" in page


@pytest.mark.skipif("plot" not in CELLS, reason="needs matplotlib")
def test_a_picture_is_shown_without_pyplot(outputs):
    (image,) = shown(outputs["plot"], "image/png")
    assert base64.b64decode(image).startswith(b"\x89PNG")
