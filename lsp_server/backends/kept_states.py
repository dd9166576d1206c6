"""States of a model's cache that are kept while it works on another prompt: those of the last documents.

Knows token ids only.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Protocol

STATES: Final = 4
"""Kept states: the documents that are edited together."""

STATE_BYTES: Final = 512_000_000
"""Of all kept states."""

WORTH_KEEPING: Final = 128
"""Tokens that a cache must lose before it is copied; fewer are computed again as fast."""

WORTH_RESTORING: Final = 32
"""Tokens that a kept state must have more than the cache."""


class Stateful(Protocol):
    """A model whose cache can be copied."""

    def state(self) -> Any:
        """A copy of the cache, with ``nbytes``; None where the model cannot make one."""
        ...

    def restore(self, state: Any, tokens: Sequence[int]) -> None:
        """Put a copy of the cache, which holds these tokens, in the place of the cache."""
        ...


class KeptStates:
    """The kept states of one model."""

    def __init__(self, model: Stateful) -> None:
        self._model = model
        self._states: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def forget(self) -> None:
        """Drop all states."""
        self._states.clear()

    def longest(self, ids: Sequence[int]) -> int:
        """Return how many of these tokens a kept state holds, from the first on."""
        return max((common(have, ids) for have in self._states), default=0)

    def change(self, fed: list[int], ids: Sequence[int]) -> list[int]:
        """Keep what the cache would lose for a new prompt, and go on from a kept state where that has more of it.

        :param fed: the tokens in the cache. :param ids: the new prompt.
        :returns: the tokens in the cache now.
        """
        same = common(fed, ids)
        best = max(self._states, key=lambda have: common(have, ids), default=())
        better = common(best, ids) >= same + WORTH_RESTORING
        if len(fed) - same >= WORTH_KEEPING:
            self._keep(tuple(fed))
        if not better or best not in self._states:
            return fed
        self._states.move_to_end(best)
        self._model.restore(self._states[best], best)
        return list(best)

    def _keep(self, fed: tuple[int, ...]) -> None:
        for have in [have for have in self._states if fed[: len(have)] == have]:
            del self._states[have]  # the new state holds all of it
        state = self._model.state()
        if state is None:
            return
        self._states[fed] = state
        while len(self._states) > STATES or sum(kept.nbytes for kept in self._states.values()) > STATE_BYTES:
            self._states.popitem(last=False)


def common(have: Sequence[int], want: Sequence[int]) -> int:
    """Return how many tokens two lists begin with together."""
    for at, (one, other) in enumerate(zip(have, want, strict=False)):
        if one != other:
            return at
    return min(len(have), len(want))
