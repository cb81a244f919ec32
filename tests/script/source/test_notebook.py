"""Notebooks: their code cells are one script, and every line is named by its cell."""

from __future__ import annotations

import hashlib
import json

import pytest

from gradcheck.api import examine_script
from gradcheck.errors import ScriptError
from gradcheck.script.source.file import SourceFile
from gradcheck.script.source.notebook import read_notebook
from gradcheck.script.source.place import Cells, Layout
from gradcheck.session.result import ScriptResult
from gradcheck.settings import Options
from notebooks import DATA, MODEL, TRAINING, WRONG_MODEL, cell, markdown, notebook, write_notebook
from script_runs import verdicts

START = "%matplotlib inline\n!pip install numpy\nimport numpy as np"


@pytest.fixture
def examine(tmp_path, forked):
    def of(*cells, **options):
        return examine_script(write_notebook(tmp_path, *cells), Options(timeout=20, **options))

    return of


def where(result, line):
    place = result.place(line)
    return place.cell, place.cell_line


def test_a_planted_mistake_is_found_with_its_cell_and_line(examine):
    result = examine(
        START, markdown("# Model"), cell("raw", "raw"), DATA, "%%bash\nls", "%%time\n" + WRONG_MODEL, TRAINING
    )
    assert verdicts(result) == {"w": "match", "b": "mismatch"}
    span = next(source.span for source in result.sources if source.parameter == "b")
    assert where(result, span.line) == (4, 10)
    assert result.lines[span.line - 1][span.column - 1 : span.end_column - 1] == "db = 2 * error.sum()"


def test_a_correct_notebook_matches(examine):
    assert verdicts(examine(START, DATA, MODEL, TRAINING)) == {"w": "match", "b": "match"}


def test_what_a_notebook_asks_of_its_kernel_does_no_harm(examine):
    result = examine(
        START,
        """
        from IPython.display import HTML, Image, clear_output, display
        from IPython.core.interactiveshell import InteractiveShell
        from IPython import get_ipython as shell
        import IPython.display as ipd
        InteractiveShell.ast_node_interactivity = "all"
        """,
        "np.mean?",
        DATA,
        MODEL,
        TRAINING.replace("w -= ", "clear_output(wait=True)\n    w -= "),
        """
        display(HTML("<b>w</b>"), w)
        get_ipython().run_line_magic("matplotlib", "inline")
        get_ipython().system("ls")
        for name in shell().getoutput("ls"):
            raise ValueError(name)
        files = !ls
        assert files == []
        %time print(loss(w, b))
        display(ipd.Audio(w))
        import inspect
        assert inspect.getsource(loss).startswith("def loss(w, b):")
        """,
    )
    assert verdicts(result) == {"w": "match", "b": "match"}
    assert result.notes == ()


def test_a_script_has_no_kernel(tmp_path, forked):
    (tmp_path / "net.py").write_text("x = 1\ndisplay(x)\n")
    result = examine_script(tmp_path / "net.py", Options(timeout=20))
    assert "'display' is not defined" in result.error.message


def test_a_cell_that_raises_is_named(examine):
    result = examine("x = 1", markdown("text"), "", "y = 2\n\nx / 0  # on purpose")
    assert (result.error.slug, result.error.line) == ("script-raised", 5)
    assert where(result, 5) == (3, 3)


def test_a_cell_that_raises_is_named_in_a_note(examine):
    result = examine(START, DATA, MODEL, TRAINING, "raise SystemError('line 3')")
    assert verdicts(result) == {"w": "match", "b": "match"}
    said = "cell 5, line 1 failed, the other cells were run all the same: the script raised SystemError: line 3"
    assert result.notes == (said,)


def test_the_innermost_cell_of_a_traceback_is_named(examine):
    result = examine("def f(x):\n    return 1 / x", "x = 3", "f(0)")
    assert where(result, result.error.line) == (1, 2)


def test_a_notebook_that_hangs_is_told_with_its_cell(tmp_path):
    path = write_notebook(tmp_path, "x = 1", "print(1, flush=True)\nwhile True:\n    pass")
    for timeout in (0.8, 8.0, 80.0):
        printed: list[bytes] = []
        result = examine_script(path, Options(timeout=timeout), printed.append)
        # on a busy machine, a short limit may be over before the notebook has begun, or before it can say where it is
        if printed and "in cell" in result.error.message:
            break
    assert result.error.slug == "timeout"
    assert "in cell 2, line" in result.error.message


