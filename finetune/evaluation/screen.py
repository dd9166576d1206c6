"""The first screen of ``ondol eval``: the verdict, one table, a sentence about each other kind of figures, and where
the rest is.

It fits 24 lines of 100 columns.
"""

from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finetune.evaluation.edit_report import ORDERS
from finetune.evaluation.edit_report import TILES as EDITED
from finetune.evaluation.figure_text import percent
from finetune.evaluation.typing_report import cell
from finetune.evaluation.verdict import others, verdict
from indexer.text.printable import printable

LANGUAGES: Final = 6
NOTES: Final = 3
"""Rows and notes of the first screen; the full report has all of them."""

_CURSORS: Final = {"coverage": "shown", "precision": "right of those", "dismissed": "not usable", "saved": "saved"}
_TYPED: Final = {
    "saved": "keys saved",
    "seen": "shown per 100 chars",
    "accepted": "accepted",
    "past": "typed past",
}
_WIDEST_NOTE: Final = 95


def show(report: dict[str, Any], console: Console, *, hint: bool = True) -> None:
    """Print the verdict, one table and the most important notes.

    :param hint: say how to get more.
    """
    what, sure, advice = verdict(report)
    for sentence, style in ((what, "bold"), (sure, ""), (advice, "bold")):
        console.print(Text(sentence, style), soft_wrap=False)
    console.print()
    console.print(table(report))
    for sentence in others(report):
        console.print(Text(sentence), soft_wrap=False)
    for note in report["notes"][:NOTES]:
        text = printable(note)
        console.print(Text(text if len(text) <= _WIDEST_NOTE else text[: _WIDEST_NOTE - 2] + " …", "dim"))
    if hint:
        more = "`--full` prints every figure; `--html FILE` writes a page with a legend"
        typing = "." if "typing" in report else "; `--typing` counts keys."
        console.print(Text(f"Brackets: 95 % intervals. {more}{typing}", "dim"))


def table(report: dict[str, Any]) -> Table:
    """Return the one table: of systems if there are several, else of languages; of the orders of edits."""
    heads, rows = figures(report)
    found = Table(box=None, pad_edge=False)
    found.add_column(heads[0], max_width=22 if len(heads) > 3 else 48, no_wrap=True)
    for head in heads[1:]:
        found.add_column(head, justify="right", no_wrap=True)
    for name, *cells in rows:
        found.add_row(Text(name), *cells)
    return found


def figures(report: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the heads and the rows of that table, as text."""
    if "typing" in report:
        systems = report["typing"]["systems"]
        first = next(iter(systems.values()))
        return _rows("hunks", _TYPED, _listed(systems, first["languages"]), cell)
    if "systems" in report:
        systems = report["systems"]
        first = next(iter(systems.values()))
        return _rows("cursors", _CURSORS, _listed(systems, first["groups"]["language"]), lambda key, one: percent(one))
    orders = [one["overall"] for one in report["edits"].values()]
    rows = [(label, *(percent(one[key]) for one in orders)) for key, label in EDITED.items()]
    return ("", *(ORDERS[order] for order in report["edits"])), rows


def _listed(systems: dict[str, Any], languages: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the systems, or of the only one with the languages that have the most of them."""
    if len(systems) > 1:
        return {name: one["overall"] for name, one in systems.items()}
    (only,) = systems.values()
    return {"all": only["overall"]} | (dict(list(languages.items())[:LANGUAGES]) if len(languages) > 1 else {})


def _rows(
    counted: str, columns: dict[str, str], listed: dict[str, Any], text: Callable[[str, dict[str, Any]], str]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    key = "cases" if counted == "cursors" else counted
    rows = [(printable(name), f"{one[key]:,}", *(text(at, one[at]) for at in columns)) for name, one in listed.items()]
    return ("", counted, *columns.values()), rows
