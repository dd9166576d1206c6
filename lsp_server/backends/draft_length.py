"""How many tokens to draft: as many as pay, by what passes of each width have cost and how often drafts agreed.

A pass over several tokens costs between half of one over a single token and as much as all of them one by one,
depending on model, library and machine, so it is measured while serving. Changes only speed, never the text. Knows no
model.
"""

from collections import defaultdict, deque

LENGTHS = (0, 1, 2, 3, 5, 8, 12)
"""Lengths of drafts that are tried; few, so that each one's cost is soon known."""

_LOOK = 8  # passes after which it is reckoned anew: reckoning takes as long as a tenth of a small model's pass
_BELIEVED = 3  # measurements of a width before it is believed
_KEPT = 8
_FORGET = 512  # passes after which costs are measured anew: the cache has grown or shrunk, neighbours came or went
_WIDER = 0.05  # what a token more is taken to cost until it is known, as a share of the pass
_MEMORY = 0.97  # weight of older drafts, per draft


class Pace:
    """Costs and agreement of one model's drafts. One thread at a time."""

    def __init__(self) -> None:
        self._costs: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._passes = 0
        self._chosen: dict[str, int] = {}
        self._agreed: defaultdict[str, float] = defaultdict(lambda: 1.0)
        self._tried: defaultdict[str, float] = defaultdict(lambda: 2.0)

    def passed(self, width: int, seconds: float) -> None:
        """A pass over ``width`` tokens took so long."""
        self._passes += 1
        if self._passes % _FORGET == 0:
            self._costs.clear()
        if self._passes % _LOOK == 0:
            self._chosen.clear()
        if width <= LENGTHS[-1] + 1:
            self._costs[width].append(max(seconds, 1e-9))

    def drafted(self, ground: str, agreed: int, length: int) -> None:
        """Of a draft on this ground, so many tokens agreed, and then one did not unless all did."""
        self._agreed[ground] = _MEMORY * self._agreed[ground] + agreed
        self._tried[ground] = _MEMORY * self._tried[ground] + min(agreed + 1, length)

    def length(self, ground: str, most: int) -> int:
        """Tokens to draft on this ground, at most ``most``: what gives the most tokens per second."""
        chosen = self._chosen.get(ground)
        if chosen is None:
            chosen = self._chosen[ground] = self._best(min(0.98, self._agreed[ground] / self._tried[ground]))
        return max(0, min(chosen, most))

    def _best(self, chance: float) -> int:
        known = {width: min(times) for width, times in self._costs.items() if len(times) >= _BELIEVED}
        tokens = {length: (1 - chance ** (length + 1)) / (1 - chance) for length in LENGTHS}
        return max(LENGTHS, key=lambda length: tokens[length] / _cost(length + 1, known))


def _cost(width: int, known: dict[int, float]) -> float:
    """Seconds of a pass. ``known`` holds the least of the last ones: what else the machine does only adds to it."""
    if width in known or not known:
        return known.get(width, 1.0)
    nearest = max((w for w in known if w < width), default=min(known))
    return known[nearest] * (1 + _WIDER * max(0, width - nearest))
