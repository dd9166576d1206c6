"""The figures that the pages of ``ondol dashboard`` show: tiles, tables and plots made of what is stored.

It reads the reports of nightly runs and of replays, the registry and the statistics. It writes nothing; what may
change the registry is ``model_pages``.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from finetune.dashboard.events import Events
from finetune.dashboard.model_pages import ModelPages
from finetune.dashboard.page import Page, Table
from finetune.dashboard.replay_page import replay_page, report_in
from finetune.dashboard.use_page import NOTHING, percent, total, use_page
from finetune.evaluation.dated_files import in_order
from finetune.evaluation.svg_plots import Dot, time_plot
from finetune.evaluation.systems import systems_of
from finetune.nightly.promotion import titled
from indexer.config import Settings
from indexer.data_layout import index_directory, nightly_reports_directory, replay_reports_directory
from indexer.errors import OndolError
from indexer.storage.generations import Store
from lsp_server.telemetry.feedback import summarize

LONGEST_TABLE: Final = 200
"""Rows that a table shows; a note says how many more there are."""

WEEK_S: Final = 7 * 86400


class Figures:
    """Reads the figures of one repository; what may change while it runs is looked at again for each page.

    :param evaluations: reports of ``ondol eval --json``.
    :ivar models: the page of adapters.
    """

    def __init__(self, root: Path, settings: Settings, evaluations: tuple[Path, ...] = ()) -> None:
        self.name, self.models = root.name, ModelPages(root, settings)
        self._root, self._settings, self._evaluations = root, settings, evaluations
        self._events = Events(root, settings)

    def prepare(self) -> None:
        """Read the events before the first page asks for them."""
        self._events.read()

    def overview(self) -> Page:
        """Return whether it is on, what it saved in the last seven days, and which adapter is current."""
        page = Page("Overview")
        events = self._events.read()
        page.tiles.append(self._index_tile(page))
        page.tiles.append(
            ("probability from which a text is shown (`precision`)", f"{100 * self._settings.precision:.0f} %")
        )
        page.notes.extend(_last_week(events))
        if not events:
            page.problems.append(NOTHING)
        current = self.models.current()
        if current is not None:
            gain, _, interval = (current["gain"] or "-").partition(", ")
            page.tiles.extend(
                [
                    ("current adapter", f"version {current['version']}"),
                    ("exact rest of line, with retrieval", percent(current["exact"])),
                    ("gain over the base, in points" + (f" ({interval})" if interval else ""), gain),
                ]
            )
        return page

    def _index_tile(self, page: Page) -> tuple[str, str]:
        """Return the size of the index as a tile, or a sentence on the page where there is none."""
        try:
            counts = Store(index_directory(self._settings, self._root)).manifest().counts
        except OndolError as error:
            page.problems.append(f"{error} `ondol index` makes one; an editor does it by itself.")
            return "lines in the index", "none"
        return "lines in the index", f"{counts.get('lines', 0):,}"

    def use(self, query: Mapping[str, str]) -> Page:
        """Return how suggestions were used: over time, by language, engine and adapter."""
        return use_page(self._events, query)

    def nights(self) -> Page:
        """Return the figures of each nightly run, and its decision."""
        reports = nightly_reports(nightly_reports_directory(self._settings, self._root))
        shares: dict[str, list[tuple[int, float, str]]] = {}
        for number, one in enumerate(reports):
            for name, figures in _systems(one).items():
                value = float(figures["overall"]["exact"]["value"])
                shares.setdefault(name, []).append((number, value, f"{_day(one)}, {titled(name)}: {percent(value)}"))
        series = [
            (titled(name), [Dot(at / max(len(reports) - 1, 1), value, note=note) for at, value, note in values])
            for name, values in shares.items()
        ]
        title = "Exact rest of line on commits that were not used for training, by nightly run"
        ends = [(0.0, _day(reports[0]))] + ([(1.0, _day(reports[-1]))] if len(reports) > 1 else []) if reports else []
        plots = [(title, time_plot(series, ends, title=title, up="share exact"))] if series else []
        rows = [(_minute(r), str(r.get("status", "")), str(r.get("summary") or "")) for r in reversed(reports)]
        table = _table("Nightly runs", ("run", "result", "summary"), rows, "No run yet: `ondol finetune` makes one.")
        return Page("Nights", plots=plots, tables=[table])

    def replay(self) -> Page:
        """Return the given and the last reports of ``ondol eval``."""
        return replay_page(replay_reports_directory(self._settings, self._root), self._evaluations)


def nightly_reports(folder: Path) -> list[dict[str, Any]]:
    """Return the reports of nightly runs, the oldest first; an unreadable one as a row with its file's name."""
    found = []
    for path in in_order(folder):
        try:
            found.append(report_in(path))
        except (OSError, ValueError):
            found.append({"made": path.stem, "status": "unreadable", "summary": path.name})
    return found


def _last_week(events: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was shown, taken and kept in the last seven days, in sentences."""
    if not events:
        return []
    newest = datetime.fromtimestamp(max(one.get("time", 0) for one in events))
    last = f"The last text was shown or taken on {newest:%Y-%m-%d at %H:%M}."
    since = time.time() - WEEK_S
    week = total(summarize(one for one in events if one.get("time", 0) >= since))
    if week is None or not week["shown"]:
        return [f"Nothing was shown in the last 7 days. {last} The page Use has what was before."]
    kept = (
        f", and {100 * week['kept_300']:.0f} % of these still stood there after 5 minutes" if week["kept_300"] else ""
    )
    return [
        f"In the last 7 days, {week['shown']:,} texts were shown and {week['accepted']:,} of them accepted "
        f"({percent(week['accepted_share'])}). {week['characters']:,} characters were not typed{kept}.",
        last,
    ]


def _minute(report: Mapping[str, Any]) -> str:
    return str(report.get("made", ""))[:16].replace("T", " ")


def _day(report: Mapping[str, Any]) -> str:
    return str(report.get("made", ""))[:10]


def _systems(report: dict[str, Any]) -> dict[str, Any]:
    try:
        found = systems_of(report["replay"]) if "replay" in report else {}
        return {name: one for name, one in found.items() if one["overall"]["exact"]["value"] is not None}
    except (KeyError, TypeError, AttributeError):
        return {}


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], empty: str) -> Table:
    more = len(rows) - LONGEST_TABLE
    return Table(title, heads, rows[:LONGEST_TABLE], empty, f"and {more:,} more" if more > 0 else "")
