"""What ``ondol stats`` prints: the answer in sentences, then a table that fits a screen of 24 lines and 100 columns."""

from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from indexer.text.printable import printable
from lsp_server.figure_words import legend
from lsp_server.telemetry.edit_feedback import ENGINE as EDITS

ROWS: Final = 12
"""Rows of the first screen; ``--full`` prints all."""

SCREEN: Final = 100
_COLUMNS: Final = {
    "language": "language",
    "engine": "from",
    "adapter": "adapter",
    "shown": "shown",
    "accepted": "accepted",
    "accepted_share": "",
    "partial": "in part",
    "dismissed": "Escape",
    "characters": "chars",
    "kept_30": "kept 30 s",
    "kept_300": "5 min",
}
_SHARES: Final = ("accepted_share", "kept_30", "kept_300")
_WORDS: Final = ("shown", "accepted", "accepted in part", "kept")


def show(rows: list[dict[str, Any]], model: tuple[int, int], since: str | None, *, full: bool) -> None:
    """Print the statistics.

    :param rows: as ``feedback.summarize`` makes them. :param model: requests in time, and requests that waited.
    :param since: as the user wrote it.
    """
    for sentence in answer(rows, model, since):
        click.echo(printable(sentence))
    if not rows:
        return
    console = Console(highlight=False)
    if not console.is_terminal or console.width < SCREEN:
        console = Console(highlight=False, width=SCREEN)
    console.print()
    parts = [row for row in rows if row["language"] != "all"]
    console.print(table(rows if full else _largest(parts)))
    if full:
        for word, meaning in legend(_WORDS).items():
            console.print(f"{word}: {meaning}")
    else:
        more = f"{len(parts) - ROWS} more rows: `--full`. " if len(parts) > ROWS else ""
        console.print(Text(f"{more}`--since 7d` counts a week; `--full` says what the words mean.", "dim"))


def answer(rows: list[dict[str, Any]], model: tuple[int, int], since: str | None) -> list[str]:
    """Return what was shown, taken and kept, in sentences."""
    when = f" since {since}" if since and "-" in since else f" in the last {since}" if since else ""
    total = next((row for row in rows if (row["language"], row["engine"]) == ("all", "")), None)
    edits = next((row for row in rows if (row["language"], row["engine"]) == ("all", EDITS)), None)
    lines = []
    if total is None and edits is None:
        lines.append(f"Nothing was shown{when}: open a file of this repository in an editor that runs Ondol, and type.")
    if total is not None and total["shown"]:
        lines.append(
            f"{_texts(total['shown'])} shown{when}: {total['accepted']:,} accepted "
            f"({_percent(total['accepted_share'])}), {total['partial']:,} in part, {total['characters']:,} characters."
        )
    if total is not None and total["kept_300"] is not None:
        lines.append(f"After 5 minutes, {_percent(total['kept_300'])} of the accepted characters still stood there.")
    if edits is not None:
        lines.append(f"Next edits{when}: {edits['shown']:,} shown, {edits['accepted']:,} accepted.")
    in_time, asked = model
    if asked:
        lines.append(
            f"The model was in time for {in_time:,} of {asked:,} requests that waited for it ({in_time / asked:.0%})."
        )
    return lines


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a table, without a column that is empty everywhere."""
    columns = {key: head for key, head in _COLUMNS.items() if key != "adapter" or any(row[key] for row in rows)}
    found = Table(box=None, pad_edge=False)
    for key, head in columns.items():
        text = key in ("language", "engine", "adapter")
        found.add_column(head, justify="left" if text else "right", no_wrap=True, max_width=20 if text else None)
    for row in rows:
        cells = (_percent(row[key]) if key in _SHARES else str(row[key] or "") for key in columns)
        found.add_row(*(Text(printable(cell)) for cell in cells))
    return found


def _largest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -row["shown"])[:ROWS]


def _texts(count: int) -> str:
    return "1 text was" if count == 1 else f"{count:,} texts were"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
