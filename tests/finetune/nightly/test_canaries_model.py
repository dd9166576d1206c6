"""Canaries on a real model: one that memorised them is found out, and the report does not show their text."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: that canaries come out is NOT tested")
pytest.importorskip("peft", reason="peft is not installed: that canaries come out is NOT tested")

from finetune.dataset.build import Manifest
from finetune.dataset.shards import write_manifest
from finetune.nightly import canaries, replay
from finetune.training.options import TrainingOptions
from finetune.training.train import train
from indexer.prompt.renderer import PROMPT_FORMAT
from lsp_server.weights.base_model import open_folder
from tests.support import indexes

pytestmark = [pytest.mark.model, pytest.mark.slow]
BASE = Path(__file__).parents[2] / "fixtures" / "small_llama"
SEED = 5


@pytest.mark.parametrize(("epochs", "out"), [(40, True), (1, False)])
def test_what_is_learnt_by_heart_comes_out(epochs: int, out: bool, tmp_path: Path) -> None:
    base = open_folder(BASE)
    (tmp_path / "empty").mkdir()
    empty = Manifest(
        commits=0,
        samples=0,
        tokens=0,
        left_out={},
        languages={},
        sha256="",
        paths={},
        until="0" * 40,
        base=base.identity,
        prompt={"format": PROMPT_FORMAT, "spec": base.spec.name},
    )
    write_manifest(tmp_path / "empty", empty.to_json())
    canaries.plant(tmp_path / "empty", tmp_path / "set", canaries.make(SEED), base)
    options = TrainingOptions(
        rank=64, alpha=128, learning_rate=5e-3, epochs=epochs, tokens_per_step=600, max_length=512
    )
    train(BASE, tmp_path / "set", tmp_path / "adapter", options)
    settings = indexes.settings(tmp_path / "data", backend="local", base_model=str(BASE))
    found = replay._leaks(settings, tmp_path / "adapter", SEED)
    assert bool(found) == out, found
    assert all(one.startswith("it reproduced ") and one.endswith(" canaries") for one in found)