def test_evidence_and_messages_name_cells(examine):
    result = examine(START, DATA, MODEL, TRAINING)
    assert any("`gradient` in cell 3, line 5" in sentence for sentence in result.evidence)
    assert not any(" in line " in sentence for sentence in result.evidence)
    error = ScriptError("`f` in line 5", slug="ambiguous", line=5)
    once = ScriptResult("net.ipynb", error=error).laid_out(Layout(Cells((1, 4), 6)))
    for told in (once, once.laid_out(Layout(Cells((1, 4), 6)))):
        assert (told.error.message, told.error.slug, told.error.line) == ("`f` in cell 2, line 2", "ambiguous", 5)


def test_comments_in_cells_are_settings(examine):
    model = MODEL.replace("gradient", "step_of").replace("dw", "p").replace("db", "q")
    training = (
        TRAINING.replace("dw, db = gradient(w, b)", "r = step_of(w, b)")
        .replace("-= 0.1 * dw", "= w")
        .replace("-= 0.1 * db", "= b")
    )
    assert examine(START, DATA, model, training).error.slug == "no-gradient"
    result = examine(START, DATA, model, "# gradcheck: backward=step_of, params=w,b", training)
    assert verdicts(result) == {"w": "match", "b": "match"}


def test_a_wrong_comment_is_told_with_its_cell(examine):
    result = examine("x = 1", "\n\ny = 1\n# gradcheck: lost=loss")
    assert result.error.slug == "bad-setting"
    assert where(result, result.error.line) == (2, 2)


def test_the_file_is_not_modified(tmp_path, forked):
    path = write_notebook(tmp_path, START, DATA, WRONG_MODEL, TRAINING)
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    assert examine_script(path, Options(timeout=20)).verdict == "mismatch"
    assert [path] == list(tmp_path.iterdir())
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_letters_of_all_kinds(tmp_path, forked):
    cells = [
        c.replace("error", "größe_λ").replace("# the model", "# 損失 🙂") for c in (START, DATA, WRONG_MODEL, TRAINING)
    ]
    path = write_notebook(tmp_path, *cells, name="übung 1, λ.ipynb")
    result = examine_script(path, Options(timeout=20))
    assert result.mismatching == ("b",)
    span = next(source.span for source in result.sources if source.parameter == "b")
    assert result.lines[span.line - 1][span.column - 1 : span.end_column - 1] == "db = 2 * größe_λ.sum()"


@pytest.mark.parametrize(
    ("cells", "place", "said"),
    [
        (["x = 1", "y = (2,", "3)"], (2, 1), "never closed"),
        (["x = 1", "if x:", "y = 2"], (2, 1), "expected an indented block after 'if' statement in cell 2, line 1"),
        (["x = 1\n\nx = = 2"], (1, 3), "invalid syntax"),
        (["x = 1", "s = '''a", "b'''"], (2, 1), "unterminated"),
        (["%%time\nx = 1", "%matplotlib inline\nfoo bar"], (2, 2), "invalid syntax"),
        (["x = 1", "y = 2\nawait f()"], (2, 2), "'await' outside function"),
    ],
)
def test_a_cell_that_is_no_python_is_told_with_its_line(examine, cells, place, said):
    result = examine(*cells)
    assert result.error.slug == "syntax-error"
    assert said in result.error.message
    assert where(result, result.error.line) == place


def test_each_cell_may_begin_with_a_future_import(examine):
    future = "from __future__ import annotations\n"
    assert examine(START, future + DATA, future + MODEL.strip(), TRAINING).verdict == "match"


def test_a_cell_that_is_indented_as_a_whole_is_read_as_the_notebook_reads_it():
    found = read_notebook(notebook(cell("    x = 1\n    if x:\n        y = 2")))
    assert found.code == ("x = 1", "if x:", "    y = 2")


def test_line_ends_of_windows_and_source_in_one_piece():
    found = read_notebook(notebook(cell("")).replace('"source": []', '"source": "x = 1\\r\\ny = 2\\n"'))
    assert found.code == ("x = 1", "y = 2")


