"""The commands of the server and of the indexer."""

from typing import Final

from indexer import cli

COMMANDS: Final = {
    **cli.COMMANDS,
    "serve": ("lsp_server.commands.serving:serve", "Run the language server."),
    "complete": ("lsp_server.commands.serving:complete", "Show the completion at a position in a file."),
    "explain": ("lsp_server.commands.records:explain", "Explain why a completion was shown or not."),
    "stats": ("lsp_server.commands.records:stats", "Count suggestions that were shown, accepted and kept."),
    "doctor": ("lsp_server.commands.doctor:doctor", "Check installation, index and model, and name the cures."),
}
"""Every command up to this package: its function, and its line in ``--help``."""

main: Final = cli.command_line(COMMANDS)
