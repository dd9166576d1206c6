"""Options that several commands share, and the settings for a repository."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from indexer.config import Settings, load
from indexer.errors import UserError
from indexer.text.printable import printable


def settings_for(root: Path, data_dir: Path | None, *, quiet: bool = False) -> Settings:
    """The settings for ``root``; problems with them are printed on standard error."""
    settings, problems = load(root)
    if not quiet:
        for problem in problems:
            click.echo(f"ondol: {printable(problem)}", err=True)
    return replace(settings, data_dir=data_dir.expanduser().absolute()) if data_dir else settings


def root_of(repo: Path) -> Path:
    """The root of the repository or folder that a command works on as a whole.

    :raises UserError: there is no such path, or it is no folder and not part of a repository.
    """
    from indexer.repository import git

    root = git.find_root(repo)
    if not repo.is_dir() and not (git.is_repository(root) or git.is_bare(root)):
        raise UserError(f"{repo} is a file, and not part of a repository", "name a folder")
    return root


class Finite(click.FloatRange):
    """A number within a range; ``nan`` and ``inf``, which lie in every range of click's, are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse what is no number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number.", param, ctx)
        return number


SEED: Final = click.IntRange(0, 2**32 - 1)
"""A seed that every generator of random numbers takes."""


class PathName(click.Path):
    """A path that is not empty: an unset variable in a script must not mean the working directory."""

    def __init__(self, **rules: Any) -> None:
        """Take the rules of :class:`click.Path`."""
        super().__init__(path_type=Path, **rules)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty name; the default of an option or argument is no text."""
        if value == "":
            raise UserError("an empty name is no path", "name a file or folder (. is the working directory)")
        return super().convert(value, param, ctx)


def data_dir_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--data-dir``."""
    return click.option(
        "--data-dir",
        type=PathName(file_okay=False),
        help="Keep indexes, adapters and records under this folder instead of the platform's.",
    )(command)
