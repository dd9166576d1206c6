"""Prints the figures of the typing replay."""

from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from finetune.evaluation.figure_text import percent
from finetune.evaluation.typing_figures import MEASURES
from indexer.text.printable import printable

_COLUMNS: Final = {
    "saved": "keys saved",
    "seen": "seen per 100",
    "accepted": "accepted",
    "first_word": "first word",
    "past": "typed past",
    "short": "1-2 chars",
    "several": "several lines",
    "several_right": "right to the end",
}
_TILES: Final = {
    "saved": "keys saved",
    "seen": "ghost texts seen per 100 characters",
    "accepted": "accepted whole",
    "first_word": "first word right",
    "past": "typed past",
}
_AGAIN: Final = {"past": "after it was typed past", "escape": "after Escape", "deleted": "after its deletion"}


def show(typing: dict[str, Any], console: Console) -> None:
    """Print the figures of every system."""
    systems = typing["systems"]
    first = next(iter(systems.values()))["overall"]
    console.print(Text(f"typed key by key: {first['hunks']} hunks, {first['characters']:,} characters", "bold"))
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in systems:
        table.add_column(name, justify="right", no_wrap=True)
    for key, measure in MEASURES.items():
        if not key.startswith("again"):
            table.add_row(measure.label, *(cell(key, one["overall"][key]) for one in systems.values()))
    for key, label in _AGAIN.items():
        table.add_row(f"the same text again {label}", *(str(one["overall"]["again"][key]) for one in systems.values()))
    table.add_row("ms per key, p50 / p95", *(_ms(one["overall"]) for one in systems.values()))
    console.print(table)
    for name, one in systems.items():
        if len(one["languages"]) > 1:
            console.print(_by_language("typing by language" + (f", {name}" if len(systems) > 1 else ""), one))


def page_part(typing: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the typing replay: a sentence, tiles of the first system, and tables."""
    systems = typing["systems"]
    first = next(iter(systems.values()))
    overall = first["overall"]
    tiles = []
    for key, label in _TILES.items():
        one, per_cent = overall[key], MEASURES[key].unit == "share"
        factor, unit = (100, " %") if per_cent else (1, "")
        value = "–" if one["value"] is None else f"{factor * one['value']:.1f}{unit}"
        interval = "" if one["value"] is None else f"{factor * one['low']:.1f} to {factor * one['high']:.1f}{unit}"
        tiles.append({"label": label, "value": value, "interval": interval})
    rows = [
        [measure.label, *(cell(key, one["overall"][key]) for one in systems.values())]
        for key, measure in MEASURES.items()
        if not key.startswith("again")
    ]
    for key, label in _AGAIN.items():
        rows.append([f"the same text again {label}", *(one["overall"]["again"][key] for one in systems.values())])
    rows.append(["ms per key, p50 / p95", *(_ms(one["overall"]) for one in systems.values())])
    languages = [
        [name, figures["hunks"], *(cell(key, figures[key], interval=key == "saved") for key in _COLUMNS)]
        for name, figures in first["languages"].items()
    ]
    lead = (
        f"{overall['hunks']} hunks with {overall['characters']:,} characters were typed key by key; every key asked as "
        "an editor does, and what was right was accepted."
    )
    return {
        "lead": lead,
        "tiles": tiles,
        "figures": {"heads": ["", *systems], "rows": rows},
        "languages": {"heads": ["language", "hunks", *_COLUMNS.values()], "rows": languages},
    }


def cell(key: str, estimate: dict[str, Any], *, interval: bool = True) -> str:
    """Return an estimate as text: a share in per cent, a number as it is, with its interval."""
    if MEASURES[key].unit == "share":
        return percent(estimate, interval=interval)
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "-"
    return f"{value:.1f} [{low:.1f}, {high:.1f}]" if interval else f"{value:.1f}"


def _by_language(title: str, one: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("", min_width=14, no_wrap=True)
    table.add_column("hunks", justify="right")
    for head in _COLUMNS.values():
        table.add_column(head, justify="right", no_wrap=True)
    for name, figures in one["languages"].items():
        cells = [cell(key, figures[key], interval=key == "saved") for key in _COLUMNS]
        table.add_row(Text(printable(name)), str(figures["hunks"]), *cells)
    return table


def _ms(figures: dict[str, Any]) -> str:
    return f"{figures['ms']['p50']:.1f} / {figures['ms']['p95']:.1f}"
