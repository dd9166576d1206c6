"""The commands of the server, beside those of the indexer."""

from typing import Final

from indexer import cli

COMMANDS: Final = {
    **cli.COMMANDS,
    "serve": ("lsp_server.commands.serving:serve", "Run the language server."),
    "complete": ("lsp_server.commands.serving:complete", "Show the completion at a place in a file."),
    "explain": ("lsp_server.commands.serving:explain", "Say why a completion was shown, or was not."),
    "stats": ("lsp_server.commands.serving:stats", "Show what was shown, accepted and kept."),
    "doctor": ("lsp_server.commands.doctor:doctor", "Say what is installed and indexed, what is wrong, and the cure."),
}
"""Every command up to this package: where it is, and its line in ``--help``."""

main: Final = cli.command_line(COMMANDS)
