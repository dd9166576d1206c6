"""The command ``ondol finetune``: the nightly job, safe to run from cron at any time.

Exit code 0: the adapter was promoted or kept back, or there were too few changes. 1: the user has to fix something.
2: wrong use. 3: a fault of Ondol. 75: another process runs the nightly job of this repository. 130, 143: Ctrl-C or
SIGTERM ended the run, and its report says what it has.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from finetune.nightly.earlier_options import earlier_options, given_options, where_options_went
from indexer.cli_options import Finite, PathName, data_dir_option, root_of, settings_for
from indexer.config import user_config_file
from indexer.errors import UserError
from indexer.installation import install_command
from indexer.text.printable import printable

MOST_MINUTES: Final = 60 * 24 * 366
"""A limit of more than a year is a mistake."""


@click.command(epilog="Example: ondol finetune ~/product --base /models/granite-3b-code-base-2k --max-minutes 120")
@click.argument("repo", type=PathName(), default=Path())
@click.option(
    "--base", metavar="PATH", help="The base model, a GGUF file or a folder (default: base_model in ondol.toml)."
)
@click.option(
    "--max-minutes",
    type=Finite(0, MOST_MINUTES, min_open=True),
    help="Longest time for the whole run: data set, training and replay (default: no limit).",
)
@click.option(
    "--min-commits",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Do nothing with fewer new commits.",
)
@click.option(
    "--since", metavar="REV", help="Train on the commits after REV (default: after those of the current adapter)."
)
@click.option(
    "--start",
    type=click.Choice(["base", "current"]),
    default="base",
    show_default=True,
    help="Start training from the base or from the current adapter.",
)
@click.option("--dataset-only", is_flag=True, help="Stop after the data set; print what was left out, and why.")
@click.option(
    "--teach-fim",
    is_flag=True,
    help="Teach a base without fill-in-the-middle tokens to fill middles; writes a base of its own.",
)
@click.option("--no-promote", is_flag=True, help="Judge the new adapter, but keep the current one.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@data_dir_option
@earlier_options
def finetune(
    repo: Path,
    base: str | None,
    max_minutes: float | None,
    min_commits: int,
    since: str | None,
    start: str,
    dataset_only: bool,
    teach_fim: bool,
    no_promote: bool,
    as_json: bool,
    data_dir: Path | None,
    **earlier: str | None,
) -> None:
    """Train an adapter on the newest commits of REPO and promote it if it is better on still newer commits.

    Nothing is fetched, and nothing is written into REPO. The current adapter is used until a better one takes its
    place. The [finetune] table of ondol.toml holds the hyperparameters. Exit code 0: promoted, kept back, or too few
    changes. --teach-fim promotes nothing: it writes a new base and judges it by held-out middles.
    """
    given = given_options(earlier)
    if given:
        raise click.UsageError(where_options_went(given, user_config_file()))
    try:
        from finetune.commits.stages import ProgressReporter
        from finetune.evaluation.stopping import stopped_by_signals
        from finetune.nightly.job import run_nightly_job
        from finetune.nightly.options import nightly_options
        from finetune.nightly.report import STOPPED
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed", f"run: {install_command('model')}") from error

    warnings.simplefilter("ignore", FutureWarning)  # cron would mail the warnings of libraries
    root = root_of(repo)
    settings = settings_for(root, data_dir, quiet=as_json)
    if base is not None:
        settings = replace(settings, base_model=base)
    options = nightly_options(
        settings.finetune,
        since=since,
        min_commits=min_commits,
        from_current=start == "current",
        max_minutes=max_minutes,
        dataset_only=dataset_only,
        promote=not no_promote,
    )
    say = (lambda sentence: None) if as_json else (lambda sentence: click.echo(f"{root.name}: {sentence}"))
    with stopped_by_signals(), _progress_bar(as_json) as phase:
        job = _teaching if teach_fim else run_nightly_job
        report = job(root, settings, options, ProgressReporter(phase=phase), say)
    if as_json:
        click.echo(json.dumps(report))
    else:
        _print(root.name, report, with_left_out=dataset_only)
    if report["status"] == STOPPED:
        sys.exit(report["exit_code"])


def _teaching(*arguments: Any) -> dict[str, Any]:
    """Teach a base to fill middles; the arguments are those of ``run_nightly_job``."""
    from finetune.nightly.teach import teach

    return teach(*arguments)


def _print(name: str, report: dict[str, Any], *, with_left_out: bool) -> None:
    click.echo(f"{printable(name)}: {printable(report['summary'])}")
    for note in report["notes"]:
        click.echo(f"  {printable(note)}")
    if with_left_out:
        for reason, count in sorted(report.get("dataset", {}).get("left_out", {}).items(), key=lambda row: -row[1]):
            click.echo(f"  left out: {count:,} x {printable(reason)}")
    if report["files"]:
        click.echo(f"  report: {printable(report['files']['md'])}")


@contextmanager
def _progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on a terminal; yield the function that updates it."""
    if quiet or not sys.stderr.isatty():
        yield lambda phrase, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)
        yield lambda phrase, done, total: bars.update(task, description=phrase, completed=done, total=total or None)
