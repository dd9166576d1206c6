"""The command ``ondol demo``."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.cli_options import data_dir_option, settings_for
from lsp_server.commands.terminal import GREEN, PLAIN, RED, escaped, has_colour, show

if TYPE_CHECKING:
    from finetune.evaluation.demo import Result, Shown


@click.command(epilog="Example: ondol demo ~/product --count 8")
@click.argument("repo", type=click.Path(path_type=Path), default=Path())
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="Completions to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@data_dir_option
def demo(repo: Path, count: int, as_json: bool, data_dir: Path | None) -> None:
    """Show what Ondol would have said at places where the last commits of REPO went on.

    Indexes REPO as it was before them, starts the real language server, and asks it as an editor does.
    """
    from finetune.evaluation.demo import run
    from indexer.repository import git

    root = git.find_root(repo)
    settings = settings_for(root, data_dir, quiet=as_json)
    tell = (lambda said: None) if as_json else (lambda said: click.echo(said, err=True))
    with _bar(not as_json) as progress:
        result = run(root, settings, count, tell, progress)
    click.echo(json.dumps(result.as_dict()) if as_json else report(result, colour=has_colour()))


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[Any], None]]:
    """A bar for the index that is built, on a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield lambda step: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("indexing"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("index", total=100)

        def advance(step: Any) -> None:
            bars.update(task, completed=step.percent, visible=step.phase != "done")

        yield advance


def report(result: "Result", *, colour: bool) -> str:
    """The outcome of a demonstration, misses and silences included."""
    lines = [result.premise, ""]
    for number, shown in enumerate(result.shown, 1):
        lines += [*_place(number, shown, colour), ""]
    right = sum(shown.right for shown in result.shown)
    asked = len(result.shown) + result.silent
    lines.append(
        f"Shown unasked at {len(result.shown)} of {asked} places tried, silent at {result.silent}; "
        f"{right} of the {len(result.shown)} shown are exactly what the author wrote."
    )
    if result.milliseconds:
        lines.append(
            f"Answers took {result.milliseconds:.1f} ms (median), asked over the protocol like an editor does."
        )
    return "\n".join(lines)


def _author(shown: "Shown") -> list[str]:
    return escaped(shown.typed + shown.author).split("\n")


def _place(number: int, shown: "Shown", colour: bool) -> list[str]:
    verdict = "right" if shown.right else "starts right" if shown.partly else "wrong"
    if colour:
        verdict = f"{GREEN if shown.right else RED}{verdict}{PLAIN}"
    source = f"from {shown.source}" if shown.source else "from the open file"
    lines = [f"{number}. {escaped(shown.path)}:{shown.line}  {shown.milliseconds:.1f} ms  {source}  {verdict}"]
    lines += ["   | " + line for line in show(shown.typed, shown.grey, colour=colour).split("\n")]
    if not shown.right:
        lines += [f"   {'author:' if not n else '       '} {line}" for n, line in enumerate(_author(shown))]
    return lines
