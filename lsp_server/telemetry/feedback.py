"""Follows suggestions: shown, accepted, partially accepted, and how much of the accepted text is kept.

Retention is what counts, because people accept and then delete. After 30 seconds and after five minutes the accepted
text is looked for around the place where it was inserted. Only numbers are written, never text, and they stay on this
machine.

This module knows no protocol.
"""

import difflib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lsp_server.positions import UTF16, split_at
from lsp_server.telemetry.edit_feedback import ENGINE as EDITS
from lsp_server.telemetry.traces import Recorder, Ring

SHOWN_AFTER_S: Final = 0.75
LOOK_AFTER_S: Final = (30, 300)
AROUND: Final = 2_000
SHORTEST_PIECE: Final = 3
EVENTS: Final = ("shown", "accepted", "partial", "dismissed")
"""Events of a text; each counts once for each text, and one that was accepted whole is not accepted in part."""

_AFTER: Final = tuple(f"{name}_{seconds}" for name in ("kept", "similar") for seconds in LOOK_AFTER_S)

LATEST: Final = 1e11
"""Seconds since the epoch beyond which a time is none."""

Later = Callable[[float, Callable[[], None]], object]


@dataclass(slots=True)
class Offered:
    """A suggestion that was sent to the editor.

    :param text: the whole replacement; its first ``skip`` characters were typed already.
    :param at: code point offset of the cursor.
    :param read: returns the document's current text, or None once it is closed. :param document: its name.
    """

    id: str
    text: str
    skip: int
    at: int
    ring: Ring | None
    facts: dict[str, Any]
    read: Callable[[], str | None]
    document: str = ""
    shown: bool = False
    accepted: bool = False

    @property
    def insert(self) -> str:
        """The text that accepting it adds at the cursor."""
        return self.text[self.skip :]

    def goes_on(self, before: "Offered") -> bool:
        """Whether this is the rest of a text offered before, of which the user typed the beginning."""
        typed = self.at - before.at
        same = (self.ring, self.document) == (before.ring, before.document) and typed >= 0 and not before.accepted
        return same and bool(self.insert) and before.insert[typed:] == self.insert


class Feedback:
    """Follows the suggestions of a process and writes one record per event.

    :param later: schedules a call after some seconds (the loop's ``call_later``).
    """

    def __init__(self, recorder: Recorder, later: Later) -> None:
        self._recorder = recorder
        self._later = later
        self._offered: dict[str, Offered] = {}
        self._last: Offered | None = None

    def offer(self, offered: Offered, still_there: Callable[[], bool]) -> None:
        """Follow a suggestion; it counts as shown if ``still_there()`` after 750 ms, or when the editor reports it.

        A text that is the rest of the one before is the same text to the user, whatever its id: it counts once.
        """
        if offered.id in self._offered:
            return
        before = self._last
        self._last = before if before is not None and offered.goes_on(before) else offered
        self._offered[offered.id] = self._last
        while len(self._offered) > 500:
            self._offered.pop(next(iter(self._offered)))

        def look() -> None:
            if still_there():
                self.shown(offered.id)

        self._later(SHOWN_AFTER_S, look)

    def shown(self, identifier: str) -> bool:
        """Record that the editor shows a suggestion; return whether it is known."""
        offered = self._offered.get(identifier)
        if offered is not None and not offered.shown:
            offered.shown = True
            self._write(offered, "shown", characters=len(offered.insert), lines=offered.insert.count("\n") + 1)
        return offered is not None

    def partially_accepted(self, identifier: str, length: int) -> bool:
        """Record that the text was accepted up to ``length``, in UTF-16 units; return whether it is known."""
        offered = self._offered.get(identifier)
        if offered is None:
            return False
        self.shown(identifier)
        taken = len(split_at(offered.text, max(0, length), UTF16)[0])
        self._write(offered, "partial", characters=max(0, taken - offered.skip))
        return True

    def accepted(self, identifier: str) -> bool:
        """Record that all of it was accepted, and look again after 30 s and 5 min; return whether it is known."""
        offered = self._offered.get(identifier)
        if offered is None:
            return False
        self.shown(identifier)
        if not offered.accepted:
            offered.accepted = True
            self._write(offered, "accepted", characters=len(offered.insert))
            for seconds in LOOK_AFTER_S:
                self._later(seconds, lambda seconds=seconds: self._look(offered, seconds))  # type: ignore[misc]
        return True

    def _look(self, offered: Offered, seconds: int) -> None:
        text = offered.read()
        if text is None:
            return
        kept, similarity = retained(offered.insert, text, offered.at)
        self._write(offered, "retained", after=seconds, kept=round(kept, 3), similarity=round(similarity, 3))

    def _write(self, offered: Offered, event: str, **numbers: float) -> None:
        record = {"time": round(time.time(), 1), "event": event, "id": offered.id, **offered.facts, **numbers}
        self._recorder.put(offered.ring, record)


