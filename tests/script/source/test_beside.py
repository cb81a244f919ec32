"""Where the modules of a script are looked for: beside it, in what it adds to `sys.path`, in PYTHONPATH."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

import gradcheck
from gradcheck.script.source.beside import Neighbourhood
from gradcheck.script.source.file import local_modules
from script_runs import command, write, write_program

OURS = str(Path(gradcheck.__file__).parent.parent)
MODULE = "def loss(w):\n    return (w - 3) ** 2\ndef gradient(w):\n    return FACTOR * (w - 3)\n"
TRAINING = "w = 0.5\nfor step in range(5):\n    print(loss(w))\n    w -= 0.1 * gradient(w)\n"
USE = f"from flat import loss, gradient\n{TRAINING}"
ADDING = {
    "append": "import sys\nsys.path.append('../lib')\n",
    "above": "import sys\nsys.path.append('..')\nfrom lib.flat import loss, gradient\n",
    "insert": "import sys\nsys.path.insert(0, '../lib')\n",
    "extend": "import sys\nsys.path.extend(['nowhere', '../lib'])\n",
    "add": "import sys\nsys.path += ['../lib']\n",
    "join": "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))\n",
    "parent": "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), os.pardir, 'lib'))\n",
    "absolute": "import os, sys\nsys.path.append(os.path.abspath('../lib'))\n",
    "current": "import os, sys\nsys.path.append(os.getcwd() + '/../lib')\n",
    "variable": (
        "import os, sys\nhere = os.path.dirname(os.path.abspath(__file__))\nup = os.path.dirname(here)\n"
        "sys.path.insert(0, up + '/lib')\n"
    ),
    "pathlib": "import sys\nfrom pathlib import Path\n"
    "sys.path.append(str(Path(__file__).resolve().parents[1] / 'lib'))\n",
    "relative pathlib": "import sys\nfrom pathlib import Path\nsys.path.append(str(Path('../lib').resolve()))\n",
    "parents": "import sys, pathlib\nsys.path.append(str(pathlib.Path(__file__).parent.parent.joinpath('lib')))\n",
    "current pathlib": "import sys\nfrom pathlib import Path\nsys.path.append(str(Path.cwd().parent / 'lib'))\n",
    "first": "import sys\nsys.path.append(f'{sys.path[0]}/../lib')\n",
    "other names": "from sys import path\nimport os.path as osp\n"
    "path.append(osp.join(osp.dirname(__file__), '../lib'))\n",
    "frame": (
        "import os, sys, inspect\n"
        "here = os.path.dirname(os.path.abspath(inspect.getfile(inspect.currentframe())))\n"
        "sys.path.insert(0, os.path.join(os.path.dirname(here), 'lib'))\n"
    ),
    "gone to": "import os, sys\nos.chdir('../lib')\nsys.path.insert(0, os.getcwd())\n",
    "gone to, above": "import sys\nfrom os import chdir\nif 'lib' not in sys.path:\n    chdir('..')\n    chdir('.')\n"
    "sys.path.append('lib')\n",
    "gone to, later": "import os, sys\nsys.path.append(os.path.abspath('../lib'))\nos.chdir('/')\n",
    "split": "import os, sys\n"
    "sys.path.append(os.path.split(os.path.split(os.path.abspath(__file__))[0])[0] + '/lib')\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project, without a mark of its root, and start in a folder that has nothing to do with it."""
    folder = tmp_path / "project"
    write(folder, MODULE.replace("FACTOR", "2"), "lib/flat.py")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return folder


@pytest.mark.parametrize("folder", ["examples", "tests"])
@pytest.mark.parametrize("way", ADDING)
def test_what_a_script_adds_is_looked_into(project, way, folder):
    use = TRAINING if "lib.flat" in ADDING[way] else USE
    script = write(project, ADDING[way] + use, f"{folder}/run.py")
    assert local_modules(script) == {project / "lib/flat.py"}


@pytest.mark.parametrize(
    "text",
    [
        USE,
        f"import sys\nsys.path.append(input())\n{USE}",
        f"import sys\nsys.path.append(open('../lib').name)\n{USE}",
        f"import sys\nsys.path.remove('../lib')\n{USE}",
        f"search = []\nsearch.append('../lib')\n{USE}",
        f"import sys\nsys.path.append('../nowhere')\n{USE}",
        f"import os\nos.chdir('../lib')\n{USE}",
        f"import os, sys\nos.chdir('/')\nsys.path.append('../lib')\n{USE}",
    ],
)
def test_nothing_else_is(project, text):
    assert local_modules(write(project, text, "examples/run.py")) == set()


