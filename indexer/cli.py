"""The command line: a group whose commands are imported only when one of them runs.

``ondol --help`` therefore imports neither numpy nor a parser nor a server. Each package has a ``cli.py`` with its own
commands and those of the package below it; the console script runs ``finetune.cli:main``, which has them all.

Errors that a person can cure become one sentence on standard error and exit code 1. Wrong use is 2, a fault of Ondol 3.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO, cast

import click

from indexer.errors import OndolError
from indexer.storage.write_errors import cure_of
from indexer.text.printable import OutputGuard, printable

COMMANDS: Final = {
    "index": ("indexer.commands.index:index", "Build or update the index of a repository."),
    "search": ("indexer.commands.search:search", "Search the index: definitions first, with file:line."),
}
"""Every command of this package: where it is, and its line in ``--help``."""


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is run or described.

    :param table: name to (``module:attribute``, line in ``--help``), in the order of the help.
    """

    def __init__(self, table: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, without importing any."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of this name."""
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command; an error becomes one sentence and an exit code."""
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = cast(TextIO, OutputGuard(before[0])), cast(TextIO, OutputGuard(before[1]))
        try:
            return self._run(*args, **kwargs)
        finally:
            sys.stdout, sys.stderr = before

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OndolError as error:
            click.echo(f"ondol: {printable(error)}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            said = printable(f"{place}{error.strerror or error}")
            click.echo(f"ondol: {said}; {cure_of(error)}.", err=True)
            sys.exit(1)
        except Exception as error:
            if os.environ.get("ONDOL_DEBUG"):
                raise
            said = printable(f"{type(error).__name__}: {error}")
            click.echo(f"ondol: a fault of Ondol ({said}); please report it with `ONDOL_DEBUG=1`'s output.", err=True)
            sys.exit(3)


def command_line(table: Mapping[str, tuple[str, str]]) -> click.Group:
    """The group ``ondol`` with the commands of a table."""
    group = LazyGroup(
        table,
        name="ondol",
        help="Code completion that learns one private codebase; nothing leaves the building.",
        epilog="Example: ondol demo .",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(package_name="ondol", message="ondol %(version)s")(group)


main: Final = command_line(COMMANDS)
