"""Text to search terms: identifiers, their parts split at case and underscore, pairs of syllables for Korean, Chinese
and Japanese.

The same function makes the terms of a chunk and of a query. Words are not stemmed, and there are no stop words: in code
``is`` and ``not`` may be the word that is searched for, and BM25 gives frequent words a low weight anyway. Order and
repetition are kept; ``chunking`` counts them.
"""

import re
import unicodedata
from itertools import chain
from typing import Final

# Every byte of a text that cannot be part of a word becomes a space: translate and split find the words twice as fast
# as a regular expression. Bytes from 128 on are kept, so a word may hold punctuation of other scripts; those few words
# are split by regular expressions, once each.
_SEPARATED = bytes(byte if byte >= 128 or byte == 95 or chr(byte).isalnum() else 32 for byte in range(256))
_WORD = re.compile(r"\w+")
# httpServer2XML -> http Server 2 XML; HTTPServer -> HTTP Server.
IDENTIFIER_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\x00-\x7f]+")
# Hangul syllables and jamo, kana, CJK ideographs with their extensions: scripts written without a space per word, or
# (Korean) with endings glued to the word.
_SYLLABLES = re.compile(
    "[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+"
)
# A word longer than this is a hash, a key or base64: its parts would be noise.
# Tantivy refuses terms above 65,530 bytes.
_LONGEST_WORD = 120
# As fast as with 500,000 words; on a kernel those of the three caches of a worker took more than 500 MB.
_CACHE_SIZE = 50_000


class _Cache(dict[bytes, tuple[str, ...]]):
    """Cache of split words, emptied when full."""

    def __missing__(self, word: bytes) -> tuple[str, ...]:
        if len(self) >= _CACHE_SIZE:
            self.clear()
        found = self[word] = tuple(_split(word.decode("utf-8", "replace")))
        return found


_cache = _Cache()


def words(text: str) -> list[bytes]:
    """The runs of letters, digits, underscores and characters beyond ASCII, as UTF-8."""
    return text.encode("utf-8", "replace").translate(_SEPARATED).split()


def terms(text: str) -> list[str]:
    """Search terms of a text, in order, with repetition; each is non-empty, lower case and without white space."""
    return list(chain.from_iterable(map(_cache.__getitem__, words(text))))


def identifier_parts(word: str) -> list[str]:
    """The parts of an identifier: ``getHTTPStatus_2`` gives get, HTTP, Status, 2. A run beyond ASCII is one part."""
    return IDENTIFIER_PART.findall(word)


def _split(word: str) -> list[str]:
    """The terms of one word: itself, then its parts where there is more than one."""
    if not word.isascii():
        # macOS may hand out Hangul as separate jamo
        return [term for part in _WORD.findall(unicodedata.normalize("NFC", word)) for term in _split_other(part)]
    whole = word.lower()
    if len(word) > _LONGEST_WORD:
        return [whole[:_LONGEST_WORD]]
    bare = whole.strip("_")
    if not bare:
        return [whole[:1]]
    parts = identifier_parts(word)
    return [bare] if len(parts) <= 1 else [bare, *map(str.lower, parts)]


def _split_other(word: str) -> list[str]:
    """Terms of a word with letters beyond ASCII: syllable pairs, and the rest as words of their own."""
    found: list[str] = []
    end = 0
    for run in _SYLLABLES.finditer(word):
        found.extend(_other_script(word[end : run.start()]))
        text = run.group()
        if len(text) == 1:
            found.append(text)
        else:
            found.extend(text[i : i + 2] for i in range(len(text) - 1))
        end = run.end()
    found.extend(_other_script(word[end:]))
    return found


def _other_script(word: str) -> list[str]:
    if not word.strip("_"):
        return []
    if word.isascii():
        return _split(word)
    found = []
    for piece in word.casefold().split("_"):
        piece = "".join(piece.split())[:_LONGEST_WORD]
        if piece:
            found.append(piece)
    return found
