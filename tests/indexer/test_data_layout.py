"""Where data lives: one module knows the names, and a work folder is gone afterwards."""

import ast
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from indexer.config import Settings
from indexer.data_layout import STATS, TRACES, records_file, repository_path, settings_inside, work_directory
from tests.support import commit_histories, console
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
OWNER = ROOT / "indexer" / "data_layout.py"


def joined_names(path: Path) -> set[str]:
    """The fixed names that a module joins to a path with ``/``; names below the package's own ``data`` aside."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
            continue
        below_package_data = isinstance(node.left, ast.BinOp) and getattr(node.left.right, "value", None) == "data"
        if isinstance(node.right, ast.Constant) and isinstance(node.right.value, str) and not below_package_data:
            names.add(node.right.value)
    return names


def test_no_other_module_joins_the_names_of_the_data_layout() -> None:
    owned = joined_names(OWNER) - {"data"} | {TRACES, STATS, "nights", "traces.jsonl"}
    assert {"repositories", "index", "registry", "gate.json", "night", "night.lock", "loose", "CURRENT"} <= owned
    modules = [path for package in ("indexer", "lsp_server", "finetune") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): joined_names(path) & owned for path in modules if path != OWNER}
    assert not {path: names for path, names in found.items() if names}
    strings = {TRACES, STATS, "loose", "nights", "night.lock"}
    for path in modules:
        held = {getattr(node, "value", None) for node in ast.walk(ast.parse(path.read_text("utf-8")))}
        assert path == OWNER or not strings & {value for value in held if isinstance(value, str)}, path


def test_records_lie_in_the_repositorys_folder_or_outside_any(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    assert records_file(settings, tmp_path / "shop", TRACES) == repository_path(settings, tmp_path / "shop") / TRACES
    outside = records_file(settings, None, STATS)
    assert outside == tmp_path / "data" / "loose" / STATS
    assert outside.parent.is_dir()


def test_a_work_folder_is_removed_also_after_an_error(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    with pytest.raises(ZeroDivisionError), work_directory(settings, "eval") as folder:
        assert settings_inside(settings, folder).data_dir.parent == folder
        assert folder.name.startswith("eval-")
        raise ZeroDivisionError
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_what_a_killed_command_left_goes_with_the_next_update_and_nothing_else(tmp_path: Path) -> None:
    root, data = commit_histories.growing(tmp_path / "repo", 8), tmp_path / "data"
    command = [console.SCRIPT, "eval", root, "--commits", "4", "--cases", "200", "--data-dir", data]
    killed, running = (subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in "12")
    try:
        eventually(lambda: len(list(data.glob("eval-*/repo/src"))) == 2)
        running.send_signal(signal.SIGSTOP)
        killed.kill()
        killed.wait()
        mine = data / "eval-notes123"
        mine.mkdir()
        before = set(data.glob("eval-*"))
        assert console.run("index", root, data=data).returncode == 0
        assert len(before - set(data.glob("eval-*"))) == 1
        assert mine in data.glob("eval-*")
    finally:
        running.send_signal(signal.SIGCONT)
        assert running.wait() == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_folders_and_caches_are_the_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    root = commit_histories.growing(tmp_path / "repo", 2)
    places = {"XDG_CACHE_HOME": str(tmp_path / "c" / "cache"), "ONDOL_DATA_DIR": str(tmp_path / "d" / "data" / "ondol")}
    before = os.umask(0)
    try:
        assert console.run("index", root, env=places).returncode == 0
    finally:
        os.umask(before)
    for top in ("c", "d"):
        assert stat.S_IMODE((tmp_path / top).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "c" / "cache" / "ondol").stat().st_mode) == 0o700
