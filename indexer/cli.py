"""The console script ``ondol``: one group, whose commands are joined by name and imported only when one of them runs.

So ``ondol --help`` imports neither numpy nor a parser nor a server, and a package above this one can add commands
without this one importing it. Errors that a person can cure become one sentence on standard error and exit code 1;
wrong use is 2, a fault of ours 3.
"""

import importlib
import importlib.util
import os
import sys
from typing import Any, Final

import click

from indexer.errors import OndolError

COMMANDS: Final = {
    "index": ("indexer.commands.index_and_search:index", "Build or update the index of a repository."),
    "search": ("indexer.commands.index_and_search:search", "Show what the index finds, with scores and file:line."),
    "doctor": ("indexer.commands.doctor:doctor", "Say what is installed and indexed, what is wrong, and the cure."),
    "serve": ("lsp_server.commands.serving:serve", "Run the language server."),
    "complete": ("lsp_server.commands.serving:complete", "Show the completion at a place in a file."),
    "explain": ("lsp_server.commands.serving:explain", "Say why a completion was shown, or was not."),
    "stats": ("lsp_server.commands.serving:stats", "Show what was shown, accepted and kept."),
    "demo": ("lsp_server.commands.serving:demo", "Index, serve and show real completions, in one command."),
    "eval": ("finetune.evaluation.command:evaluate", "Replay commits: what the completions would have done."),
    "finetune": (
        "finetune.nightly.command:finetune",
        "Make the model better from the newest commits; safe to run from cron.",
    ),
    "models": ("finetune.adapters.command:models", "List, show, promote, roll back and export adapters."),
    "dashboard": ("finetune.dashboard.command:dashboard", "Serve the web page of figures."),
}
"""Every command: where it is, and its line in ``--help``. One whose module is not installed is not listed."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands whose modules are there, without importing these."""
        return [name for name, (target, _) in COMMANDS.items() if _exists(target)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        if cmd_name not in COMMANDS or not _exists(COMMANDS[cmd_name][0]):
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute, None)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands by the lines given here, so that none is imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs a command; turns our errors into a sentence and an exit code."""
        try:
            return super().main(*args, **kwargs)
        except OndolError as error:
            click.echo(f"ondol: {error}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            click.echo(f"ondol: {place}{error.strerror or error}; check that it exists and may be read.", err=True)
            sys.exit(1)
        except Exception as error:
            if _debugging():
                raise
            told = f"{type(error).__name__}: {error}"
            click.echo(f"ondol: a fault of Ondol ({told}); please report it with `ONDOL_DEBUG=1`'s output.", err=True)
            sys.exit(3)


def _exists(target: str) -> bool:
    """Whether a command's module is installed; its package is empty, so finding it costs nothing."""
    try:
        return importlib.util.find_spec(target.partition(":")[0]) is not None
    except ModuleNotFoundError:
        return False


def _debugging() -> bool:
    return bool(os.environ.get("ONDOL_DEBUG"))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: ondol demo .")
@click.version_option(package_name="ondol", message="ondol %(version)s")
def main() -> None:
    """Code completion that learns one private codebase; nothing leaves the building."""
