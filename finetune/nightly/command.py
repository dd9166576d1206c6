"""The command ``ondol finetune``: the nightly job, safe to run from cron at any time.

It reads options and prints one line, or JSON; the night itself is ``night``'s. Exit code 0 whatever was decided
(promoted, kept, too few changes), 1 for what a person has to cure, 2 for wrong use, 3 for a fault of ours.
"""

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from indexer.cli_options import data_dir_option, settings_for

_SHARE = click.FloatRange(0, 1)


@click.command(epilog="Example: ondol finetune ~/product --base /models/granite-3b-code-base-2k --max-minutes 120")
@click.argument("repo", type=click.Path(path_type=Path), default=Path())
@click.option("--base", metavar="FOLDER", help="The base model's folder, over what the settings say.")
@click.option("--since", metavar="REV", help="Train on the commits after REV (default: after those that serve).")
@click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Longest time for set and training.")
@click.option(
    "--start",
    type=click.Choice(["base", "current"]),
    default="base",
    show_default=True,
    help="What to train on from: the base, or the adapter that serves.",
)
@click.option("--least", type=click.IntRange(1), default=10, show_default=True, help="New commits that make a night.")
@click.option("--held-out", type=click.IntRange(1), help="Newest commits to judge by (default: a quarter, 10 to 100).")
@click.option("--cases", type=click.IntRange(2), default=400, show_default=True, help="Cursors to judge by.")
@click.option("--replay-share", type=_SHARE, help="Part of the samples that comes from older code.")
@click.option("--fim-share", type=_SHARE, help="Part of the samples that fill a middle.")
@click.option("--max-samples", type=click.IntRange(1), help="Largest set.")
@click.option("--rank", type=click.IntRange(1, 512), help="Rank of the adapter.")
@click.option("--alpha", type=click.IntRange(1), help="Its scale (default: twice the rank).")
@click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Peak of the schedule.")
@click.option("--epochs", type=click.FloatRange(0, min_open=True), help="How often each sample is seen.")
@click.option("--left-weight", type=_SHARE, help="Weight in the loss of what is not the middle.")
@click.option("--max-length", type=click.IntRange(64), help="Tokens of a packed row; longer samples are left out.")
@click.option("--tokens-per-step", type=click.IntRange(1), help="Tokens of one optimizer step.")
@click.option("--processes", type=click.IntRange(1), help="Processes that train, one a GPU; without GPUs, on the CPU.")
@click.option("--threads", type=click.IntRange(1), help="Threads of a process on a CPU (default: all cores).")
@click.option("--quantize", is_flag=True, help="Hold the base in 4 bits (QLoRA; needs CUDA and bitsandbytes).")
@click.option("--seed", type=int, default=1, show_default=True, help="Of set, training, canaries and cursors.")
@click.option("--dataset-only", is_flag=True, help="Stop when the set is written; say what was left out, and why.")
@click.option("--no-promote", is_flag=True, help="Judge, but keep what serves.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@data_dir_option
def finetune(
    repo: Path,
    base: str | None,
    since: str | None,
    max_minutes: float | None,
    start: str,
    least: int,
    held_out: int | None,
    cases: int,
    seed: int,
    dataset_only: bool,
    no_promote: bool,
    as_json: bool,
    data_dir: Path | None,
    **chosen: Any,
) -> None:
    """Make the model better from the newest commits of REPO, prove it on newer ones, promote it only then.

    Nothing is fetched, and nothing is written into REPO. Whatever happens, what serves goes on serving until a better
    adapter takes its place. Exit code 0: promoted, kept or too few changes.
    """
    from finetune.nightly.commit_split import PlanOptions
    from indexer.errors import UserError
    from indexer.repository import git

    try:
        from finetune.dataset.build import DatasetOptions
        from finetune.nightly.job import NightlyOptions, Tell, night
        from finetune.training.options import TrainingOptions
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed", "pip install 'ondol[model]'") from error

    warnings.simplefilter("ignore", FutureWarning)  # cron mails whatever a library says there
    root = git.find_root(repo)
    settings = settings_for(root, data_dir, quiet=as_json)
    if base is not None:
        settings = replace(settings, base_model=base)
    if chosen.get("rank") and not chosen.get("alpha"):
        chosen["alpha"] = 2 * chosen["rank"]
    options = NightlyOptions(
        PlanOptions(since, least, held_out),
        start == "current",
        max_minutes,
        cases,
        seed,
        dataset_only,
        not no_promote,
        _options(DatasetOptions, chosen),
        _options(TrainingOptions, chosen),
    )
    with _progress(as_json) as phase:
        report = night(root, settings, options, Tell(phase))
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"{root.name}: {report['summary']}")
    for note in report["notes"]:
        click.echo(f"  {note}")
    if dataset_only:
        for reason, count in sorted(report.get("dataset", {}).get("left_out", {}).items(), key=lambda row: -row[1]):
            click.echo(f"  left out: {count:,} x {reason}")
    click.echo(f"  report: {report['files']['md']}")


def _options(kind: Any, chosen: dict[str, Any]) -> Any:
    """The options of a kind with what was chosen on the command line."""
    names = kind.__dataclass_fields__
    return kind(**{name: value for name, value in chosen.items() if name in names and value is not None})


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal for what is being done."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("starting", total=None)
        yield lambda what, done, total: bars.update(task, description=what, completed=done, total=total or None)
