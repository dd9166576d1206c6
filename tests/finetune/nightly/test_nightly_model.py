"""Whole nightly runs on the CPU: from commits to a version that is promoted or kept back, with every system."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: whole nightly runs are NOT tested")
pytest.importorskip("peft", reason="peft is not installed: whole nightly runs are NOT tested")

from finetune.dataset.commit_range import DatasetOptions
from finetune.nightly import promotion, replay
from finetune.nightly.commit_split import PlanOptions
from finetune.nightly.job import run_nightly_job
from finetune.nightly.options import NightlyOptions
from finetune.training.options import TrainingOptions
from indexer.data_layout import registry_directory
from lsp_server.weights import adapter_registry_writer
from lsp_server.weights.adapter_registry import current_number
from lsp_server.weights.base_model import open_folder
from tests.support import console, indexes, repositories
from tests.support.commit_histories import commit, growing
from tests.support.models import write_folder, write_split_folder

pytestmark = [pytest.mark.model, pytest.mark.slow]

SYSTEMS = {
    "retrieval",
    "base",
    "base+retrieval",
    "adapter",
    "adapter+retrieval",
    "copier+serving",
    "copier+adapter",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model: it writes nonsense before and after training."""
    return write_folder(tmp_path_factory.mktemp("models") / "base")


def finetune(root: Path, data: Path, base: Path, *options: str, **settings: int) -> Any:
    """The real command, small enough for a test."""
    few = {"held_out_commits": 6, "replay_cases": 8, "max_samples": 40, "max_length": 512, "rank": 4, **settings}
    command = [console.SCRIPT, "finetune", root, "--base", base, *options, "--data-dir", data]
    chosen = {f"ONDOL_FINETUNE_{name.upper()}": str(value) for name, value in few.items()}
    environment = {**os.environ, **chosen, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def test_a_run_trains_replays_every_system_and_keeps_back_what_is_no_better(tmp_path: Path, base: Path) -> None:
    root, data = growing(tmp_path / "repo", 20, files=8), tmp_path / "data"
    before = (
        repositories.git(root, "rev-parse", "HEAD"),
        repositories.git(root, "status", "--porcelain", "--ignored"),
    )
    done = finetune(root, data, base, "--json", processes=2, threads=1)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    report = json.loads(done.stdout)
    assert (report["training"]["processes"], report["training"]["options"]["threads"]) == (2, 1)
    assert report["status"] == "kept", report["reasons"]
    assert any("not clearly better than the base with retrieval" in one for one in report["reasons"])
    assert set(report["replay"]["systems"]) == SYSTEMS
    assert report["training"]["steps"] >= 1
    assert all(arm["overall"]["exact"]["count"] == 8 for arm in report["replay"]["systems"].values())
    assert (
        repositories.git(root, "rev-parse", "HEAD"),
        repositories.git(root, "status", "--porcelain", "--ignored"),
    ) == before
    where = registry_directory(indexes.settings(data), root)
    version = adapter_registry_writer.versions(where)[-1]
    adapter_registry_writer.verify(where, version.number, open_folder(base))
    assert (current_number(where), version.field("verdict")) == (None, "kept")
    assert version.newest == report["commits"]["newest"]
    assert adapter_registry_writer.seen(version)
    text = Path(report["files"]["md"]).read_text()
    assert "| new adapter, with retrieval |" in text
    assert "def " not in text
    again = finetune(root, data, base)
    assert again.stdout.startswith("repo: too few changes: 0 commits are new since the last nightly run, 10 are needed")
    forced = finetune(root, data, base, "--since", "HEAD~12", "--no-promote", "--max-minutes", "0.5")
    assert forced.returncode == 0, forced.stderr
    plan, verdict, *_ = forced.stdout.splitlines()
    assert plan.startswith("repo: 40 samples and 8 cursors ") and ", done by " in plan
    assert ", not promoted: " in verdict
    assert adapter_registry_writer.versions(where)[-1].number == 2


def test_a_run_with_a_gguf_file_trains_on_it_and_replays_on_llama_cpp(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: runs with a GGUF base are NOT tested")
    pytest.importorskip("gguf", reason="gguf is not installed: runs with a GGUF base are NOT tested")
    from lsp_server.weights.gguf_writer import write_model

    file = tmp_path / "model.f16.gguf"
    write_model(open_folder(write_split_folder(tmp_path / "plain")), file)
    root, data = growing(tmp_path / "repo", 20, files=8), tmp_path / "data"
    done = finetune(root, data, file, "--json", "--max-minutes", "3", threads=1)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "kept", report["reasons"]
    engines = report["replay"]["engines"]
    assert all(one["runs_on"].startswith("llama.cpp") for name, one in engines.items() if name != "retrieval")
    assert engines["adapter+retrieval"]["adapter"] and not engines["base+retrieval"]["adapter"]
    where = registry_directory(indexes.settings(data), root)
    adapter_registry_writer.verify(where, 1, open_folder(file))


def test_a_better_adapter_is_promoted_and_the_next_run_compares_with_it(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, data = growing(tmp_path / "repo", 20, files=8), tmp_path / "data"
    settings = indexes.settings(data, base_model=str(base))
    options = NightlyOptions(
        PlanOptions(held_out=6, min_commits=2),
        cases=16,
        dataset=DatasetOptions(max_samples=20),
        training=TrainingOptions(rank=4, max_length=512),
    )
    monkeypatch.setattr(promotion, "LEAST_CASES", 8)  # a test has no time for more
    monkeypatch.setattr(promotion, "LEAST_FILES", 4)
    judged = replay._replay
    better = "adapter+retrieval"

    def as_if(*args: Any) -> Any:
        """A replay in which one arm is right everywhere: what a random model cannot be."""
        outcomes, about, stopped = judged(*args)
        outcomes[better] = [replace(one, exact=True, first_ms=1.0, model_ms=1.0) for one in outcomes[better]]
        return outcomes, about, stopped

    monkeypatch.setattr(replay, "_replay", as_if)
    first = run_nightly_job(root, settings, options)
    where = registry_directory(settings, root)
    assert (first["status"], first["version"], current_number(where)) == ("promoted", 1, 1), first["reasons"]
    assert first["summary"].endswith("over the base with retrieval")
    for number in range(4):
        commit(root, {f"src/area0/module_{number * 2}.py": f"def added_{number}(store):\n    return store\n" * 4})
    monkeypatch.setattr(replay, "_replay", judged)
    second = run_nightly_job(root, settings, options)
    assert (second["status"], current_number(where)) == ("kept", 1)
    assert second["commits"]["since"] == first["commits"]["newest"]
    assert set(second["replay"]["systems"]) == SYSTEMS | {"serving"}
    assert any("the current adapter" in one for one in second["reasons"])
