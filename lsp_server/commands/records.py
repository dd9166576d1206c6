"""The commands ``explain`` and ``stats``: they print the records that servers left of a repository's completions."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import click

from indexer.cli_options import PathName, data_dir_option, settings_for
from indexer.errors import UserError
from indexer.text.printable import printable

_AGO = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@click.command(epilog="Example: ondol explain last")
@click.argument("identifier", metavar="[ID|last]", default="last")
@click.option("--repo", type=PathName(), default=Path(), help="The repository (default: around here).")
@click.option("--full", is_flag=True, help="Add the numbers behind the answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@data_dir_option
def explain(identifier: str, repo: Path, full: bool, as_json: bool, data_dir: Path | None) -> None:
    """Explain why a completion was shown or not: the last one, or the one with this ID."""
    from indexer.data_layout import TRACES
    from lsp_server.telemetry.explanations import explain as sentences
    from lsp_server.telemetry.traces import find

    record = find(_records(repo, data_dir, TRACES, quiet=as_json), identifier)
    if record is None:
        if identifier == "last":
            raise UserError("no completion was requested in this repository yet", "type in an editor that runs Ondol")
        raise UserError(f"there is no record {identifier!r}", "use `last`, or an id that `ondol explain` has shown")
    click.echo(json.dumps(record) if as_json else "\n".join(printable(line) for line in sentences(record, full=full)))


@click.command(epilog="Example: ondol stats --since 7d")
@click.option("--since", help="Count from then on: an age such as 12h, 7d or 4w, or a date such as 2026-11-01.")
@click.option("--repo", type=PathName(), default=Path(), help="The repository (default: around here).")
@click.option("--full", is_flag=True, help="Print every row, and what the words mean.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@data_dir_option
def stats(since: str | None, repo: Path, full: bool, as_json: bool, data_dir: Path | None) -> None:
    """Say how many suggestions and next edits were shown, accepted and kept, by language, engine and adapter.

    With a model, it also says how often the model was in time.
    """
    from indexer.data_layout import STATS, TRACES
    from lsp_server.commands import stats_page
    from lsp_server.telemetry.feedback import summarize
    from lsp_server.telemetry.traces import model_in_time

    rows = summarize(_records(repo, data_dir, STATS, quiet=as_json), _since(since))
    in_time, asked = model_in_time(_records(repo, data_dir, TRACES, quiet=True), _since(since))
    if as_json:
        for row in rows:
            if asked and (row["language"], row["engine"]) == ("all", ""):
                row |= {"model_in_time": in_time, "model_asked": asked}
        click.echo(json.dumps(rows))
        return
    stats_page.show(rows, (in_time, asked), since, full=full)


def _records(repo: Path, data_dir: Path | None, name: str, *, quiet: bool) -> list[dict[str, Any]]:
    from indexer.repository import git
    from lsp_server.telemetry.traces import ring_of

    root = git.find_root(repo)
    settings = settings_for(root, data_dir, quiet=quiet)
    if os.access(settings.data_dir, os.F_OK) and not os.access(settings.data_dir, os.R_OK | os.X_OK):
        raise UserError(f"{settings.data_dir} cannot be read", "choose another folder with ONDOL_DATA_DIR")
    ring = ring_of(settings, root, name, 0)
    return ring.read() if ring is not None else []


def _since(text: str | None) -> float:
    if text is None:
        return 0.0
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match:
        return time.time() - int(match[1]) * _AGO[match[2]]
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d"))
    except (ValueError, OverflowError) as error:
        raise UserError(f"{text!r} is no point in time", "write an age (12h, 7d, 4w) or a date (2026-11-01)") from error
