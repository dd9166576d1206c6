"""The page about the use of suggestions: what was shown, accepted and kept, over time, by language and by engine."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from finetune.dashboard.events import Events, Groups
from finetune.dashboard.page import Field, Form, Page, Table
from finetune.evaluation.svg_plots import Dot, time_plot
from lsp_server.figure_words import legend
from lsp_server.telemetry.edit_feedback import ENGINE as EDITS
from lsp_server.telemetry.feedback import Tally, rows_of

NOTHING: Final = "Nothing was shown yet: open a file of this repository in an editor that runs Ondol, and type."

_COLUMNS: Final = {
    "shown": "shown",
    "accepted": "accepted",
    "accepted_share": "share accepted",
    "partial": "accepted in part",
    "characters": "characters",
    "kept_30": "kept after 30 s",
    "kept_300": "kept after 5 min",
}
_GROUPS: Final = {"language": "language", "engine": "written by", "adapter": "adapter"}
_SHARES: Final = {"accepted_share": "accepted", "kept_30": "kept after 30 s", "kept_300": "kept after 5 min"}
_ANY: Final = "all"


def total(rows: Sequence[dict[str, Any]], engine: str = "") -> dict[str, Any] | None:
    """Return the row of all languages: of ghost text, or of next edits if ``engine`` is theirs."""
    wanted = EDITS if engine == EDITS else ""
    return next((row for row in rows if row["language"] == "all" and row["engine"] == wanted), None)


def use_page(events: Events, query: Mapping[str, str]) -> Page:
    """Return the page.

    :param query: ``language`` and ``engine`` that it is about; empty or ``all`` for every one.
    """
    kind, periods = events.periods()
    wanted = [query.get(name) or _ANY for name in ("language", "engine")]
    known = [sorted({key[place] for _, groups in periods for key in groups} - {""}) for place in (0, 1)]
    fields = (
        Field("language", "Language", wanted[0], "choice", [_ANY, *known[0]]),
        Field("engine", "Written by", wanted[1], "choice", [_ANY, *known[1]]),
    )
    page = Page("Use", Form(fields, "Show") if periods else None)
    everything: Groups = {}
    rows = []
    for day, groups in periods:
        chosen = {key: tally for key, tally in groups.items() if _is_wanted(wanted, key)}
        for key, tally in chosen.items():
            everything.setdefault(key, Tally()).merge(tally)
        row = total(rows_of(chosen), wanted[1])
        rows += [(day, row)] if row is not None else []
    if rows:
        page.plots[:] = _plots(kind, rows)
    cells = [(label(kind, day), *_cells(row)) for day, row in reversed(rows)]
    page.tables.append(Table(f"By {kind}", (kind, *_COLUMNS.values()), cells, NOTHING))
    if rows:
        heads = (*_GROUPS.values(), *_COLUMNS.values())
        parts = [(*(str(row[name]) for name in _GROUPS), *_cells(row)) for row in rows_of(everything)]
        page.tables.append(Table("By language and engine", heads, parts))
        words = legend(("shown", "accepted", "accepted in part", "kept"))
        page.tables.append(Table("What the words mean", ("word", "meaning"), list(words.items())))
    return page


def _is_wanted(wanted: Sequence[str], key: Sequence[str]) -> bool:
    return all(one in (_ANY, value) for one, value in zip(wanted, key, strict=False))


def label(kind: str, first: date) -> str:
    """Return how a period is called."""
    return first.strftime("%Y-%m") if kind == "month" else first.isoformat()


def percent(value: float | None) -> str:
    """Return a share as text."""
    return "-" if value is None else f"{100 * value:.1f} %"


def _plots(kind: str, rows: Sequence[tuple[date, dict[str, Any]]]) -> list[tuple[str, str]]:
    start, span = rows[0][0], max((rows[-1][0] - rows[0][0]).days, 1)

    def dots(name: str) -> list[Dot]:
        return [
            Dot((day - start).days / span, row[name], note=f"{label(kind, day)}: {_cell(name, row)}")
            for day, row in rows
            if row[name] is not None
        ]

    ends = [(0.0, label(kind, rows[0][0]))] + ([(1.0, label(kind, rows[-1][0]))] if len(rows) > 1 else [])
    shares = f"Of the texts shown, accepted; of the accepted characters, kept; by {kind}"
    counts = f"Texts shown and accepted, by {kind}"
    shown = [(words, found) for name, words in _SHARES.items() if (found := dots(name))]
    numbers = [(name, dots(name)) for name in ("shown", "accepted")]
    return [
        (shares, time_plot(shown, ends, title=shares, up="share")),
        (counts, time_plot(numbers, ends, title=counts, up="texts", unit="")),
    ]


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [_cell(name, row) for name in _COLUMNS]


def _cell(name: str, row: Mapping[str, Any]) -> str:
    return percent(row[name]) if name in _SHARES else f"{row[name]:,}"
