"""The figures that the pages of ``ondol dashboard`` show: tiles, tables and plots made of what is stored.

It reads the reports of nightly runs, the registry, the statistics and given replay reports. It writes nothing.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from finetune.adapters.overview import row_of
from finetune.dashboard.page import Page, Table
from finetune.evaluation.summary import MEASURES
from finetune.evaluation.svg_plots import line_plot
from finetune.evaluation.systems import systems_of
from indexer.config import Settings
from indexer.data_layout import STATS, nightly_reports_directory, registry_directory
from lsp_server.telemetry.feedback import summarize
from lsp_server.telemetry.traces import ring_of
from lsp_server.weights.adapter_registry import current_number
from lsp_server.weights.adapter_registry_writer import versions

LONGEST_TABLE: Final = 200
"""Rows that a table shows; a note says how many more there are."""

_USE: Final = {
    "language": "language",
    "engine": "written by",
    "adapter": "adapter",
    "shown": "shown",
    "accepted": "accepted",
    "accepted_share": "share accepted",
    "partial": "accepted in part",
    "characters": "characters",
    "kept_30": "kept after 30 s",
    "kept_300": "kept after 5 min",
}
_SHARES: Final = ("accepted_share", "kept_30", "kept_300")
_VERSIONS: Final = ("version", "current", "made", "base", "commits", "samples", "exact", "over the base", "remarks")


class Figures:
    """Reads the figures of one repository, again for each page.

    :param evaluations: reports of ``ondol eval --json``.
    """

    def __init__(self, root: Path, settings: Settings, evaluations: tuple[Path, ...] = ()) -> None:
        self.name = root.name
        self._root, self._settings, self._evaluations = root, settings, evaluations

    def overview(self) -> Page:
        """Return which adapter is current, what it gains, and what was used."""
        rows = self._versions()
        current = next((row for row in rows if row["current"]), None)
        total = self._use()[-1:]
        gain, _, interval = ((current["gain"] if current else None) or "-").partition(", ")
        tiles = [
            ("current adapter", f"version {current['version']}" if current else "none"),
            ("exact rest of line, with retrieval", percent(current["exact"] if current else None)),
            ("gain over the base, in points" + (f" ({interval})" if interval else ""), gain),
        ]
        tiles += [("suggestions shown", f"{row['shown']:,}") for row in total]
        tiles += [("accepted", percent(row["accepted_share"])) for row in total]
        tiles += [("kept after 5 minutes", percent(row["kept_300"])) for row in total]
        return Page("Overview", tiles=tiles, tables=[] if total else [_use_table([])])

    def use(self) -> Page:
        """Return how suggestions were used, by language, engine and adapter."""
        return Page("Use", tables=[_use_table(self._use())])

    def nights(self) -> Page:
        """Return the figures of each nightly run, and its decision."""
        reports = nightly_reports(nightly_reports_directory(self._settings, self._root))
        shares: dict[str, list[float]] = {}
        for one in reports:
            for name, figures in _systems(one).items():
                shares.setdefault(name, []).append(float(figures["overall"]["exact"]["value"]))
        curves = [
            (name, [(number / max(len(values) - 1, 1), value) for number, value in enumerate(values)])
            for name, values in shares.items()
        ]
        title = "Exact rest of line on commits that were not used for training"
        plots = [line_plot(curves, [], title=title, across="nightly runs, the oldest first", up="share exact")]
        rows = [
            (str(r.get("made", "")), str(r.get("status", "")), str(r.get("summary") or "")) for r in reversed(reports)
        ]
        table = _table("Nightly runs", ("run", "result", "summary"), rows, "No run yet: `ondol finetune` makes one.")
        return Page("Nights", plots=plots if curves else [], tables=[table])

    def models(self) -> Page:
        """Return the versions of the registry, the newest first."""
        rows = [
            (
                str(row["version"]),
                "current" if row["current"] else "",
                str(row["made"] or "")[:16].replace("T", " "),
                str(row["base"] or ""),
                _count(row["commits"]),
                _count(row["samples"]),
                percent(row["exact"]),
                row["gain"] or "",
                "; ".join(filter(None, (row["verdict"], row["mark"], row["problem"]))),
            )
            for row in self._versions()
        ]
        return Page(
            "Models", tables=[_table("Adapters", _VERSIONS, rows, "No adapter yet: `ondol finetune` trains one.")]
        )

    def replay(self) -> Page:
        """Return the given reports of ``ondol eval --json``."""
        page = Page("Replay")
        for path in self._evaluations:
            try:
                page.tables.append(_evaluation(path))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                page.problems.append(f"{path} is not a report of `ondol eval --json`.")
        if not self._evaluations:
            hint = "No report was given: `ondol eval --json > report.json`, then `ondol dashboard --eval report.json`."
            page.tables.append(Table("Reports", (), [], hint))
        return page

    def _versions(self) -> list[dict[str, Any]]:
        registry = registry_directory(self._settings, self._root)
        now = current_number(registry)
        return [row_of(one, now, {}) for one in reversed(versions(registry))]

    def _use(self) -> list[dict[str, Any]]:
        ring = ring_of(self._settings, self._root, STATS, 0)
        return summarize(ring.read() if ring is not None else [])


def nightly_reports(folder: Path) -> list[dict[str, Any]]:
    """Return the reports of nightly runs, the oldest first; an unreadable one as a row with its file's name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            report = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            report = None
        unreadable = {"made": path.stem, "status": "unreadable", "summary": path.name}
        found.append(report if isinstance(report, dict) else unreadable)
    return found


def percent(value: float | None) -> str:
    """Return a share as text."""
    return "-" if value is None else f"{100 * value:.1f} %"


def _systems(report: dict[str, Any]) -> dict[str, Any]:
    try:
        found = systems_of(report["replay"]) if "replay" in report else {}
        return {name: one for name, one in found.items() if one["overall"]["exact"]["value"] is not None}
    except (KeyError, TypeError, AttributeError):
        return {}


def _use_table(rows: list[dict[str, Any]]) -> Table:
    cells = [tuple(percent(row[key]) if key in _SHARES else str(row[key]) for key in _USE) for row in rows]
    empty = "Nothing was shown yet: open a file of this repository in an editor that runs Ondol, and type."
    return _table("Use of suggestions", tuple(_USE.values()), cells, empty)


def _evaluation(path: Path) -> Table:
    report = json.loads(path.read_text("utf-8"))
    systems = systems_of(report)
    rows = [
        (measure.label, *(percent(one["overall"][key]["value"]) for one in systems.values()))
        for key, measure in MEASURES.items()
        if all(key in one["overall"] for one in systems.values())
    ]
    heads = ("figure", *(name.replace("_", " ") for name in systems))
    return _table(
        f"{path.name}: {report['repository']}, {report['cases']:,} cursors", heads, rows, "It has no figures."
    )


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], empty: str) -> Table:
    more = len(rows) - LONGEST_TABLE
    return Table(title, heads, rows[:LONGEST_TABLE], empty, f"and {more:,} more" if more > 0 else "")


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
