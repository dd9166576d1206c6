"""The house: one direction of imports, empty packages, light starts, no leftovers."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("indexer", "lsp_server", "finetune")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HEAVY = {"torch", "transformers", "peft", "accelerate"}
TORCH_ALLOWED = {"lsp_server/backends", "finetune"}


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere, by full name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_stands_below_it(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    above = PACKAGES[PACKAGES.index(package) + 1 :]
    assert not {name for name in imported(path) if name.split(".")[0] in above}
    heavy = {name for name in imported(path) if name.split(".")[0] in HEAVY}
    allowed = any(str(path.relative_to(ROOT)).startswith(place) for place in TORCH_ALLOWED)
    assert not heavy or allowed, heavy
    if package == "indexer":
        assert not {name for name in imported(path) if name.split(".")[0] in ("pygls", "lsprotocol")}


def test_packages_are_empty_files_and_modules_say_what_they_do() -> None:
    for path in MODULES:
        if path.name == "__init__.py":
            assert path.read_text() == "", path
        else:
            assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{path} has no docstring"


def test_no_catch_all_modules_and_no_pickle() -> None:
    for path in MODULES:
        assert path.stem not in ("utils", "util", "core", "common", "helpers", "misc"), path
        assert not imported(path) & {"pickle", "shelve", "marshal", "dill", "joblib"}, path


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (
            ["--help"],
            {"numpy", "faiss", "tree_sitter", "pygls", "lsprotocol", "tantivy", "tokenizers", "torch", "rich"},
        ),
        (["serve", "--help"], {"numpy", "faiss", "torch", "transformers"}),
        (["eval", "--help"], {"torch", "transformers", "peft"}),
    ],
)
def test_commands_import_no_more_than_they_need(arguments: list[str], forbidden: set[str]) -> None:
    probe = (
        "import sys, atexit, json\n"
        f"sys.argv = ['ondol', *{arguments!r}]\n"
        "atexit.register(lambda: print('MODULES', ' '.join({name.split('.')[0] for name in sys.modules})))\n"
        "from finetune.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    modules = set(re.search(r"^MODULES (.*)$", done.stdout, re.MULTILINE)[1].split())
    assert not modules & forbidden


def test_importing_a_module_does_nothing() -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES if path.name != "__init__.py"]
    light = [name for name in names if not name.startswith(("finetune", "lsp_server.backends"))]
    probe = (
        "import importlib, threading, sys\n"
        f"for name in {light!r}:\n    importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", probe], capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    names = {re.match(r"[\w.-]+", one)[0] for one in wanted} - {project["name"]}
    told = (ROOT / "docs" / "dependencies.md").read_text()
    assert not {name for name in names if f"`{name}`" not in told and not name.startswith("tree-sitter-")}
