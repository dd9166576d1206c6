"""``ondol finetune --teach-fim`` on a base without fill-in-the-middle tokens: tokens, rows, LoRA, a base of its own."""

import json
import os
import signal
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: teaching a base is NOT tested")
pytest.importorskip("peft", reason="peft is not installed: teaching a base is NOT tested")

from finetune.commits.stages import SILENT
from finetune.dataset.commit_range import DatasetOptions
from finetune.dataset.samples import RawSample
from finetune.evaluation.stopping import stopped_by_signals
from finetune.nightly.options import NightlyOptions
from finetune.nightly.report import Report
from finetune.nightly.teach import BEGUN, Skill, _Begun, _Teaching, teach
from finetune.teaching.sources import installed_texts, is_permissive
from finetune.teaching.taught_base import INPUT, OUTPUT, finished, with_new_tokens
from finetune.training.options import NEW_ROWS, TrainingOptions
from finetune.training.train import train
from indexer.config import Settings
from indexer.errors import UserError
from indexer.prompt.formats import LEFT_TO_RIGHT
from lsp_server.weights.base_model import open_folder
from tests.support import console
from tests.support.commit_histories import growing
from tests.support.models import write_folder
from tests.support.training_sets import made_set

pytestmark = [pytest.mark.model]
CONTROLS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>")


def plain_base(folder: Path, **changes: Any) -> Path:
    """A random base whose tokenizer has no token for middles."""
    write_folder(folder, **changes)
    config = json.loads((folder / "config.json").read_text())
    del config["ondol_prompt_spec"]
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if one["content"] not in CONTROLS]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert open_folder(folder).spec is LEFT_TO_RIGHT
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_only_the_new_rows_and_the_matrices_of_the_adapter_change(tmp_path: Path, tied: bool) -> None:
    from safetensors.torch import load_file

    base = open_folder(plain_base(tmp_path / "base", tie_word_embeddings=tied, initializer_range=0.08))
    grown, out = tmp_path / "grown", tmp_path / "out"
    added = with_new_tokens(base, grown)
    assert len(added) == 4 and min(added) >= base.vocabulary.size
    folder = open_folder(grown)
    assert (folder.spec.name, folder.note) == ("small-llama", None)
    options = TrainingOptions(
        rank=4, tokens_per_step=256, max_length=256, learning_rate=5e-3, new_tokens=added, threads=1
    )
    result = train(grown, made_set(grown, tmp_path / "set", count=24), out, options)
    assert result.loss_last < result.loss_first
    rows = load_file(out / NEW_ROWS)
    assert set(rows) == ({INPUT} if tied else {INPUT, OUTPUT})
    before = load_file(grown / "model.safetensors")
    words = base.vocabulary.encode("suffix")
    suffix = open_folder(grown).vocabulary.control("<|fim_suffix|>")
    assert torch.allclose(before[INPUT][suffix].float(), before[INPUT][words].float().mean(dim=0), atol=1e-2)
    assert len({tuple(row.tolist()) for row in before[INPUT][list(added)]}) == len(added)
    assert not torch.equal(rows[INPUT], before[INPUT][list(added)].float())
    finished(grown, out, rows, added, tmp_path / "taught")
    after = load_file(tmp_path / "taught" / "model.safetensors")
    first = min(added)
    assert torch.equal(after[INPUT][:first], before[INPUT][:first])
    assert torch.allclose(after[INPUT][first:].float(), rows[INPUT], atol=1e-2)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {name for name in changed if "layers" in name} == {name for name in before if "_proj" in name}
    assert open_folder(tmp_path / "taught").identity != folder.identity


