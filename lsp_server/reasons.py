"""Every reason why a completion was shown or was not, with the sentence that ``ondol explain`` prints."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class Reason(StrEnum):
    """The outcome of a completion request; traces store the value.

    :ivar sentence: what a user reads.
    """

    sentence: str

    def __new__(cls, value: str, sentence: str = "") -> "Reason":
        """Make a member from its value and its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    SHOWN = "shown", "It was sent to the editor, which shows it while the cursor stands there."
    TYPED_THROUGH = "typed-through", "It was the rest of the suggestion before: the typed text agreed with it."

    NEXT_EDIT = "next-edit", "An edit that was made before was offered at another place."
    MODEL_EDIT = (
        "model-edit",
        "What the edits propose for this line was not likely enough by itself, but the model wrote the same.",
    )
    NO_NEXT_EDIT = "no-next-edit", "No edit that was made before is likely enough to be wanted at another place."

    # Display rules: about the cursor, not about the text.
    IN_NUMBER = "in-number", "The cursor is in the middle of a number, where nothing is suggested automatically."
    IN_WORD = "in-word", "The cursor is inside a word, where nothing is suggested automatically."
    SAVES_LITTLE = (
        "saves-little",
        "There was a probable suggestion, but it would save too few keys to be worth a look.",
    )
    REFUSED = (
        "refused",
        "The suggestion was refused on this line before: something else was typed, or it was deleted after an accept.",
    )
    DISMISSED = (
        "dismissed",
        "A suggestion on this line was dismissed (Escape), so nothing is suggested automatically to its end.",
    )
    STANDS_BELOW = "stands-below", "The suggestion stands in one of the next lines already."
    INDENT_FIRST = "indent-first", "The line is not indented yet, and the suggestion belongs deeper."

    # No suggestion was good enough.
    LINE_ENDS = "line-ends", "It is more likely that the line ends here than that any suggestion is right."
    DOES_NOT_FIT = (
        "does-not-fit",
        "What was found does not fit the text behind the cursor or the selected entry of the editor's list, "
        "or it would write out a secret again.",
    )
    GATE = (
        "gate",
        "There was a suggestion, but it was not likely enough to be right to be shown automatically; "
        "request it by hand, or lower the setting `precision`.",
    )
    NO_MATCH = "no-match", "Nothing in the repository or in the open files continues the code at this cursor."
    EMPTY = "empty", "There was nothing to suggest."

    # The request ended before its answer.
    SUPERSEDED = "superseded", "A newer request for the same document came before this one was answered."
    STALE = "stale", "The document changed before the answer was ready, so the answer was dropped."
    CANCELLED = "cancelled", "The editor cancelled the request."
    LATE = "late", "The answer took too long and was dropped."
    WITHDRAWN = "withdrawn", "A file was deleted or excluded before the answer was ready, so the answer was dropped."
    RULES_CHANGED = "rules-changed", "A file that excludes others was written, so the answer was dropped."

    # Completions are off here.
    OFF = "off", "Completions are switched off."
    LANGUAGE_OFF = "language-off", "Completions are switched off for this language."
    EXCLUDED = (
        "excluded",
        "This file is excluded (by a setting, by .ondolignore, or because it holds keys), "
        "so nothing is suggested in it and nothing of it is used elsewhere.",
    )
    TOO_LARGE = "too-large", "The document is larger than `max_file_bytes`; completions are off in it."
    LONG_LINE = "long-line", "The document has a line longer than `max_line_chars`; completions are off in it."
    BROKEN_TEXT = (
        "broken-text",
        "The document holds half of a character (a lone surrogate); completions are off in it.",
    )
    NOT_OPEN = "not-open", "The editor asked about a document that it has not opened."

    # The engine.
    STARTING = "starting", "The engine had not started yet."
    ERROR = "error", "The engine failed; the fault is counted and logged, and the next request is served as usual."

    BASELINE = "baseline", "The n-gram baseline has no gate, so it answers invoked requests only."

    # The model of the hybrid engine; stored under ``model_reason``.
    RETRIEVAL_CERTAIN = (
        "copier-certain",
        "Retrieval had a suggestion that is probable enough, so the model was not asked.",
    )
    MODEL_LOADING = "loading", "The model was still being loaded."
    MODEL_PROBLEM = "problem", "The model failed; the log says why."
    MODEL_CLOSED = "closed", "The model had been stopped."
    MODEL_BUSY = "busy", "The model was busy with another request."
    MODEL_WAITING = "waiting", "The model had not answered yet when the request ended."


MODEL_REASONS: Final = frozenset(
    {
        Reason.RETRIEVAL_CERTAIN,
        Reason.MODEL_LOADING,
        Reason.MODEL_PROBLEM,
        Reason.MODEL_CLOSED,
        Reason.MODEL_BUSY,
        Reason.MODEL_WAITING,
    }
)
"""Reasons under ``model_reason`` that have a sentence; the others there are reasons for the end of a generation."""


def sentence(value: str) -> str:
    """Return the sentence for a stored reason; one that this version does not know is named as it is."""
    try:
        return Reason(value).sentence
    except ValueError:
        return f"The engine's verdict was `{value}`."


_REJECTED: Final = {
    "secret": "What was found would write out a secret again.",
    "mask": "What was found begins with a masked secret.",
    "misplaced": "What was found belongs somewhere else than at this cursor.",
    "unsound": "What was found would add a syntax error to the document.",
    "blank": "What was found adds nothing to the text around the cursor.",
}


def verdict(reason: str, trace: Mapping[str, Any]) -> str:
    """Return the sentence for an answer; where nothing fits, why what was found first did not."""
    rejected = trace.get("rejected")
    if reason == Reason.DOES_NOT_FIT and isinstance(rejected, list) and rejected and rejected[0] in _REJECTED:
        return _REJECTED[rejected[0]]
    return sentence(reason)
