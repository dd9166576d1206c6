"""How long a request stays open for the model, and whether that is of any use on this machine.

A model that is never there in time is reported once. Requests then no longer wait for it, but it is still asked: what
it wrote may answer a later request.
"""

from collections.abc import Callable
from typing import Final

NEVER_IN_TIME: Final = 10
"""Waits without an answer, one after the other, from which a model counts as too slow."""


class Patience:
    """The waits of one session. Used by the engine's thread.

    :param least: seconds that a request waits at least. :param report: called once with a sentence for the user.
    """

    def __init__(self, least: float, report: Callable[[str], None] = lambda message: None) -> None:
        self._least = least
        self._report = report
        self._late = 0
        self._reported = False

    def seconds(self, expected: float) -> float:
        """Return how long a request waits.

        :param expected: what the model needs at its measured speed; 0.0 where that is not known.
        """
        return 0.0 if self._late >= NEVER_IN_TIME else max(self._least, expected)

    def record(self, *, in_time: bool) -> None:
        """Record how a wait ended that no key has ended."""
        self._late = 0 if in_time else self._late + 1
        if self._late == NEVER_IN_TIME and not self._reported:
            self._reported = True
            self._report(
                f"the model was not in time {NEVER_IN_TIME} times in a row, so nothing waits for it any more; "
                "retrieval goes on as before. A smaller model is faster (`ondol doctor`)"
            )
