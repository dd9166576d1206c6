"""Systems with a model: the real command with a tiny random model, and the commits that an adapter may be judged on."""

from dataclasses import replace
from pathlib import Path

import pytest

from finetune.evaluation.systems import make_system
from indexer.config import Settings
from indexer.data_layout import registry_directory
from indexer.errors import UserError
from tests.support import commit_histories, repositories
from tests.support.adapters import tiny_base, write_version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return commit_histories.growing(tmp_path / "r", 3)


def settings(tmp_path: Path, base: Path | str = "") -> Settings:
    return Settings(data_dir=tmp_path / "data", workers=1, base_model=str(base))


def test_a_missing_base_is_one_sentence(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no base model is set"):
        make_system("base", settings(tmp_path), root, None)
    done = commit_histories.evaluate(root, tmp_path / "data", "--system", "base", "--base", tmp_path / "absent")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "there is no model " in done.stderr


def test_an_adapter_is_not_judged_on_what_it_has_seen(root: Path, tmp_path: Path) -> None:
    """The check comes before the weights are loaded, so it needs no torch."""
    base = tiny_base(tmp_path / "base")
    ours = settings(tmp_path, base.path)
    first, second, third, head = repositories.git(root, "rev-list", "--reverse", "HEAD").split()
    with pytest.raises(UserError, match="has no adapter yet"):
        make_system("adapter", ours, root, second)
    registry = registry_directory(ours, root)
    write_version(registry, 1, base, manifest={"commits": {"newest": third}})
    with pytest.raises(UserError, match=f"version 1 has seen commits up to {third[:12]}"):
        make_system("adapter", ours, root, second)
    with pytest.raises(UserError, match="it is not known"):  # files held out: anything may have been seen
        make_system("adapter", ours, root, None)
    write_version(registry, 2, base)
    with pytest.raises(UserError, match="which of the replayed code adapter version 2 has seen"):
        make_system("adapter_with_retrieval", ours, root, third)
    write_version(registry, 3, base, manifest={"commits": {"newest": "0" * 40}})
    with pytest.raises(UserError, match="commits that no longer exist"):
        make_system("hybrid_adapter", ours, root, third)
    with pytest.raises(UserError, match="a remote server loads adapters itself"):
        make_system("adapter", replace(ours, backend="remote"), root, third)
    assert first != head


def test_the_option_adapter_needs_a_system_with_an_adapter(root: Path, tmp_path: Path) -> None:
    done = commit_histories.evaluate(root, tmp_path / "data", "--system", "base", "--adapter", "1")
    assert done.returncode == 2
    assert "--adapter needs one of the systems adapter, adapter_with_retrieval, hybrid_adapter" in done.stderr


@pytest.mark.model
def test_the_command_replays_models_with_and_without_adapter(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: systems with a local model are NOT tested")
    from lsp_server.weights.base_model import open_folder
    from tests.support.models import write_folder

    folder = write_folder(tmp_path / "base")
    base = open_folder(folder)
    old = repositories.git(root, "rev-list", "--max-parents=0", "HEAD").strip()
    ours = settings(tmp_path)
    write_version(registry_directory(ours, root), 1, base, manifest={"commits": {"newest": old}})
    plain = write_version(tmp_path / "aside", 1, base)
    (plain / "manifest.json").unlink()
    names = ["base", "hybrid_adapter"]
    options = ["--cases", "4", "--windows", "1", "--base", folder]
    options += ["--system", "base", "--arm", "copier_and_adapter"]  # the option and the name of the version before
    report = commit_histories.report(root, tmp_path / "data", *options)
    assert list(report["systems"]) == report["asked"]["systems"] == names
    made = report["engines"]
    assert [made[name]["context"] for name in names] == ["none", "from the index"]
    assert [made[name]["adapter"] for name in names] == ["", "1"]
    assert {about["waits"] for about in made.values()} == {"as long as it takes"}
    candidate = make_system("adapter_with_retrieval", settings(tmp_path, folder), root, None, plain)
    assert candidate.about["adapter"] == "1"  # the folder's name
    candidate.engine.stop()  # type: ignore[attr-defined]