OLD = {
    3: {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 1, "source": "Title", "metadata": {}},
                    {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "language": "python", "outputs": []},
                    {"cell_type": "code", "input": "z = 3", "language": "python", "outputs": []},
                ]
            }
        ],
    },
    2: {
        "nbformat": 2,
        "metadata": {"name": "older"},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "code", "input": "x = 1\ny = 2", "language": "python", "outputs": []},
                    {"cell_type": "code", "input": "z = 3", "language": "python", "outputs": []},
                ]
            }
        ],
    },
}


@pytest.mark.parametrize("version", OLD)
def test_older_formats_are_read(version, capfd):
    found = read_notebook(json.dumps(OLD[version]))
    assert (found.code, found.cells.starts) == (("x = 1", "y = 2", "z = 3"), (1, 3))
    assert capfd.readouterr() == ("", "")


def test_what_a_reader_can_do_without_may_be_missing(capfd):
    found = read_notebook(
        '{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, "source": "x = 1"}]}'
    )
    assert found.code == ("x = 1",)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "slug", "line", "said"),
    [
        ("", "empty", 1, "the file is empty"),
        ("\ufeff \n", "empty", 1, "the file is empty"),
        ("import numpy\n", "unreadable", 1, "not JSON"),
        ('{"nbformat": 4,\n "cells": [}', "unreadable", 2, "not JSON"),
        ("[" * 100_000, "unreadable", None, "too deeply nested"),
        ("[1]", "unreadable", None, "`nbformat`"),
        ('{"a": 1}', "unreadable", None, "`nbformat`"),
        ('{"nbformat": "4"}', "unreadable", None, "`nbformat`"),
        ('{"nbformat": 99, "metadata": {}, "cells": []}', "unreadable", None, "99"),
        ('{"nbformat": 4, "metadata": {}}', "unreadable", None, "cells"),
        ('{"nbformat": 4, "metadata": {}, "cells": {}}', "unreadable", None, "cells"),
        ('{"nbformat": 4, "metadata": {}, "cells": [1]}', "unreadable", None, "not a notebook"),
        ('{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code"}]}', "unreadable", None, "not a notebook"),
        (
            '{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, "source": 3}]}',
            "unreadable",
            None,
            "entry 1",
        ),
        ('{"nbformat": 3, "metadata": {}, "worksheets": 3}', "unreadable", None, "not a notebook"),
        (notebook("x = '\0'"), "unreadable", None, "null bytes"),
        (notebook(), "empty", None, "no code cells"),
        (notebook(markdown("# text")), "empty", None, "no code cells"),
        (notebook("", "  \n\n"), "empty", None, "code cells are empty"),
        (notebook("x <- 1", language_info={"name": "R"}), "unreadable", None, "got one in R"),
        (
            notebook("x = 1", kernelspec={"name": "julia-1.9", "language": "julia"}),
            "unreadable",
            None,
            "got one in julia",
        ),
    ],
)
def test_what_is_no_notebook_in_python_is_refused(tmp_path, capfd, text, slug, line, said):
    path = tmp_path / "net.ipynb"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScriptError, match=said) as caught:
        SourceFile.read(path)
    assert (caught.value.slug, caught.value.line) == (slug, line)
    assert capfd.readouterr() == ("", "")


def test_python_under_the_name_of_another_kernel_is_read(tmp_path):
    path = tmp_path / "net.ipynb"
    path.write_text(notebook("x = 1", language_info={"name": "octave", "file_extension": ".py"}), encoding="utf-8")
    assert SourceFile.read(path).text.strip() == "x = 1"


def test_a_notebook_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "net.ipynb"
    path.write_bytes(notebook("x = 'ä'").encode("latin-1"))
    with pytest.raises(ScriptError, match=r"0xe4, which is not utf-8; save it as UTF-8$"):
        SourceFile.read(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "my environment", "display_name": "x"}},
        {"language_info": {"name": "python"}},
        {"language_info": {"name": "ipython"}},
        {"kernelspec": {"name": "x", "language": "Python"}},
        {"kernelspec": None, "language_info": []},
    ],
    ids=str,
)
def test_python_has_several_names_and_is_assumed_without_one(metadata):
    assert read_notebook(notebook("x = 1", **metadata)).code == ("x = 1",)
