"""The stand-ins for what a notebook's code expects of IPython."""

from __future__ import annotations

import copy
import pickle

from gradcheck.script.record.kernel import Silent
from script_runs import snippet


def test_a_stand_in_takes_whatever_is_done_with_it():
    silent = Silent("text", key=1)
    silent.attribute = 3
    silent["key"] = 3
    assert list(silent.method(1).other["x"]) == []
    assert not silent
    assert isinstance(copy.deepcopy(silent), Silent)
    assert isinstance(pickle.loads(pickle.dumps(silent)), Silent)
    with silent as inner:
        assert inner is silent
    assert "x" not in silent


def test_a_stand_in_can_be_a_decorator_and_a_base():
    @Silent()
    def function():
        pass

    class Derived(Silent):
        pass

    assert isinstance(function, Silent)
    assert isinstance(Derived(1), Silent)


def test_the_process_of_a_notebook_has_them_and_that_of_a_script_has_not(tmp_path):
    found = snippet(
        """
        import builtins
        from pathlib import Path
        from gradcheck.script.record.kernel import stand_in_for_kernel
        from gradcheck.script.source.file import SourceFile
        Path("a.py").write_text("x = 1")
        Path("a.ipynb").write_text(
            '{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, "source": "x = 1"}]}')
        found = []
        for name in ("a.py", "a.ipynb"):
            stand_in_for_kernel(SourceFile.read(Path(name)))
            found.append(hasattr(builtins, "display") and hasattr(builtins, "get_ipython"))
        import IPython.core.magic
        from IPython.display import display, HTML
        found.append(display(HTML("x")) is None)
        from IPython import display as module
        found.append(module.display(module.clear_output(wait=True)) is None)
        found.append(IPython.display.display is module.display is builtins.display)
        found.append(bool(IPython.get_ipython()))
        for name in ("IPythonic", "IPython.html"):
            try:
                __import__(name)
            except ImportError:
                found.append(name)
        answer(found)
        """,
        cwd=tmp_path,
    )
    assert found == [False, True, True, True, True, False, "IPythonic", "IPython.html"]


def test_a_script_is_read_without_the_library_for_notebooks(tmp_path):
    found = snippet(
        """
        import sys
        from pathlib import Path
        from gradcheck.api import prepare
        from gradcheck.settings import Options
        Path("a.py").write_text("x = 1")
        prepare("a.py", Options())
        answer(sorted({"nbformat", "jsonschema", "traitlets"} & set(sys.modules)))
        """,
        cwd=tmp_path,
    )
    assert found == []
