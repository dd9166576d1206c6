"""The events of a repository's suggestions, kept between two pages until their files change.

Reading 100,000 events takes half a second of processor time, and counting them by day as long again.
"""

import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.data_layout import STATS
from lsp_server.telemetry import feedback
from lsp_server.telemetry.feedback import Tally, group_of
from lsp_server.telemetry.traces import ring_of

DAYS: Final = 21
WEEKS: Final = 26
"""Time spans up to which a period is a day, and a week; beyond them it is a month."""

QUARTER_S: Final = 900
"""Seconds of a quarter of an hour: every time zone's day begins with one."""

PERIODS: Final = 120
"""Periods that are kept, the newest ones."""

Groups = dict[tuple[str, str, str], Tally]
"""Counts by language, engine and adapter."""

Periods = tuple[str, list[tuple[date, Groups]]]
"""What a period is (``day``, ``week``, ``month``), and the counts of each by its first day."""


class Events:
    """The events of one repository. Several threads may ask."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._root, self._settings = root, settings
        self._lock = threading.Lock()
        self._state: object = ()
        self._events: list[dict[str, Any]] = []
        self._periods: Periods | None = None

    def read(self) -> list[dict[str, Any]]:
        """Return the events, the oldest first."""
        with self._lock:
            return self._read()

    def periods(self) -> Periods:
        """Return their counts by period."""
        with self._lock:
            events = self._read()
            if self._periods is None:
                self._periods = by_period(events)
            return self._periods

    def _read(self) -> list[dict[str, Any]]:
        ring = ring_of(self._settings, self._root, STATS, 0)
        state = ring.state() if ring is not None else ()
        if state != self._state:
            self._events, self._periods = feedback.events(ring.read()) if ring is not None else [], None
            self._state = state  # of before the reading: what is written meanwhile is read the next time
        return self._events


def by_period(events: Sequence[dict[str, Any]]) -> Periods:
    """Count each event once, in its period; everything else is made by merging."""
    if not events:
        return "day", []
    quarters = [int(one.get("time", 0)) // QUARTER_S for one in events]
    days = {quarter: datetime.fromtimestamp(quarter * QUARTER_S).date() for quarter in set(quarters)}
    span = (max(days.values()) - min(days.values())).days
    kind = "day" if span < DAYS else "week" if span < 7 * WEEKS else "month"
    firsts = {quarter: _first(kind, day) for quarter, day in days.items()}
    periods: dict[date, Groups] = {}
    for quarter, one in zip(quarters, events, strict=True):
        groups = periods.setdefault(firsts[quarter], {})
        key = group_of(one)
        tally = groups.get(key)
        if tally is None:
            tally = groups[key] = Tally()
        tally.add(one)
    return kind, sorted(periods.items())[-PERIODS:]


def _first(kind: str, day: date) -> date:
    """Return the first day of the period of a day."""
    if kind == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind == "month" else day
