"""The command ``ondol index``."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from indexer.cli_options import PathName, data_dir_option, root_of, settings_for
from indexer.errors import UserError
from indexer.repository.git import is_too_wide
from indexer.text.printable import printable

if TYPE_CHECKING:
    from indexer.building.report import BuildProgress, BuildReport
    from indexer.config import Settings

_REASONS_SHOWN = 5


@click.command(epilog="Example: ondol index ~/product --workers 2")
@click.argument("repos", metavar="[REPO]...", nargs=-1, type=PathName())
@click.option("--full", is_flag=True, help="Rebuild the index from scratch.")
@click.option(
    "--adopt",
    type=PathName(),
    metavar="FOLDER",
    help="Use the data of a folder that is gone: this repository's former place.",
)
@click.option(
    "--export",
    "export_to",
    metavar="DIR",
    help="Then copy the index to a folder or a URL of a file share, for others to import.",
)
@click.option(
    "--import",
    "import_from",
    metavar="DIR",
    help="First take the index that was exported to a folder or a URL; then only what differs is indexed.",
)
@click.option(
    "--ray",
    "ray_address",
    metavar="ADDRESS",
    help="Spread several repositories over a Ray cluster: its address, `auto`, or `local` for this machine alone.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes to use (default: all cores).")
@click.option("--skipped", "show_skipped", is_flag=True, help="List every file that is left out, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, one line a repository.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--progress-json", is_flag=True, hidden=True, help="One JSON object per step on standard output.")
@data_dir_option
def index(repos: tuple[Path, ...], full: bool, workers: int | None, data_dir: Path | None, **options: Any) -> None:
    """Build or update the index of each REPO (default: the repository around the working directory)."""
    if full and options["import_from"]:
        raise click.UsageError("--full rebuilds everything from scratch, so it cannot go with --import")
    several = len(repos) > 1 or options["ray_address"] is not None
    for option, name in (("--adopt", "adopt"), ("--export", "export_to"), ("--import", "import_from")):
        if several and options[name] is not None:
            raise click.UsageError(f"{option} is for one repository on this machine")
    shown = _Shown(**{name: options[name] for name in _Shown._fields})
    if workers and options["ray_address"] not in (None, "local"):
        raise click.UsageError("--workers is for this machine; a Ray cluster has processes of its own")
    chosen = [_chosen(repo, workers, data_dir, shown) for repo in repos or (Path(),)]
    if several:
        _index_several(list(dict(chosen).items()), full, workers, options["ray_address"], shown)
    else:
        _index_one(*chosen[0], full, options, shown)


class _Shown(NamedTuple):
    """The options that say what is printed."""

    show_skipped: bool
    as_json: bool
    quiet: bool
    progress_json: bool


def _chosen(repo: Path, workers: int | None, data_dir: Path | None, shown: _Shown) -> "tuple[Path, Settings]":
    """The root of a repository and its settings."""
    root = root_of(repo)
    if repo == Path() and is_too_wide(root):
        raise UserError(
            f"{root} is no repository, and too wide to index by chance", "name a folder: ondol index FOLDER"
        )
    settings = settings_for(root, data_dir, quiet=shown.quiet)
    return root, replace(settings, workers=workers) if workers else settings


def _index_one(root: Path, settings: "Settings", full: bool, options: dict[str, Any], shown: _Shown) -> None:
    from indexer.building.build import build
    from indexer.storage.adoption import take_over

    if options["adopt"] is not None:
        done = take_over(settings, root, options["adopt"].expanduser().absolute())
        click.echo(f"ondol: {printable(done)}", err=True)
    if options["export_to"] is not None:  # before the work is done
        _check_export(settings, root, options["export_to"])
    if options["import_from"] is not None:
        _import(settings, root, options["import_from"])
    with _progress(shown.progress_json, shown.quiet or shown.as_json) as progress:
        report = build(root, settings, progress, full=full)
    if options["export_to"] is not None:
        _export(settings, root, options["export_to"])
    _tell(report, shown)


def _index_several(
    chosen: "list[tuple[Path, Settings]]", full: bool, workers: int | None, address: str | None, shown: _Shown
) -> None:
    """Index repositories one after the other, or on a cluster; a problem with one does not end the others."""
    from indexer.building.cluster import build_in_turn, build_on

    done = build_in_turn(chosen, full=full)
    if address is not None:
        done = build_on(address, chosen, full=full, workers=workers or 0)
    failed, out = 0, sys.stdout
    with redirect_stdout(sys.stderr):  # Ray prints there what it sees of its processes
        for outcome in done:
            if outcome.report is not None:
                with redirect_stdout(out):
                    _tell(outcome.report, shown)
                continue
            failed += 1
            click.echo(f"ondol: {printable(str(outcome.root))} is not indexed: {printable(outcome.problem)}", err=True)
    if failed:
        sys.exit(1)


def _tell(report: "BuildReport", shown: _Shown) -> None:
    """Print what became of a repository."""
    for note in report.notes:
        click.echo(f"ondol: {printable(note)}", err=True)
    if shown.as_json or shown.progress_json:
        skips = {"skips": [[skip.path, skip.reason] for skip in report.skips]} if shown.show_skipped else {}
        fields = {**report.as_dict(), **skips}
        click.echo(json.dumps({"report": fields} if shown.progress_json else fields))
    elif not shown.quiet:
        _summary(report, shown.show_skipped)


def _import(settings: "Settings", root: Path, where: str) -> None:
    from indexer.sharing.importing import import_index
    from indexer.sharing.places import open_place

    done = import_index(settings, root, open_place(where))
    commit = f" of commit {done.commit[:12]}" if done.commit else ""
    taken = f"{done.taken:,} files copied ({done.taken_bytes / 1e6:.1f} MB), {done.had:,} were here already"
    click.echo(f"ondol: the index{commit} was imported from {printable(done.place)}: {taken}.", err=True)


def _check_export(settings: "Settings", root: Path, where: str) -> None:
    from indexer.sharing.exporting import check_place
    from indexer.sharing.places import open_place

    check_place(settings, root, open_place(where))


def _export(settings: "Settings", root: Path, where: str) -> None:
    from indexer.sharing.exporting import export_index
    from indexer.sharing.places import open_place

    done = export_index(settings, root, open_place(where))
    size = f"{done.bytes / 1e6:.1f} MB in {done.files:,} files"
    written = f"{done.written:,} written ({done.written_bytes / 1e6:.1f} MB), {done.removed:,} old ones removed"
    click.echo(f"ondol: the index was exported to {printable(done.place)}: {size}, {written}.", err=True)
    if done.uncommitted:
        click.echo(
            f"ondol: {done.uncommitted:,} files in it are not as in commit {done.commit[:12]}; export from a clean "
            "checkout if others should not see them.",
            err=True,
        )


@contextmanager
def _progress(as_json: bool, quiet: bool) -> "Iterator[Callable[[BuildProgress], None] | None]":
    """Show the steps of a build as JSON lines, as a bar on a terminal, or not at all."""
    if as_json:
        last: list[Any] = [None, -1]

        def report(step: "BuildProgress") -> None:
            if [step.phase, step.percent] != last:
                last[:] = [step.phase, step.percent]
                fields = {"phase": step.phase, "done": step.done, "total": step.total, "percent": step.percent}
                click.echo(json.dumps(fields))
                sys.stdout.flush()

        yield report
    elif quiet or not sys.stderr.isatty():
        yield None
    else:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("walk", total=None)
            yield lambda step: bars.update(task, description=step.phase, completed=step.done, total=step.total or None)


def _summary(report: "BuildReport", show_skipped: bool) -> None:
    what = "up to date" if not report.changed else "built" if report.full else "updated"
    detail = "" if not report.changed or report.full else f" (+{report.added + report.revived} -{report.removed})"
    size = f"{report.text_bytes / 1e6:.1f} MB of text, index {report.index_bytes / 1e6:.1f} MB"
    click.echo(f"{printable(report.root)}: {what}{detail}, generation {report.generation}, {report.seconds:.1f} s")
    click.echo(f"  {report.files:,} files, {report.chunks:,} chunks, {report.lines:,} lines, {size}")
    if not report.files:
        click.echo("  nothing to search or to complete from yet: there is no text file, or all are left out")
    if report.masked:
        click.echo(f"  {report.masked:,} secrets masked")
    skipped = list(report.skipped.items())
    if skipped:
        shown = ", ".join(f"{count:,} {reason}" for reason, count in skipped[:_REASONS_SHOWN])
        more = ", ..." if len(skipped) > _REASONS_SHOWN else ""
        click.echo(f"  left out: {shown}{more}" + ("" if show_skipped else "  (--skipped lists them)"))
    if show_skipped:
        for skip in report.skips:
            click.echo(f"  {printable(skip.path)}: {skip.reason}")
