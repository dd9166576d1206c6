"""The house: imports go one way and in no circle, modules and functions stay short, starts are light, nothing is left over."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("indexer", "lsp_server", "finetune")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PYTHON_FILES = [
    *MODULES,
    *(path for folder in ("tests", "scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py")),
]
HEAVY = {"torch", "transformers", "peft", "accelerate"}
TORCH_ALLOWED = {"lsp_server/backends", "finetune"}

MODULE_LINES, FUNCTION_LINES, PARAMETERS, NOQA = 400, 60, 7, 21


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    """The full name of a module; that of a package for its ``__init__.py``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}
OURS = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+")


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere: in functions and under TYPE_CHECKING too."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: imports are absolute"
            names.add(node.module)
            names |= {full for alias in node.names if (full := f"{node.module}.{alias.name}") in NAMES}
    return names


def named_in_strings(path: Path) -> set[str]:
    """The modules of ours that string constants name, docstrings aside: "a.b:c", "from a.b import c", parts of f-strings."""
    tree = tree_of(path)
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)  # docstrings, also those of attributes
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            for name in OURS.findall(node.value):
                while name not in NAMES and "." in name:
                    name = name.rpartition(".")[0]
                if name not in PACKAGES:
                    found.add(name)
    return found


def package_of(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_stands_below_it(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    above = PACKAGES[PACKAGES.index(package) + 1 :]
    assert not {name for name in imported(path) | named_in_strings(path) if package_of(name) in above}
    heavy = {name for name in imported(path) if package_of(name) in HEAVY}
    allowed = any(str(path.relative_to(ROOT)).startswith(place) for place in TORCH_ALLOWED)
    assert not heavy or allowed, heavy
    if package == "indexer":
        assert not {name for name in imported(path) if package_of(name) in ("pygls", "lsprotocol")}


def circles(graph: dict[str, set[str]]) -> set[tuple[str, ...]]:
    """The sets of nodes that reach each other, each sorted."""

    @cache
    def reached(node: str) -> frozenset[str]:
        seen, todo = set(), [node]
        while todo:
            for following in graph.get(todo.pop(), set()) - seen:
                seen.add(following)
                todo.append(following)
        return frozenset(seen)

    return {
        tuple(sorted(other for other in reached(node) if node in reached(other)))
        for node in graph
        if node in reached(node)
    }


def module_graph() -> dict[str, set[str]]:
    """Which module names which, by import or in a string.

    The table of commands in a ``cli.py`` is left out: it names the commands of its package, which may import the group.
    """
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        named = set() if path.name == "cli.py" else named_in_strings(path)
        graph[name_of(path)] = ((imported(path) | named) & NAMES) - {name_of(path)} - set(PACKAGES)
    return graph


def test_there_is_no_circle_between_modules() -> None:
    assert circles(module_graph()) == set()


def test_there_is_no_circle_between_folders() -> None:
    def folder(name: str) -> str:
        return name if name.count(".") == 1 else name.rpartition(".")[0]

    graph: dict[str, set[str]] = {}
    for name, others in module_graph().items():
        graph.setdefault(folder(name), set()).update({folder(other) for other in others} - {folder(name)})
    assert circles(graph) == set()


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"e"}}) == {("a", "b", "c"), ("e",)}


def test_packages_are_empty_files_and_modules_say_what_they_do() -> None:
    for path in MODULES:
        if path.name == "__init__.py":
            assert path.read_text() == "", path
        else:
            assert ast.get_docstring(tree_of(path)), f"{path} has no docstring"


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(path)}.{node.name}", node


def test_modules_are_short() -> None:
    long = {name_of(path) for path in MODULES if path.read_text("utf-8").count("\n") > MODULE_LINES}
    assert long == set()


