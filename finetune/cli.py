"""The command line of the console script ``ondol``, which ``ondol_start`` runs: the commands of all three packages."""

from typing import Final

from indexer.cli import command_line
from lsp_server import cli

COMMANDS: Final = {
    "demo": ("finetune.evaluation.demo_command:demo", "Type lines of the last commits again and show what is saved."),
    **cli.COMMANDS,
    "eval": ("finetune.evaluation.command:evaluate", "Replay commits: what the completions would have done."),
    "finetune": ("finetune.nightly.command:finetune", "Make the model better from the newest commits, e.g. from cron."),
    "models": ("finetune.adapters.command:models", "List, show, promote, roll back and export adapters."),
    "dashboard": ("finetune.dashboard.command:dashboard", "Serve the web page of figures."),
}
"""Every command: where it is, and its line in ``--help``."""

main: Final = command_line(COMMANDS)