@pytest.mark.usefixtures("forked_children", "forked_commands")
@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("3", "mismatch")])
@pytest.mark.parametrize(
    "going", ["%cd ../lib", "import os\nos.chdir('../lib')", "%cd '../nowhere'\n%cd '../lib'  # up"]
)
def test_a_notebook_imports_from_the_folder_that_it_goes_to(project, going, factor, verdict):
    write(project, MODULE.replace("FACTOR", factor), "lib/flat.py")
    cells = [{"cell_type": "code", "source": text, "metadata": {}, "outputs": []} for text in (going, USE)]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    script = write(project, text, "examples/run.ipynb")
    done = command("run", script, "--no-fix", "--format", "json", cwd=project, PYTHONPATH=OURS)
    (found,) = json.loads(done.stdout)["scripts"]
    assert (found["verdict"], found["entry_points"]["backward"]) == (verdict, "gradient")


@pytest.mark.usefixtures("forked_children", "forked_commands")
def test_what_is_imported_from_a_place_that_was_not_seen_is_named(project):
    hidden = "import sys\nsys.path += [each + '/../lib' for each in sys.path[:1]]\nimport flat\n"
    use = "def scaled(x):\n    return 2 * x\nprint(scaled(flat.gradient(0.5)))\nprint(flat.loss(0.5))\n"
    done = command("run", write(project, hidden + use, "examples/run.py"), cwd=project)
    assert "saw `scaled` (1 call); not looked into was ../lib/flat.py. Looked for" in " ".join(done.stdout.split())
    done = command("run", write(project, f"import json\n{use}".replace("flat.", ""), "examples/other.py"), cwd=project)
    assert "not looked into" not in done.stdout


def test_folders_of_the_environment_are_looked_into_where_they_lie_with_the_script(project, monkeypatch):
    script = write(project, USE, "examples/run.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project / "nowhere"), "", str(project / "lib")]))
    assert local_modules(script) == {project / "lib/flat.py"}
    monkeypatch.setenv("PYTHONPATH", "../project/lib")
    assert local_modules(script) == {project / "lib/flat.py"}
    # what has only the home of the author in common with the script is another program
    monkeypatch.setattr(Path, "home", lambda: project)
    assert local_modules(script) == set()
    monkeypatch.setattr(Path, "home", lambda: project / "home")
    assert local_modules(script) == set()


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_what_is_installed_is_not_of_the_program(project, monkeypatch, folder):
    write(project, MODULE, f"{folder}/installed.py")
    script = write(project, "import installed\n", "examples/run.py")
    monkeypatch.setenv("PYTHONPATH", str(project / folder))
    assert local_modules(script) == set()


def test_this_package_is_no_part_of_a_program(project, monkeypatch):
    ours = Path(gradcheck.__file__).parent
    monkeypatch.setenv("PYTHONPATH", str(ours.parent))
    monkeypatch.setattr(Path, "home", lambda: Path("/nowhere"))
    script = write(project, "import gradcheck\nfrom gradcheck.reference import losses\n", "examples/run.py")
    assert local_modules(script) == set()
    # but for the program that it is itself
    own = Neighbourhood(ours / "reference/network.py", ast.parse(""))
    assert own.find("gradcheck.reference.losses") is not None


@pytest.mark.parametrize(("factor", "verdict"), [("2", "match"), ("3", "mismatch")])
@pytest.mark.parametrize(("start", "path"), [(".", "lib"), ("examples", "../lib"), ("..", "project/lib")])
def test_a_script_that_needs_the_environment_is_checked_with_its_module(project, factor, verdict, start, path):
    write_program(project, f"# lib/flat.py\n{MODULE.replace('FACTOR', factor)}# examples/run.py\n{USE}")
    folder = project / start
    script = os.path.relpath(project / "examples/run.py", folder)
    search = os.pathsep.join([path, OURS])
    done = command("run", script, "--no-fix", "--format", "json", cwd=folder, PYTHONPATH=search)
    (found,) = json.loads(done.stdout)["scripts"]
    assert (found["verdict"], found["entry_points"]["backward"]) == (verdict, "gradient")


@pytest.mark.usefixtures("forked_children", "forked_commands")
@pytest.mark.parametrize("start", [".", "examples", ".."])
def test_without_the_environment_the_module_is_not_found_by_python_either(project, start):
    write(project, USE, "examples/run.py")
    folder = project / start
    done = command("run", os.path.relpath(project / "examples/run.py", folder), cwd=folder, PYTHONPATH=OURS)
    assert "ModuleNotFoundError: No module named 'flat'" in done.stdout


@pytest.mark.usefixtures("forked_children", "forked_commands")
def test_findings_name_the_module_whatever_the_folder_is_that_one_starts_in(project):
    write_program(
        project, f"# lib/flat.py\n{MODULE.replace('FACTOR', '3')}# examples/run.py\n{ADDING['absolute']}{USE}"
    )
    for folder in (project, project / "examples"):
        script = os.path.relpath(project / "examples/run.py", folder)
        done = command("run", script, cwd=folder, PYTHONPATH=OURS)
        assert "lib/flat.py, line 3)" in done.stdout
        assert "lib/flat.py:4:" in done.stdout