def test_functions_are_short() -> None:
    """A line counts from ``def`` to the end; decorators, such as the options of a command, do not."""
    long = {
        name
        for path in MODULES
        for name, node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert long == set()


def test_functions_have_few_parameters() -> None:
    """``self`` and ``cls`` do not count.

    A command of click has as many as it has options, and a kernel of a GPU one for each array and length.
    """
    own_kinds = ("click.", ".command(", "triton.jit")
    many = set()
    for path in MODULES:
        for name, node in functions(path):
            parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = len(parameters) - (bool(parameters) and parameters[0].arg in ("self", "cls"))
            decorators = "\n".join(map(ast.unparse, node.decorator_list))
            if count > PARAMETERS and not any(kind in decorators for kind in own_kinds):
                many.add(name)
    assert many == set()


def test_the_formatter_has_its_way_and_exceptions_of_the_linter_are_few() -> None:
    lines = [line for path in PYTHON_FILES if path != Path(__file__) for line in path.read_text("utf-8").splitlines()]
    assert not [line for line in lines if re.search(r"# fmt: (skip|off)", line)]
    assert sum("# noqa" in line for line in lines) <= NOQA
    assert not [line for line in lines if re.search(r"# noqa(?!: [A-Z]+\d)", line)]


def test_no_module_is_named_after_nothing_and_none_reads_pickles() -> None:
    for path in MODULES:
        assert path.stem not in ("utils", "util", "core", "common", "helpers", "misc"), path
        assert not imported(path) & {"pickle", "shelve", "marshal", "dill", "joblib"}, path


def test_no_module_takes_the_place_of_one_of_the_standard_library() -> None:
    """A folder on ``sys.path`` with a ``types.py`` would hide Python's own module, so these four may never stand there.

    Only one file is run by its path, which puts its folder on ``sys.path``: the worker of training (by accelerate). Only
    the process of a window changes ``sys.path``: it has the installation's folder behind the standard library.
    """
    allowed = {"indexer/types", "lsp_server/types", "indexer/secrets", "indexer/repository/encodings"}
    on_path = {"finetune/training"}
    places = {path.relative_to(ROOT).with_suffix("") for path in MODULES}
    places |= {folder for place in places for folder in place.parents}
    shadowing = {place.as_posix() for place in places if place.name in sys.stdlib_module_names}
    assert shadowing == allowed
    assert not {place.rpartition("/")[0] for place in shadowing} & on_path
    changing = [path.relative_to(ROOT).as_posix() for path in MODULES if "sys.path" in path.read_text("utf-8")]
    assert changing == ["lsp_server/relay/window_process.py"]
    assert "sys.path.append(" in (ROOT / changing[0]).read_text("utf-8")
    for path in MODULES:
        text = path.read_text("utf-8")
        if "__main__" in text:
            assert path.relative_to(ROOT).parent.as_posix() in on_path, path


def test_no_test_module_imports_another() -> None:
    """What several need is a fixture in a ``conftest.py`` or a function in ``tests/support``."""
    for path in (ROOT / "tests").rglob("*.py"):
        if {"editors", "fixtures"} & set(path.parts):
            continue  # The editors' tests have their own environment; a fixture's script runs in another version.
        others = {name for name in imported(path) if name.startswith("tests.")}
        assert {name for name in others if not name.startswith("tests.support")} == set(), path
        if path.parent.name == "support":
            assert not path.name.startswith(("test_", "conftest"))
            assert ast.get_docstring(tree_of(path)), path


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (
            ["--help"],
            {
                "numpy",
                "faiss",
                "tree_sitter",
                "pygls",
                "lsprotocol",
                "tantivy",
                "tokenizers",
                "torch",
                "rich",
                "jinja2",
            },
        ),
        (["serve", "--help"], {"numpy", "faiss", "torch", "transformers", "jinja2", "rapidfuzz"}),
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
    names = [name_of(path) for path in MODULES if path.name != "__init__.py"]
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
    page = (ROOT / "docs" / "dependencies.md").read_text()
    assert not {name for name in names if f"`{name}`" not in page and not name.startswith("tree-sitter-")}


MODEL_PACKAGES = {"torch", "transformers", "peft", "accelerate", "starlette", "uvicorn", "bitsandbytes"}


def test_tests_that_need_torch_have_the_marker_that_runs_them() -> None:
    """A module that is skipped without such a package has the marker as a whole."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        needs = {
            node.value.args[0].value.partition(".")[0]
            for node in tree_of(path).body
            if isinstance(node, ast.Expr | ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "pytest.importorskip"
        }
        marks = {
            mark
            for node in tree_of(path).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
            for mark in ("model", "llamacpp")
            if f"pytest.mark.{mark}" in ast.unparse(node.value)
        }
        if needs:
            assert marks == ({"llamacpp"} if "llama_cpp" in needs else {"model"}), path
