"""Prints the figures of the replay of edits, and prepares them for the page."""

from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finetune.evaluation.edit_figures import MEASURES
from finetune.evaluation.figure_text import percent
from indexer.text.printable import printable

_SAVED: Final = "edits after the first that were offered right"
TILES: Final = {
    "here_right": "right of those offered at the cursor",
    "here_reached": "of the next changed lines reached",
    "elsewhere_right": "right of those offered elsewhere in the file",
    "saved": "of the edits after the first saved",
}
"""The figures that matter most, with their names."""
COLUMNS: Final = {
    "here_right": "right at the cursor",
    "here_reached": "reached",
    "elsewhere_right": "right elsewhere",
    "elsewhere_share": "per moment",
    "saved": "saved",
}
ORDERS: Final = {"in_order": "order of the file", "random": "random order"}
"""Titles of the few columns that fit a screen, and of the orders."""


def show(edits: dict[str, Any], console: Console) -> None:
    """Print the figures of both orders."""
    first = next(iter(edits.values()))["overall"]
    console.print(
        Text(f"edits of {first['commits']} commits: {first['edits']:,} changed lines, one after the other", "bold")
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for order in edits:
        table.add_column(ORDERS[order], justify="right", no_wrap=True)
    for label, *cells in _rows(edits):
        table.add_row(label, *cells)
    console.print(table)
    languages = next(iter(edits.values()))["languages"]
    if len(languages) > 1:
        table = Table(box=None, pad_edge=False, title="edits by language", title_justify="left")
        table.add_column("", min_width=14, no_wrap=True)
        table.add_column("edits", justify="right")
        for head in COLUMNS.values():
            table.add_column(head, justify="right", no_wrap=True)
        for name, one in languages.items():
            cells = [percent(one[key], interval=False) for key in COLUMNS]
            table.add_row(Text(printable(name)), f"{one['edits']:,}", *cells)
        console.print(table)


def page_part(edits: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the edits: a sentence, tiles of the order of the file, and tables."""
    first = next(iter(edits.values()))
    overall = first["overall"]
    tiles = []
    for key, label in TILES.items():
        one = overall[key]
        known = one["value"] is not None
        value = f"{100 * one['value']:.1f} %" if known else "–"
        interval = f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %" if known else ""
        tiles.append({"label": label, "value": value, "interval": interval})
    languages = [
        [name, one["edits"], *(percent(one[key], interval=key == "here_right") for key in COLUMNS)]
        for name, one in first["languages"].items()
    ]
    return {
        "lead": f"{overall['edits']:,} changed lines of {overall['commits']} commits were made one after the other. "
        "Before and after each of them the next edit was asked for, and compared with what the commit changed.",
        "tiles": tiles,
        "figures": {"heads": ["", *(ORDERS[order] for order in edits)], "rows": _rows(edits)},
        "languages": {"heads": ["language", "edits", *COLUMNS.values()], "rows": languages},
    }


def _rows(edits: dict[str, Any]) -> list[list[str]]:
    rows = []
    for key, measure in MEASURES.items():
        cells = [one["overall"][key] for one in edits.values()]
        rows.append([measure.label, *(percent(cell) if measure.per == 1 else _number(cell) for cell in cells)])
    rows.append([_SAVED, *(percent(one["overall"]["saved"]) for one in edits.values())])
    rows.append(["ms per search, p50 / p95", *(_ms(one["overall"]["ms"]) for one in edits.values())])
    return rows


def _number(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "-"
    return f"{estimate['value']:.1f} [{estimate['low']:.1f}, {estimate['high']:.1f}]"


def _ms(spent: dict[str, float]) -> str:
    return f"{spent['p50']:.1f} / {spent['p95']:.1f}"