def retained(accepted: str, text: str, at: int) -> tuple[float, float]:
    """Return which part of the accepted text is kept, and how similar the text in its place is; both from 0 to 1.

    :param at: where it was inserted; the search is limited to the text around it.
    """
    accepted = accepted.strip()
    if not accepted:
        return 1.0, 1.0
    around = text[max(0, at - AROUND) : at + len(accepted) + AROUND]
    if accepted in around:
        return 1.0, 1.0
    matcher = difflib.SequenceMatcher(None, accepted, around, autojunk=False)
    pieces = [piece for piece in matcher.get_matching_blocks() if piece.size >= min(SHORTEST_PIECE, len(accepted))]
    if not pieces:
        return 0.0, 0.0
    kept = sum(piece.size for piece in pieces) / len(accepted)
    now = around[pieces[0].b : pieces[-1].b + pieces[-1].size]
    return kept, difflib.SequenceMatcher(None, accepted, now, autojunk=False).ratio()


def events(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records that are events: a damaged file may hold anything."""
    return [
        one
        for one in records
        if isinstance(at := one.get("time", 0), int | float)
        and 0 <= at < LATEST
        and isinstance(one.get("event"), str)
        and isinstance(one.get("id"), str)
    ]


class Tally:
    """Counts of a group of events."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {event: set() for event in EVENTS}  # ids of texts: a text counts once
        self._characters: dict[str, int] = {}
        self._after: dict[str, list[float]] = {name: [] for name in _AFTER}

    def add(self, record: dict[str, Any]) -> None:
        """Count an event, as :func:`events` returns it."""
        event, identifier = record["event"], record["id"]
        if event in self._ids:
            self._ids[event].add(identifier)
        if event == "accepted" or event == "partial":
            # By suggestion: accepted word by word, the same text is reported several times.
            taken = self._characters
            taken[identifier] = max(taken.get(identifier, 0), int(_number(record, "characters")))
        elif event == "retained" and record.get("after") in LOOK_AFTER_S:
            self._after[f"kept_{record['after']}"].append(_number(record, "kept"))
            self._after[f"similar_{record['after']}"].append(_number(record, "similarity"))

    def merge(self, other: "Tally") -> None:
        """Add the counts of another group."""
        for event, ids in other._ids.items():
            self._ids[event] |= ids
        for identifier, count in other._characters.items():
            self._characters[identifier] = max(self._characters.get(identifier, 0), count)
        for name, values in other._after.items():
            self._after[name] += values

    def row(self) -> dict[str, Any]:
        """Return counts, rates and mean retention; a mean of nothing is None."""
        row: dict[str, Any] = {event: len(ids) for event, ids in self._ids.items()}
        row["partial"] = len(self._ids["partial"] - self._ids["accepted"])
        row["characters"] = sum(self._characters.values())
        row["accepted_share"] = round(row["accepted"] / row["shown"], 3) if row["shown"] else None
        for name, values in self._after.items():
            row[name] = round(sum(values) / len(values), 3) if values else None
        return row


def group_of(record: dict[str, Any]) -> tuple[str, str, str]:
    """Return language, engine and adapter of an event."""
    return str(record.get("language") or ""), str(record.get("engine") or ""), str(record.get("adapter") or "")


def summarize(records: Iterable[dict[str, Any]], since: float = 0.0) -> list[dict[str, Any]]:
    """Return one row per language, engine and adapter: counts, rates, mean retention; the rows ``all`` come last.

    :param records: as :class:`Feedback` and ``EditFeedback`` wrote them, in this version or an earlier one.
    :param since: seconds since the epoch.
    """
    groups: dict[tuple[str, str, str], Tally] = {}
    for record in events(records):
        if record.get("time", 0) >= since:
            key = group_of(record)
            if key not in groups:
                groups[key] = Tally()
            groups[key].add(record)
    return rows_of(groups)


def rows_of(groups: Mapping[tuple[str, str, str], Tally]) -> list[dict[str, Any]]:
    """Return the rows of groups by language, engine and adapter; the rows ``all`` come last.

    Next edits have a row ``all`` of their own.
    """
    everything: dict[tuple[str, str, str], Tally] = {}
    for (_, engine, _), tally in groups.items():
        everything.setdefault(("all", EDITS if engine == EDITS else "", ""), Tally()).merge(tally)
    pairs = [*sorted(groups.items(), key=lambda pair: pair[0]), *sorted(everything.items(), key=lambda pair: pair[0])]
    return [dict(zip(("language", "engine", "adapter"), key, strict=True)) | tally.row() for key, tally in pairs]


def _number(record: dict[str, Any], name: str) -> float:
    value = record.get(name, 0)
    return float(value) if isinstance(value, int | float) and abs(value) < LATEST else 0.0
