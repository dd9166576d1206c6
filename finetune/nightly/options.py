"""The options of a nightly job, from the command line and from the ``[finetune]`` table of the settings."""

from dataclasses import dataclass, field
from typing import Any

from finetune.dataset.commit_range import DatasetOptions
from finetune.nightly.commit_split import PlanOptions
from finetune.training.options import TrainingOptions
from indexer.finetune_settings import FinetuneSettings


@dataclass(frozen=True, slots=True)
class NightlyOptions:
    """What a nightly job does.

    :param commits: which commits it trains on and judges by.
    :param from_current: continue from the current adapter instead of the base.
    :param max_minutes: limit for the whole run: data set, training and replay. None for no limit.
    :param cases: number of cursors in the replay; a limited run may take fewer.
    :param seed: seed of the data set, the training, the canaries and the cursors.
    :param dataset_only: stop when the data set is written.
    :param promote: False keeps even a better adapter back.
    """

    commits: PlanOptions = field(default_factory=PlanOptions)
    from_current: bool = False
    max_minutes: float | None = None
    cases: int = 400
    seed: int = 1
    dataset_only: bool = False
    promote: bool = True
    dataset: DatasetOptions = field(default_factory=DatasetOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)


def nightly_options(
    settings: FinetuneSettings, *, since: str | None = None, min_commits: int = 10, **options: Any
) -> NightlyOptions:
    """Return the options of a job.

    :param options: the other fields of ``NightlyOptions`` that the command line sets.
    """
    return NightlyOptions(
        commits=PlanOptions(since, min_commits, settings.held_out_commits or None),
        cases=settings.replay_cases,
        seed=settings.seed,
        dataset=DatasetOptions(
            replay_share=settings.replay_share,
            fim_share=settings.fim_share,
            max_samples=settings.max_samples,
            max_tokens=settings.max_length,
        ),
        training=TrainingOptions(
            rank=settings.rank,
            alpha=settings.alpha or 2 * settings.rank,
            dropout=settings.dropout,
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            tokens_per_step=settings.tokens_per_step,
            max_length=settings.max_length,
            prompt_loss_weight=settings.prompt_loss_weight,
            quantize=settings.quantize,
            processes=settings.processes,
            threads=settings.threads or None,
        ),
        **options,
    )