def test_an_interrupted_training_keeps_the_new_rows(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    grown = tmp_path / "grown"
    added = with_new_tokens(open_folder(plain_base(tmp_path / "base", initializer_range=0.08)), grown)
    data = made_set(grown, tmp_path / "set", count=24)
    options = TrainingOptions(
        rank=4, tokens_per_step=256, max_length=256, new_tokens=added, threads=1, checkpoint_minutes=0.0
    )
    train(grown, data, tmp_path / "whole", options)

    def stop(step: Any) -> None:
        if step.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(grown, data, tmp_path / "parts", options, None, stop)
    train(grown, data, tmp_path / "parts", options)
    one, other = (load_file(tmp_path / name / NEW_ROWS) for name in ("whole", "parts"))
    assert torch.equal(one[INPUT], other[INPUT])


def test_tokens_that_the_base_has_without_the_format_are_trained_too(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    del config["ondol_prompt_spec"]
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if one["content"] not in CONTROLS[2:]]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    base = open_folder(folder)
    tokens = with_new_tokens(base, tmp_path / "grown")
    kept = sorted(base.vocabulary.control(name) or 0 for name in CONTROLS[:2])
    assert list(tokens[:2]) == kept and len(tokens) == 4
    assert min(tokens[2:]) >= base.vocabulary.size


def test_a_base_that_fills_middles_is_refused(tmp_path: Path) -> None:
    base = open_folder(write_folder(tmp_path / "base"))
    with pytest.raises(UserError, match="fills middles already"):
        with_new_tokens(base, tmp_path / "grown")
    assert not (tmp_path / "grown").exists()


def test_only_packages_with_permissive_licences_are_read() -> None:
    from email.message import Message

    def about(**fields: str) -> Any:
        message = Message()
        for name, value in fields.items():
            message[name.replace("_", "-")] = value
        return message

    assert is_permissive(about(License_Expression="MIT"))
    assert is_permissive(about(Classifier="License :: OSI Approved :: BSD License"))
    assert not is_permissive(about(License="GPL-3.0"))
    assert not is_permissive(about(License_Expression="MIT OR LGPL-2.1"))
    assert not is_permissive(about())
    path, text = next(installed_texts(Settings(), 1))
    assert path and text.strip()


@pytest.mark.slow
def test_the_command_reports_what_was_learnt_and_changes_nothing_that_serves(tmp_path: Path) -> None:
    root, base, data = growing(tmp_path / "repo", 4, files=8), plain_base(tmp_path / "base"), tmp_path / "data"
    few = {"max_samples": 60, "max_length": 512, "rank": 4, "threads": 1}
    chosen = {f"ONDOL_FINETUNE_{name.upper()}": str(value) for name, value in few.items()}
    command = [console.SCRIPT, "finetune", root, "--teach-fim", "--base", base, "--json", "--data-dir", data]
    environment = {**os.environ, **chosen, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "kept", "a random model learns nothing in four steps"
    assert report["summary"].startswith("not taught: fewer than 50% of the middles end (")
    assert report["skill"]["before"]["count"] == report["skill"]["after"]["count"] > 0
    assert report["taught_on"]["samples"] > 10
    assert not list(data.glob("repositories/*/bases/*")) and not list(data.glob("repositories/*/night/teaching"))
    assert Path(report["files"]["json"]).is_file()


def test_a_run_that_a_signal_ends_says_how_far_it_came_and_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = growing(tmp_path / "repo", 4, files=8)
    settings = Settings(
        data_dir=tmp_path / "data",
        backend="local",
        base_model=str(plain_base(tmp_path / "base", initializer_range=0.08)),
    )
    options = NightlyOptions(
        dataset=DatasetOptions(max_samples=40),
        training=TrainingOptions(rank=4, max_length=256, tokens_per_step=512, checkpoint_minutes=0.0, threads=1),
    )
    reported = _Teaching._report_step

    def stop(self: Any, step: Any) -> None:
        reported(self, step)
        if step.step == 3:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched, stopped_by_signals():
        patched.setattr(_Teaching, "_report_step", stop)
        report = teach(root, settings, options)
    assert (report["status"], report["exit_code"]) == ("stopped", 143)
    assert report["reached"]["step"] == 3 and report["skill"]["before"]["count"] > 0
    assert report["taught_on"]["samples"] > 0
    monkeypatch.setattr(_Teaching, "_build", lambda *given: pytest.fail("the data set is made again"))
    steps = list[int]()
    monkeypatch.setattr(_Teaching, "_report_step", lambda self, step: steps.append(step.step))
    again = teach(root, settings, options)
    assert again["status"] == "kept" and again["skill"]["before"] == report["skill"]["before"]
    assert min(steps) in (3, 4)  # a step is reported before its checkpoint is written


def test_a_run_with_other_options_begins_anew(tmp_path: Path) -> None:
    root = growing(tmp_path / "repo", 4, files=8)
    settings = Settings(data_dir=tmp_path / "data", backend="local", base_model=str(plain_base(tmp_path / "base")))
    report = Report(root)
    one, longer, other = (
        _Teaching(root, settings, options, report, SILENT, lambda sentence: None)
        for options in (NightlyOptions(), NightlyOptions(max_minutes=40.0), NightlyOptions(seed=2))
    )
    one.work.mkdir(parents=True)
    begun = _Begun(one._key(), (7,), [RawSample("node", "a.py", "x = 1", 0, 1)], Skill(0.5, 0.25, 4), {})
    (one.work / BEGUN).write_text(json.dumps(asdict(begun)))
    assert one._begun() == longer._begun() == begun
    assert other._begun() is None
    (one.work / BEGUN).write_text("{")
    assert one._begun() is None
