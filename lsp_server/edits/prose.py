"""Sentences in strings: what an edit says about its own place, such as the message of an error."""

from functools import lru_cache
from typing import Final

from lsp_server.edits.changed_lines import is_block
from lsp_server.edits.quotes import strings
from lsp_server.edits.token_lines import is_word

WORDS: Final = 2
"""Words of a string that is a sentence, at least."""

KEPT: Final = 2_048
"""Changes of lines of which it is kept whether they bring a sentence."""


@lru_cache(KEPT)
def brings_sentence(old: str, new: str) -> bool:
    """Whether a changed line has more strings of several words than it had: one that is reworded does not count."""
    return not is_block(new) and _sentences(new) > _sentences(old)


def _sentences(line: str) -> int:
    texts = (line[start + 1 : end] for start, end in strings(line))
    return sum(sum(map(_counts, text.split())) >= WORDS for text in texts)


def _counts(text: str) -> bool:
    return is_word(text) and not text[0].isdigit()
