"""The stored forms of training options, with the names of an earlier version."""

from dataclasses import asdict

import pytest

from finetune.training.options import TrainingOptions

EARLIER = {
    "rank": 16,
    "alpha": 32,
    "dropout": 0.0,
    "learning_rate": 2e-4,
    "warmup_share": 0.05,
    "weight_decay": 0.0,
    "epochs": 1.0,
    "tokens_per_step": 16_384,
    "max_length": 2176,
    "rows_per_batch": 4,
    "max_minutes": None,
    "seed": 0,
    "left_weight": 0.25,
    "quantize": False,
    "checkpoint_minutes": 5.0,
    "gradient_checkpointing": None,
    "threads": None,
    "processes": 1,
}
"""Options as the version before wrote them."""


def test_options_of_an_earlier_version_are_read() -> None:
    options = TrainingOptions(prompt_loss_weight=0.25)
    assert TrainingOptions.from_stored(EARLIER) == options
    assert TrainingOptions.from_stored(asdict(options)) == options
    with pytest.raises(TypeError):
        TrainingOptions.from_stored({"nonsense": 1})


def test_an_interrupted_run_of_an_earlier_version_has_the_same_identity() -> None:
    assert TrainingOptions(prompt_loss_weight=0.25).identity() == EARLIER
