"""Options and small helpers that all commands share."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.config import Settings, load

if TYPE_CHECKING:
    pass


def settings_for(root: Path, data_dir: Path | None, *, quiet: bool = False) -> Settings:
    """The settings that hold for ``root``; what is wrong with them goes to standard error."""
    settings, problems = load(root)
    if not quiet:
        for problem in problems:
            click.echo(f"ondol: {problem}", err=True)
    return replace(settings, data_dir=data_dir.expanduser().absolute()) if data_dir else settings


def data_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--data-dir``, the same for every command."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Keep everything under this folder instead of the platform's.",
    )(command)


def printable(path: str) -> str:
    """A path that cannot disturb a terminal: what is not printable is escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in path)
