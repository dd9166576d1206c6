"""Follows suggestions: shown, accepted, partially accepted, and how much of the accepted text is kept.

Retention is what counts, because people accept and then delete. After 30 seconds and after five minutes the accepted
text is looked for around the place where it was inserted. Only numbers are written, never text, and they stay on this
machine.

One record says how each automatic text ended: accepted, typed past, dismissed, replaced by another text, or gone, after
how many keys, and whether a part of it was accepted. The typing replay (``ondol eval --typing``) counts the same things
in the same words. A text counts once, however often it was typed through or suggested again where it stood.

This module knows no protocol.
"""

import difflib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from lsp_server.positions import UTF16, split_at
from lsp_server.telemetry.traces import Recorder, Ring

SHOWN_AFTER_S: Final = 0.75
LOOK_AFTER_S: Final = (30, 300)
AROUND: Final = 2_000
SHORTEST_PIECE: Final = 3
CLOSING: Final = " )]}\"'`;"
ENDS: Final = ("accepted", "past", "dismissed", "replaced", "gone")
"""How an automatic text can end; the replay has the same words."""

Later = Callable[[float, Callable[[], None]], object]


@dataclass(slots=True)
class Offered:
    """A suggestion that was sent to the editor.

    :param text: the whole replacement; its first ``skip`` characters were typed already.
    :param at: code point offset of the cursor.
    :param read: returns the document's current text, or None once it is closed.
    :param document: the key of its document. :param keys: changes of the document while it was on screen.
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
    part: bool = False
    keys: int = 0

    @property
    def insert(self) -> str:
        """The text that accepting it adds at the cursor."""
        return self.text[self.skip :]

    def goes_on_as(self, other: "Offered") -> bool:
        """Whether another text is the rest of this one after its beginning was typed; closing marks do not count."""
        rest = self.insert[max(other.at - self.at, 0) :].rstrip(CLOSING)
        return other.at >= self.at and rest == other.insert.rstrip(CLOSING) != ""


class Feedback:
    """Follows the suggestions of a process and writes one record per event.

    :param later: schedules a call after some seconds (the loop's ``call_later``).
    """

    def __init__(self, recorder: Recorder, later: Later) -> None:
        self._recorder = recorder
        self._later = later
        self._offered: dict[str, Offered] = {}
        self._on_screen: dict[str, Offered] = {}

    def offer(self, offered: Offered, still_there: Callable[[], bool]) -> None:
        """Follow a suggestion; it counts as shown if ``still_there()`` after 750 ms, or when the editor reports it."""
        if offered.id in self._offered:
            return
        before = self._on_screen.get(offered.document)
        again = before is not None and before.goes_on_as(offered)
        self._offered[offered.id] = before if again and before is not None else offered
        while len(self._offered) > 500:
            self._offered.pop(next(iter(self._offered)))
        if again:
            return
        self.ended(offered.document, "replaced")
        if offered.facts.get("automatic"):
            self._on_screen[offered.document] = offered

        def look() -> None:
            if still_there():
                self.shown(offered.id)

        self._later(SHOWN_AFTER_S, look)

    def key(self, document: str) -> None:
        """Count a change of a document for the text on screen in it."""
        if document in self._on_screen:
            self._on_screen[document].keys += 1

    def ended(self, document: str, how: str) -> None:
        """Record how the text on screen in a document ended, one of :data:`ENDS`; nothing where there is none."""
        offered = self._on_screen.pop(document, None)
        if offered is not None:
            facts = {"characters": len(offered.insert), "keys": offered.keys, "part": offered.part}
            self._write(offered, "ended", how=how, **facts)

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
        offered.part = True
        self._write(offered, "partial", characters=max(0, taken - offered.skip))
        return True

    def accepted(self, identifier: str) -> bool:
        """Record that all of it was accepted, and look again after 30 s and 5 min; return whether it is known."""
        offered = self._offered.get(identifier)
        if offered is None:
            return False
        self.shown(identifier)
        if self._on_screen.get(offered.document) is offered:
            self.ended(offered.document, "accepted")
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

    def _write(self, offered: Offered, event: str, **numbers: float | str) -> None:
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


def summarize(records: Iterable[dict[str, Any]], since: float = 0.0) -> list[dict[str, Any]]:
    """Return one row per language, engine and adapter: counts, rates, mean retention; the row ``all`` comes last.

    :param records: as :class:`Feedback` wrote them, in this version or an earlier one.
    :param since: seconds since the epoch.
    """
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in records:
        if float(record.get("time", 0)) < since:
            continue
        own = tuple(str(record.get(key) or "") for key in ("language", "engine", "adapter"))
        for key in (own, ("all", "", "")):
            _count(groups.setdefault(key, _empty()), record)  # type: ignore[arg-type]
    rows = []
    for key, counts in sorted(groups.items(), key=lambda pair: (pair[0][0] == "all", pair[0])):
        row = dict(zip(("language", "engine", "adapter"), key, strict=True)) | counts
        _add_ends(row)
        for name in ("shown", "accepted", "partial"):
            row[name] = len(row[name])
        row["characters"] = sum(counts["characters"].values())
        row["accepted_share"] = round(row["accepted"] / row["shown"], 3) if row["shown"] else None
        for name in ("kept_30", "kept_300", "similar_30", "similar_300"):
            values = row.pop(name)
            row[name] = round(sum(values) / len(values), 3) if values else None
        rows.append(row)
    return rows


def _add_ends(row: dict[str, Any]) -> None:
    """Replace the records of how texts ended by their number, shares and mean life time, as the typing replay has them.

    An editor may report an accept after its next request, which found nothing: an accepted text ended as accepted.
    """
    ends = row.pop("ends")
    hows = ["accepted" if name in row["accepted"] else one.get("how") for name, one in ends.items()]
    parts = sum(bool(one.get("part")) and how != "accepted" for one, how in zip(ends.values(), hows, strict=True))
    count = len(ends)
    row["seen"] = count
    row["accepted_whole"] = round(hows.count("accepted") / count, 3) if count else None
    row["accepted_in_part"] = round(parts / count, 3) if count else None
    row["typed_past"] = round(hows.count("past") / count, 3) if count else None
    row["keys_on_screen"] = round(sum(int(one.get("keys", 0)) for one in ends.values()) / count, 2) if count else None


def _empty() -> dict[str, Any]:
    return {
        "shown": set(),
        "accepted": set(),
        "partial": set(),
        "ends": {},
        "characters": {},
        "kept_30": [],
        "kept_300": [],
        "similar_30": [],
        "similar_300": [],
    }


def _count(counts: dict[str, Any], record: dict[str, Any]) -> None:
    event = record.get("event")
    if event in ("shown", "accepted", "partial"):
        counts[event].add(record.get("id"))
    if event == "ended":
        counts["ends"][record.get("id")] = record
    if event in ("accepted", "partial"):
        taken = counts["characters"]  # by suggestion: accepted word by word, the same text is reported several times
        taken[record.get("id")] = max(taken.get(record.get("id"), 0), int(record.get("characters", 0)))
    if event == "retained" and record.get("after") in LOOK_AFTER_S:
        counts[f"kept_{record['after']}"].append(float(record.get("kept", 0)))
        counts[f"similar_{record['after']}"].append(float(record.get("similarity", 0)))
