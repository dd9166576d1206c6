"""Gives the results of ``ondol eval``: printed, as JSON, as a page, and as files with every case."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from finetune.evaluation.dated_files import in_order, next_name
from indexer import fsio

if TYPE_CHECKING:
    from rich.console import Console

    from finetune.evaluation.gate_fitting import Refit
    from finetune.evaluation.replay import ReplayResult

KEPT: Final = 10
"""Reports that are kept for the dashboard."""

SCREEN: Final = 100
"""Columns of the first screen where the output is no terminal."""

WIDE: Final = 160
"""Columns of the full report where the output is no terminal."""


def give(
    report: dict[str, Any], result: "ReplayResult", html: Path | None, out: Path | None, *, as_json: bool, full: bool
) -> None:
    """Print the verdict, or everything, and then write the requested files: a full disk must not cost the figures.

    :param html: the page to write. :param out: the file for every case. :param full: print every figure too.
    """
    if as_json:
        click.echo(json.dumps(report))
    else:
        _print(report, full=full)
    if out is not None:
        _write_cases(out, result)
    if html is not None:
        _write_page(html, report, result)
    if not as_json:
        for target in filter(None, (html, out)):
            click.echo(f"written: {target}")


def _print(report: dict[str, Any], *, full: bool) -> None:
    from finetune.evaluation import report as every_figure
    from finetune.evaluation import screen

    screen.show(report, _console(SCREEN), hint=not full)
    if full:
        click.echo()
        every_figure.show(report, _console(WIDE, soft_wrap=True))


def keep(report: dict[str, Any], folder: Path) -> None:
    """Keep a report for the dashboard, with the last :data:`KEPT` before it; say so where that is not possible."""
    try:
        fsio.make_directories(folder)
        name = re.sub(r"[^\dT]", "", report["made"].partition("+")[0])
        name = next_name(folder, name)
        fsio.replace_file(folder / f"{name}.json", json.dumps(report).encode(), durable=False)
        for old in in_order(folder)[:-KEPT]:
            fsio.unlink(old)
    except OSError as error:
        why = error.strerror or error
        click.echo(f"ondol: the report is not kept for the dashboard ({why}: {folder})", err=True)


def give_gate(done: "Refit", precision: float) -> None:
    """Print the result of fitting a gate.

    :param precision: the setting.
    """
    from finetune.evaluation.report import show_refit

    show_refit(done, precision, _console(WIDE, soft_wrap=True))


def _write_page(html: Path, report: dict[str, Any], result: "ReplayResult") -> None:
    from finetune.evaluation.html_report import page

    html.write_text(page(report, result), "utf-8")


def _write_cases(out: Path, result: "ReplayResult") -> None:
    """Write one JSON object per line: the case with its code and the scored answer of each system; then typed keys."""
    from finetune.evaluation.edit_replay import as_record
    from finetune.evaluation.typing_replay import write_keys

    with out.open("w", encoding="utf-8", errors="surrogatepass") as file:
        for number, case in enumerate(result.cases):
            answers = {name: asdict(scored[number]) for name, scored in result.systems.items()}
            file.write(json.dumps({"case": number, **asdict(case), "systems": answers}) + "\n")
        write_keys(file, result.typing)
        for order, outcomes in result.edits.items():
            file.writelines(json.dumps({"edits": order, **as_record(one)}) + "\n" for one in outcomes)


def _console(width: int, *, soft_wrap: bool = False) -> "Console":
    """Return the terminal as it is; output that is no terminal has a fixed width."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=soft_wrap)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=soft_wrap, width=width)
