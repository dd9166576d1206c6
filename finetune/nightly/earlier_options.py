"""Options that ``ondol finetune`` no longer has: the command accepts them only to say where each went."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

MOVED: Final = {
    "--held-out": "held_out_commits",
    "--cases": "replay_cases",
    "--replay-share": "replay_share",
    "--fim-share": "fim_share",
    "--max-samples": "max_samples",
    "--rank": "rank",
    "--alpha": "alpha",
    "--learning-rate": "learning_rate",
    "--epochs": "epochs",
    "--left-weight": "prompt_loss_weight",
    "--max-length": "max_length",
    "--tokens-per-step": "tokens_per_step",
    "--processes": "processes",
    "--threads": "threads",
    "--quantize": "quantize",
    "--seed": "seed",
}
"""Options of an earlier ``ondol finetune`` -> the setting of the ``[finetune]`` table that each became."""

RENAMED: Final = {"--least": "--min-commits"}
"""Options of an earlier ``ondol finetune`` -> the option that each became."""


def where_options_went(given: Mapping[str, str], config_file: object) -> str:
    """Return one sentence that says where moved and renamed options went, with the values that were given.

    :param given: option -> value as text; all of them in ``MOVED`` or ``RENAMED``.
    :param config_file: path of the user's ``ondol.toml``.
    """
    moved = [option for option in MOVED if option in given]
    parts = []
    if moved:
        lines = ", ".join(f"{MOVED[option]} = {given[option]}" for option in moved)
        parts.append(f"{' and '.join(moved)} moved to the [finetune] table of {config_file}: {lines}")
    parts += [f"{old} is now {new}; write {new} {given[old]}" for old, new in RENAMED.items() if old in given]
    return "; ".join(parts)


def earlier_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an earlier version to a command, hidden; ``given_options`` reads them."""
    for option in (*MOVED, *RENAMED):
        kind: dict[str, Any] = {"is_flag": True, "flag_value": "true"} if option == "--quantize" else {"type": str}
        command = click.option(option, hidden=True, **kind)(command)
    return command


def given_options(values: Mapping[str, str | None]) -> dict[str, str]:
    """Return option -> value of the earlier options that were given, from a command's arguments."""
    return {f"--{name.replace('_', '-')}": value for name, value in values.items() if value is not None}
