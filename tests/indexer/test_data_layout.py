"""Where data lives: one module knows the names, and a work folder is gone afterwards."""

import ast
from pathlib import Path

import pytest

from indexer.config import Settings
from indexer.data_layout import STATS, TRACES, records_file, repository_path, settings_inside, work_directory

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
