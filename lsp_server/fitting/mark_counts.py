"""Counts marks in the text above a cursor, from what was counted at the last cursor of the same document.

Counting line ends in 400,000 characters takes 0.3 ms. When the cursor jumps, the text above it becomes longer or
shorter, and only the difference is counted.
"""

import numpy as np


class MarkCounts:
    """The counts of one document. A mark holds no line end, or is one; a text ends with a line end, or is empty."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int]] = {}

    def of(self, text: str, mark: str) -> int:
        """Return how often a text holds a mark, those that overlap once."""
        before, count = self._known.get(mark, ("", 0))
        if len(text) >= len(before) and text.startswith(before):
            count += _count(text[len(before) :], mark)
        elif len(text) > len(before) - len(text) and before.startswith(text):
            count -= _count(before[len(text) :], mark)
        else:
            count = _count(text, mark)
        self._known[mark] = (text, count)
        return count


def _count(text: str, mark: str) -> int:
    if len(mark) > 1 or not mark.isascii():
        return text.count(mark)
    # In a string this takes four times as long: 0.8 ms in 200,000 characters.
    encoded = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    return int(np.count_nonzero(encoded == ord(mark)))
