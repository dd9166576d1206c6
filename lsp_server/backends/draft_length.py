"""How many tokens to draft: the length that gives the most tokens per second.

A pass over several tokens costs between half a pass over one token and as much as all of them one by one, depending on
model, library and machine. So passes are measured while serving, and how often drafts agree is counted. The length
changes only speed, never the text. Knows no model.
"""

from collections import defaultdict, deque

LENGTHS = (0, 1, 2, 3, 5, 8, 12)
"""Lengths of drafts that are tried; few, so that the cost of each is soon known."""

NEEDED = 3
"""Measurements of a width before they count."""

_CHOOSE_EVERY = 8  # passes between two choices: a choice takes as long as a tenth of a small model's pass
_KEPT = 8  # measurements of a width that are remembered
_MEASURE_AGAIN = 512  # passes after which costs are forgotten: the cache or the load of the machine has changed
_WIDER = 0.05  # assumed cost of one more token until any wide pass is measured, as a share of the pass
_DECAY = 0.97  # weight of older drafts, per draft


class DraftLength:
    """Costs of one model's passes and agreement of its drafts. Used by one thread at a time."""

    def __init__(self) -> None:
        self._more: deque[float] = deque(maxlen=_KEPT)
        self._costs: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._passes = 0
        self._chosen: dict[str, int] = {}
        self._agreed: defaultdict[str, float] = defaultdict(lambda: 1.0)
        self._tried: defaultdict[str, float] = defaultdict(lambda: 2.0)

    def record_pass(self, width: int, seconds: float) -> None:
        """Record what a pass over ``width`` tokens took."""
        self._passes += 1
        if self._passes % _MEASURE_AGAIN == 0:
            self._costs.clear()
        if self._passes % _CHOOSE_EVERY == 0:
            self._chosen.clear()
        if width <= LENGTHS[-1] + 1:
            self._costs[width].append(max(seconds, 1e-9))
        else:
            self._more.append(max(seconds, 1e-9) / width)

    def record_draft(self, source: str, agreed: int, length: int) -> None:
        """Record that the first ``agreed`` of ``length`` tokens agreed that were drafted, or would have been."""
        self._agreed[source] = _DECAY * self._agreed[source] + agreed
        self._tried[source] = _DECAY * self._tried[source] + min(agreed + 1, length)

    def choose(self, source: str, most: int) -> int:
        """Tokens to draft from this source, at most ``most``."""
        chosen = self._chosen.get(source)
        if chosen is None:
            chosen = self._chosen[source] = self._best(min(0.98, self._agreed[source] / self._tried[source]))
        return max(0, min(chosen, most))

    def _best(self, chance: float) -> int:
        known = {width: min(times) for width, times in self._costs.items() if len(times) >= NEEDED}
        more = min(self._more, default=None)
        tokens = {length: (1 - chance ** (length + 1)) / (1 - chance) for length in LENGTHS}
        return max(LENGTHS, key=lambda length: tokens[length] / _cost(length + 1, known, more))


def _cost(width: int, known: dict[int, float], more: float | None) -> float:
    """Return the seconds of a pass.

    :param known: the least of the last measurements, by width: other load only adds to it.
    :param more: what a token takes in a wide pass. On a CPU, where one more token takes nearly as long as another pass,
        a draft that is only tried out costs as much as many tokens of an answer.
    """
    if width in known or not known:
        return known.get(width, 1.0)
    nearest = max((w for w in known if w < width), default=min(known))
    wider = max(0, width - nearest)
    return known[nearest] + wider * (more if more is not None else _WIDER * known[nearest])
