"""The command ``ondol demo``: plays hunks as a picture that moves on a terminal, or prints them."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from indexer.cli_options import SEED, PathName, data_dir_option, root_of, settings_for
from lsp_server.commands.terminal import coloured, escaped, has_colour

if TYPE_CHECKING:
    from rich.text import Text

    from finetune.commits.stages import ProgressReporter
    from finetune.evaluation.demo import DemoResult, PlayedHunk

_KEY_S: Final = 0.02
_LOOK_S: Final = 0.4
"""Seconds between two keys, and for looking at a text that appeared or was accepted."""


@click.command(epilog="Example: ondol demo ~/product --count 4")
@click.argument("repo", type=PathName(), default=Path())
@click.option("--count", type=click.IntRange(1, 1000), default=8, show_default=True, help="Places to type at.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Seed for drawing the places.")
@click.option("--still", is_flag=True, help="Print the result without the moving picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@data_dir_option
def demo(repo: Path, count: int, seed: int, still: bool, as_json: bool, data_dir: Path | None) -> None:
    """Type lines of the last commits of REPO again, key by key, and show what Ondol would have written.

    Ondol indexes REPO as it was before those commits. Ctrl+C ends it early.
    """
    from finetune.evaluation.demo import run

    root = root_of(repo)
    settings = settings_for(root, data_dir, quiet=as_json)
    moving = not still and not as_json and has_colour()
    with _progress(quiet=as_json) as (reporter, hide):

        def show(hunk: "PlayedHunk") -> None:
            if moving:
                hide()
                play(hunk)

        result = run(root, settings, count, seed, reporter, show)
    if as_json:
        click.echo(json.dumps(result.as_dict()))
    else:
        click.echo(report(result, colour=has_colour(), hunks=not moving))


def play(hunk: "PlayedHunk") -> None:
    """Show how a hunk was typed, as a picture that moves; Ctrl+C goes on to the end of the hunk."""
    from rich.console import Console
    from rich.live import Live

    console = Console()
    console.print(_title(hunk), style="bold", highlight=False)
    try:
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            before = ""
            for step in hunk.steps:
                live.update(_frame(hunk.text[: step.at], step.ghost), refresh=True)
                time.sleep(_LOOK_S if step.accepted or (step.ghost and step.ghost not in before) else _KEY_S)
                before = step.ghost
            live.update(_frame(hunk.text, ""), refresh=True)
    except KeyboardInterrupt:
        raise click.Abort from None
    console.print()


def _frame(typed: str, ghost: str) -> "Text":
    """What an editor shows: the typed text, and the ghost text after it."""
    from rich.text import Text

    return Text.assemble(escaped(typed), (escaped(ghost), "bright_black"), no_wrap=True, overflow="ellipsis")


def report(result: "DemoResult", *, colour: bool, hunks: bool = True) -> str:
    """Return the result as text: what was typed and what was accepted, the verdict, and how to go on."""
    lines = [result.premise, ""]
    for hunk in result.hunks if hunks else ():
        lines += [_title(hunk), *("   | " + line for line in _marked(hunk, colour).split("\n")), ""]
    if hunks:
        lines += ["In green: accepted." if colour else "Between ‹ and ›: accepted.", ""]
    return "\n".join(
        [
            *lines,
            result.verdict(),
            "`ondol eval --typing` types more of your lines and says how sure these figures are.",
            "To use it, install the plugin of your editor; the README has the steps.",
        ]
    )


def _title(hunk: "PlayedHunk") -> str:
    saved = hunk.keys - hunk.pressed
    how = f"{saved} of {hunk.keys} keys saved" if saved > 0 else "no key saved"
    return f"{escaped(hunk.path)}:{hunk.line}  {how}"


def _marked(hunk: "PlayedHunk", colour: bool) -> str:
    """The lines of a hunk with what was accepted marked."""
    parts = []
    for step in hunk.steps:
        text = escaped(step.taken)
        if step.accepted:
            text = coloured(text, "green") if colour else f"‹{text}›"
        parts.append(text)
    return escaped(hunk.text[: hunk.steps[0].at] if hunk.steps else hunk.text) + "".join(parts)


@contextmanager
def _progress(*, quiet: bool) -> "Iterator[tuple[ProgressReporter, Callable[[], None]]]":
    """Show a progress bar on a terminal until the first hunk is shown; yields the reporter and what ends the bar."""
    from finetune.commits.stages import SILENT, ProgressReporter

    if quiet or not sys.stderr.isatty():
        yield SILENT, lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)
        reporter = ProgressReporter(
            phase=lambda phrase, done, total: bars.update(task, description=phrase, total=None),
            index_step=lambda step: bars.update(task, completed=step.percent, total=100),
        )
        yield reporter, bars.stop
