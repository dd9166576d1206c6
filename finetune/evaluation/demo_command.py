"""The command ``ondol demo``."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from indexer.cli_options import data_dir_option, settings_for
from lsp_server.commands.terminal import coloured, escaped, has_colour, show

if TYPE_CHECKING:
    from finetune.commits.stages import ProgressReporter
    from finetune.evaluation.demo import DemoResult, ShownCompletion


@click.command(epilog="Example: ondol demo ~/product --count 8")
@click.argument("repo", type=click.Path(path_type=Path), default=Path())
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="Completions to show.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed for drawing the cursors.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@data_dir_option
def demo(repo: Path, count: int, seed: int, as_json: bool, data_dir: Path | None) -> None:
    """Show completions at cursors of the last commits of REPO, with what the authors wrote.

    Ondol indexes REPO as it was before those commits, starts the real language server, and asks it as an editor does.
    """
    from finetune.evaluation.demo import run
    from indexer.repository import git

    root = git.find_root(repo)
    settings = settings_for(root, data_dir, quiet=as_json)
    with _progress(quiet=as_json) as reporter:
        result = run(root, settings, count, seed, reporter)
    click.echo(json.dumps(result.as_dict()) if as_json else report(result, colour=has_colour()))


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[ProgressReporter]":
    """Show a progress bar on a terminal, for the index and then for the server."""
    from finetune.commits.stages import SILENT, ProgressReporter

    if quiet or not sys.stderr.isatty():
        yield SILENT
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)
        yield ProgressReporter(
            phase=lambda phrase, done, total: bars.update(task, description=phrase, total=None),
            index_step=lambda step: bars.update(task, completed=step.percent, total=100),
        )


def report(result: "DemoResult", *, colour: bool) -> str:
    """Return the result as text: every shown completion, and how many cursors were asked, shown, right and silent."""
    lines = [result.premise, ""]
    for number, shown in enumerate(result.shown, 1):
        lines += [*_completion(number, shown, colour), ""]
    right = sum(shown.right for shown in result.shown)
    lines += [
        f"Cursors asked: {result.asked}. Completion shown: {len(result.shown)}. Nothing shown: {result.silent}.",
        f"Of the {len(result.shown)} shown, {right} are what the author wrote next.",
        f"An answer took {result.milliseconds:.1f} ms (median), over the protocol that editors use.",
    ]
    return "\n".join(lines)


def _completion(number: int, shown: "ShownCompletion", colour: bool) -> list[str]:
    verdict = _verdict(shown)
    if colour:
        verdict = coloured(verdict, "green" if shown.right else "red")
    source = f"from {escaped(shown.source)}" if shown.source else "from the open file"
    lines = [f"{number}. {escaped(shown.path)}:{shown.line}  {shown.milliseconds:.1f} ms  {source}  {verdict}"]
    lines += ["   | " + line for line in show(shown.typed, shown.ghost_text, colour=colour).split("\n")]
    if not shown.right:
        author = escaped(shown.typed + shown.author).split("\n")
        lines += [f"   {'author:' if not row else '       '} {line}" for row, line in enumerate(author)]
    return lines


def _verdict(shown: "ShownCompletion") -> str:
    if shown.right:
        return "right"
    if shown.first_line_right:
        return "first line right"
    return "first token right" if shown.usable else "wrong"
