"""The console script imports installed code only, wherever it is started and whatever `PYTHONPATH` names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.console import SCRIPT, environment
from tests.support.lsp_client import Client
from tests.support.repositories import repository

MARK = "import os, sys\nopen(os.environ['MARK'], 'a').write(__name__ + ' ' + ' '.join(sys.argv[:2]) + chr(10))\n"
MODULES = (
    "click numpy json tokenizers tantivy faiss rich pathspec platformdirs pygls logging lsprotocol httpx2 typing torch "
    "kingfisher utils config threadpoolctl jinja2"
).split()
PACKAGES = ("indexer", "lsp_server", "finetune", "multiprocessing", "asyncio", "ondol", "tests")


def everyday(root: Path) -> Path:
    """A repository whose modules have everyday names; each writes its name into a file when it is run."""
    files = {f"{name}.py": MARK for name in (*MODULES, "sitecustomize", "usercustomize")}
    files |= {f"{name}/__init__.py": MARK for name in PACKAGES}
    files["src/code.py"] = "def feed_walrus(fish):\n    return fish * 2\n"
    return repository(root, files)


def started(tmp_path: Path, root: Path, pythonpath: str) -> dict[str, str]:
    return environment(tmp_path, PYTHONPATH=pythonpath, MARK=str(tmp_path / "mark"))


def ran(tmp_path: Path) -> list[str]:
    """The modules of the repository that ran, without what Python itself runs before any script."""
    mark = tmp_path / "mark"
    lines = mark.read_text().splitlines() if mark.exists() else []
    return [line for line in lines if line.split()[0] not in ("sitecustomize", "usercustomize")]


@pytest.mark.parametrize("pythonpath", ["{root}", "", ":{root}:", ".", "{root}/../repo", "{link}"])
def test_no_command_runs_the_repositorys_modules(tmp_path: Path, pythonpath: str) -> None:
    root = everyday(tmp_path / "repo")
    (tmp_path / "link").symlink_to(root)
    env = started(tmp_path, root, pythonpath.format(root=root, link=tmp_path / "link"))
    for arguments in (["index"], ["search", "feed_walrus"]):
        done = subprocess.run([SCRIPT, *arguments], cwd=root, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "walrus" in done.stdout
    assert ran(tmp_path) == []


@pytest.mark.parametrize("command", [["-m", "ondol_start"], ["-c", "from ondol_start import main; main()"]])
def test_the_module_may_be_run_from_a_repository(tmp_path: Path, command: list[str]) -> None:
    root = everyday(tmp_path / "repo")
    env = started(tmp_path, root, str(root))
    done = subprocess.run([sys.executable, *command, "--version"], cwd=root, env=env, capture_output=True, text=True)
    assert done.stdout.startswith("ondol "), done.stderr
    assert ran(tmp_path) == []


@pytest.mark.slow
def test_the_server_and_its_children_do_not_either(tmp_path: Path) -> None:
    root = everyday(tmp_path / "repo")
    with Client([str(SCRIPT), "serve"], cwd=root, env=started(tmp_path, root, str(root))) as client:
        client.initialize([root])
        client.wait_state("ready")
    assert ran(tmp_path) == []
    customized = (tmp_path / "mark").read_text().split("\n")
    assert [line for line in customized if line and "serve" not in line] == []  # the children did not see PYTHONPATH


def test_paths_that_hold_installed_code_stay(tmp_path: Path) -> None:
    shown = "import ondol_start, sys, os; ondol_start.use_installed_code_only(); print(sys.path, os.environ.get('PYTHONPATH'))"
    kept, dropped = tmp_path / "lib/site-packages", tmp_path / "repo"
    for folder in (kept, dropped):
        folder.mkdir(parents=True)
    env = {**os.environ, "PYTHONPATH": f"{kept}{os.pathsep}{dropped}"}
    done = subprocess.run(
        [sys.executable, "-c", shown], env=env, cwd=dropped, capture_output=True, text=True, check=True
    )
    assert str(kept) in done.stdout
    assert str(dropped) not in done.stdout
