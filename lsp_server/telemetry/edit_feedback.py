"""What happened to the next edits that were offered: shown, accepted, dismissed. The records hold no text."""

import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from lsp_server.telemetry.traces import Recorder, Ring

ENGINE: Final = "next edit"
"""The engine that the records of edits name."""

EVENTS: Final = ("shown", "accepted", "dismissed")
REMEMBERED: Final = 50


@dataclass(slots=True)
class OfferedEdit:
    """An edit that was sent to the editor.

    :param characters: that it inserts. :ivar told: the events that were recorded.
    """

    id: str
    language: str
    probability: float
    characters: int
    ring: Ring | None
    told: set[str] = field(default_factory=set)


class EditFeedback:
    """Writes one record per event; an event counts once for each edit.

    :ivar counts: how often each event came since the server started.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.counts: Counter[str] = Counter()
        self._recorder = recorder
        self._offered: OrderedDict[str, OfferedEdit] = OrderedDict()

    def offer(self, offered: OfferedEdit) -> None:
        """Follow an edit."""
        self._offered[offered.id] = offered
        while len(self._offered) > REMEMBERED:
            self._offered.popitem(last=False)

    def stands(self, identifier: str) -> bool:
        """Whether an edit was neither accepted nor dismissed; it is followed on then."""
        offered = self._offered.get(identifier)
        if offered is None or offered.told - {"shown"}:
            return False
        self._offered.move_to_end(identifier)
        return True

    def tell(self, identifier: str, event: str) -> None:
        """Record an event; an edit that is accepted or dismissed was shown."""
        offered = self._offered.get(identifier)
        if offered is None:
            return
        for one in dict.fromkeys(("shown", event)):
            if one not in offered.told:
                offered.told.add(one)
                self.counts[one] += 1
                self._recorder.put(offered.ring, self._record(offered, one))

    def was_shown(self, identifier: str) -> bool:
        """Whether the editor reported that it shows an edit."""
        return identifier in self._offered and "shown" in self._offered[identifier].told

    def _record(self, offered: OfferedEdit, event: str) -> dict[str, Any]:
        facts = {"language": offered.language, "engine": ENGINE, "probability": round(offered.probability, 3)}
        characters = {} if event == "dismissed" else {"characters": offered.characters}
        return {"time": round(time.time(), 1), "event": event, "id": offered.id, **facts, **characters}
