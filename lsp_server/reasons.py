"""Why something was shown or was not: every reason with its sentence."""

from typing import Final

REASONS: Final[dict[str, str]] = {
    "shown": "It was shown.",
    "typed-through": "It was the rest of the suggestion that was shown before: what was typed agreed with it.",
    "in-number": "The cursor is in the middle of a number, where nothing is suggested unasked.",
    "in-word": "The cursor is inside a word, where nothing is suggested unasked.",
    "line-ends": "It is more likely that the line ends here than that any suggestion is right.",
    "popup-finishes-word": "The suggestion would only finish the word, which the editor's own list does.",
    "indent-first": "The line is not indented yet, and the suggestion belongs deeper.",
    "does-not-fit": "What was found does not fit what stands behind the cursor, or the entry that the editor's list "
    "has selected, or it would write out a secret again.",
    "gate": "There was a suggestion, but it was not likely enough to be right to be shown unasked; "
    "ask for it by hand (Invoked), or lower the setting `precision`.",
    "no-match": "Nothing in the repository or in the open files continues this place.",
    "empty": "There was nothing to suggest.",
    "popup": "The editor's own completion list was open, and no suggestion continues its selected entry.",
    "superseded": "A newer request for the same document came before this one was answered.",
    "stale": "The document changed before the answer was ready, so the answer was dropped.",
    "cancelled": "The editor cancelled the request.",
    "late": "The answer took too long and was dropped.",
    "off": "Completions are switched off.",
    "language-off": "Completions are switched off for this language.",
    "excluded": "This file is excluded (by a setting, by .ondolignore, or because it holds keys), "
    "so nothing is suggested in it and nothing of it is used elsewhere.",
    "too-large": "The document is larger than `max_file_bytes`; completions are off in it.",
    "long-line": "The document has a line longer than `max_line_chars`; completions are off in it.",
    "broken-text": "The document holds half of a character (a lone surrogate); completions are off in it.",
    "not-open": "The editor asked about a document that it has not opened.",
    "starting": "The engine had not started yet.",
    "error": "The engine failed; the fault is counted and logged, and the next request is served as usual.",
}
