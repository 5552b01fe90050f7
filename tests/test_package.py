"""The project as a whole: which way imports run, examples in docstrings, and what is installed."""

import ast
import collections
import doctest
import functools
import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib
import venv

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.catalog.entries import ENTRIES
from zoo.saving.versions import home

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("layers", "zoo", "tasks")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}
PROGRAMS = {name for name in MODULES if name.startswith("tasks.") and name.count(".") == 1}
PROGRAMS -= {name for name, path in MODULES.items() if path.name == "__init__.py"}
DOCUMENTED = [name for name in MODULES if not name.startswith("layers")]


# --- Imports -------------------------------------------------------------------------------------


def statements(tree, nested=True):
    """The import statements of a module.

    Without nested ones, those that run when the module is imported: what stands in functions does
    not, nor what is for type checkers only.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        types_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if nested or not (inside or types_only):
            yield from statements(node, nested)


@functools.cache
def imported(module, nested=True):
    """Names of what a module imports: modules of the project in full, all others as written."""
    found = set()
    for node in statements(ast.parse(MODULES[module].read_text("utf-8")), nested):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
            continue
        assert node.level == 0, f"{module}: relative import"
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        # `from zoo import files` imports a module, `from zoo.files import replace` a part of one.
        modules = {name for name in names if name in MODULES or node.module == "absl"}
        found |= modules | ({node.module} if names - modules else set())
    return found


def roots(names):
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    names = imported(module)
    above = {"layers": {"zoo", "tasks"}, "zoo": {"tasks"}, "tasks": set()}[module.split(".")[0]]
    assert not roots(names) & above, "an import against layers ← zoo ← tasks"
    assert "tests" not in roots(names)
    if module not in PROGRAMS:
        assert not names & PROGRAMS, "only a program may import a program"
    if not module.startswith("tasks"):
        assert not {name for name in names if name.startswith(("absl.flags", "absl.app"))}


@pytest.mark.parametrize("module", sorted(MODULES.keys() - PROGRAMS))
def test_no_module_below_the_programs_reads_global_flags(module):
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "FLAGS" not in names


def test_modules_do_not_import_each_other_in_a_circle():
    edges = {name: imported(name) & MODULES.keys() for name in MODULES}
    entering = collections.Counter(target for targets in edges.values() for target in targets)
    free = [name for name in MODULES if not entering[name]]
    while free:  # whatever nothing imports is in no circle
        for target in edges.pop(free.pop()):
            entering[target] -= 1
            if not entering[target]:
                free.append(target)
    assert edges == {}


def test_the_tests_of_imports_see_what_they_are_to_see():
    code = """
from zoo import files
if TYPE_CHECKING:
    import tasks.ner
class A:
    import layers
    def f(self):
        from tasks import lm
