"""The words of every figure that users read: in reports, statistics, explanations and on the dashboard.

A word means the same everywhere, so that figures of a replay and of the own use can be compared.
"""

from collections.abc import Iterable
from typing import Final

WORDS: Final[dict[str, str]] = {
    "shown": "The editor displays the text as ghost text. While the user types what it says, it is the same text.",
    "right": "The author wrote exactly this text next.",
    "not usable": "The first word of the text is wrong, so no part of it can be accepted.",
    "saved": "What need not be typed, as a share of all keys or characters. Accepting a text costs one key.",
    "accepted": "The user took the whole text with one key.",
    "accepted in part": "The user took the beginning of the text, by word or by line.",
    "typed past": "The user typed something else.",
    "kept": "Share of the accepted characters that still stand there after 30 seconds, and after 5 minutes.",
    "probability": "How likely a text is right as a whole, as the gate judges it. The setting `precision` is the least "
    "probability at which a text is shown by itself.",
    "held back": "The text was found, but not shown by itself: its probability was below `precision`, or a rule about "
    "the cursor forbade it.",
    "interval": "The true figure lies between these two numbers in 95 of 100 cases like this one.",
}


def legend(words: Iterable[str]) -> dict[str, str]:
    """Return the meaning of some of the words, in the order given."""
    return {word: WORDS[word] for word in words}
