"""The ``[finetune]`` table of the settings: how ``ondol finetune`` builds its data set, trains and judges.

Only the user may set these: training on a repository must not depend on what that repository asks for.
"""

from dataclasses import dataclass

from indexer.setting_fields import between, not_negative, positive, setting, share


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """The hyperparameters of the nightly job; ``docs/training.md`` explains them."""

    rank: int = setting(16, "Rank of the LoRA adapter.", check=between(1, 512))
    alpha: int = setting(
        0, "Scale of the adapter; 0 for twice the rank.", check=not_negative, shown="0 (twice the rank)"
    )
    dropout: float = setting(0.0, "Dropout of the adapter's input.", check=share)
    learning_rate: float = setting(0.0002, "Peak of the learning rate.", check=positive)
    epochs: float = setting(1.0, "How often training sees each sample; may be a fraction.", check=positive)
    tokens_per_step: int = setting(16_384, "Tokens of one optimizer step.", check=positive)
    max_length: int = setting(
        2176, "Tokens of a sample and of a packed row; longer prompts are shortened.", check=between(64, 1_000_000)
    )
    prompt_loss_weight: float = setting(0.0, "Weight of the prompt's tokens in the loss; a middle's is 1.", check=share)
    quantize: bool = setting(False, "Hold the base in 4 bits (QLoRA); needs CUDA and bitsandbytes.")
    processes: int = setting(1, "Training processes, one for each GPU; on the CPU where there is none.", check=positive)
    threads: int = setting(
        0, "Threads of a process on the CPU; 0 for all cores.", check=not_negative, shown="0 (all cores)"
    )
    max_samples: int = setting(20_000, "Largest data set, in samples.", check=positive)
    fim_share: float = setting(0.5, "Share of the samples that fill a middle; the others are documents.", check=share)
    replay_share: float = setting(0.25, "Share of the samples from code older than the new commits.", check=share)
    held_out_commits: int = setting(
        0,
        "Newest commits that only judge the adapter; 0 for a quarter of the commits, 10 to 100.",
        check=not_negative,
        shown="0 (a quarter)",
    )
    replay_cases: int = setting(400, "Cursors at which the adapter is judged.", check=between(2, 1_000_000))
    seed: int = setting(
        1, "Seed of the data set, the training, the canaries and the cursors.", check=between(0, 2**32 - 1)
    )