"""
    seen = [ast.unparse(node) for node in statements(ast.parse(code), nested=False)]
    assert seen == ["from zoo import files", "import layers"]
    assert len(list(statements(ast.parse(code)))) == 4
    assert "tasks.ner" in PROGRAMS and "tasks.framework.training" not in PROGRAMS
    assert imported("zoo.catalog.markdown") == {"__future__", "os", "collections.abc", "zoo.files"}
    assert "zoo.catalog.verifying" in imported("zoo.__main__") - imported("zoo.__main__", False)


# --- Examples ------------------------------------------------------------------------------------


# Apache Beam need not be installed.
NEED_BEAM = {"zoo.serving.beam", "zoo.serving.scoring"}


@pytest.mark.parametrize("module", DOCUMENTED)
def test_examples_in_docstrings_run(module, tmp_path, monkeypatch):
    if module in NEED_BEAM:
        pytest.importorskip("apache_beam")
    monkeypatch.chdir(tmp_path)
    found = importlib.import_module(module)
    names = {"np": np, "tf": tf, "keras": keras, "zoo": zoo, **vars(found)}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder().find(found, extraglobs=names):
        assert runner.run(test).failed == 0, test.name


# Their examples need a server that runs.
NEED_A_SERVER = {"zoo.serving.client"}


@pytest.mark.parametrize("module", sorted(MODULES.keys() - NEED_A_SERVER))
def test_no_example_is_skipped(module):
    assert "+SKIP" not in MODULES[module].read_text("utf-8")


# --- What is installed ---------------------------------------------------------------------------


def test_the_version_is_written_once():
    assert "version" in PYPROJECT["project"]["dynamic"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "zoo.__version__"}
    assert f"\n## {zoo.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def without(environment, *names):
    return {name: value for name, value in environment.items() if name not in names}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The Python of an environment with a wheel of the tracked files, and a folder elsewhere.

    Other packages are those of the running Python; the project in its own folder is not.
    """
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    own = folder / "source" / "saved_models" / "ner_demo"
    shutil.copytree(own, own.with_name("of_ones_own"))
    (newest,) = (path for path in own.iterdir() if path.name.isdigit())
    shutil.copytree(newest, own / f"{int(newest.name) + 1}")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels")]
    subprocess.run([*pip, *build, str(folder / "source")], check=True)
    shutil.rmtree(folder / "source")
    venv.create(folder / "environment", with_pip=False)
    python = folder / "environment" / "bin" / "python"
    (wheel,) = (folder / "wheels").iterdir()
    install = ["--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*pip, *install], check=True)
    (packages,) = (folder / "environment" / "lib").glob("python*/site-packages")
    # The folder alone: .pth files in it, such as that of an editable install, are not read.
    (packages / "others.pth").write_text(f"{pathlib.Path(np.__file__).parent.parent}\n")
    (folder / "elsewhere").mkdir()

    def run(*arguments):
        return subprocess.run(
            [python, *arguments],
            cwd=folder / "elsewhere",
            env=without(os.environ, "PYTHONPATH", "TF_CPP_MIN_LOG_LEVEL"),
            capture_output=True,
            text=True,
        )

    return run


def card(name):
    return (home() / name / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_a_wheel_has_the_packages_their_data_and_the_models_of_the_zoo(installed):
    script = (
        "import importlib.metadata, importlib.util, pathlib, zoo\n"
        "for package in ('layers', 'zoo', 'tasks'):\n"
        "    folder = pathlib.Path(importlib.util.find_spec(package).origin).parent\n"
        "    assert 'environment' in folder.parts, folder\n"
        "    assert (folder / 'py.typed').exists(), folder\n"
        "models = pathlib.Path(zoo.__file__).parent / 'saved_models'\n"
        "print(sorted(path.parent.name + '/' + path.name for path in models.glob('*/[0-9]*')))\n"
        "print(sorted(path.parent.name for path in models.glob('*/*.png')))\n"
        "print(importlib.metadata.version('lecture-rnn-zoo'))\n"
    )
    done = installed("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(
            sorted(
                f"{path.parent.name}/{path.name}"
                for path in home().glob("*/[0-9]*")
                if (path.parent / "results.json").exists()  # what was trained here is no entry
            )
        ),
        str(sorted(name for name in ENTRIES if "](roll.png)" in card(name))),
        zoo.__version__,
    ]


@pytest.mark.slow
def test_a_wheel_shows_its_models_from_another_folder(installed):
    done = installed("-m", "zoo")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(" | ")[0] for line in done.stdout.splitlines()[2:]] == [
        f"| {name}" for name in sorted(ENTRIES)
    ]


@pytest.mark.slow
def test_a_wheel_loads_a_model_from_another_folder(installed):
    script = (
        "import zoo\n"
        "answer = zoo.load('ner_wikiann')('Marie Curie worked in Paris.')\n"
        "print(answer['tags'].tolist())"
    )
    done = installed("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[['B-PER', 'I-PER', 'O', 'O', 'B-LOC', 'O']]\n"


@pytest.mark.slow
def test_a_wheel_runs_a_task_from_another_folder(installed):
    predict = ["--mode=predict", "--model=ner_demo", "--text=Teddy Roosevelt smiled."]
    done = installed("-m", "tasks.ner", *predict)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Teddy" in done.stdout and "PER" in done.stdout
