"""The words of a segment that begin with the letters typed so far, found without reading any document.

    words.zst   the distinct words, sorted, joined by line ends
    words.u24   their token ids, three bytes each, in the same order

A million lines have some 160,000 distinct words, which take 1.2 MB, a fiftieth of the index. Without this file the
words would be read from up to 70 unpacked documents for one keystroke.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import WORD, token_id
from indexer.zstd import compress, decompress

FILES: Final = ("words.zst", "words.u24")
_LONGEST: Final = 100
"""Longer words are data, which is not typed."""

_LEVEL: Final = 12
_ID_BYTES: Final = 3


def words_of(tokens: Iterable[str]) -> str:
    """The distinct words among tokens, joined by line ends."""
    return "\n".join(token for token in set(tokens) if len(token) <= _LONGEST and token_id(token) & WORD)


def build_words(documents: Iterable[str]) -> dict[str, bytes]:
    """The files of the words of documents, each as :func:`words_of` gives them."""
    found: set[str] = set()
    for words in documents:
        found.update(words.split("\n"))
    found.discard("")
    ordered = sorted(_bytes(word) for word in found)
    ids = np.array([token_id(_text(word)) for word in ordered], np.uint32)
    bytes_of_ids = ids.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :_ID_BYTES]
    return {"words.zst": compress(b"\n".join(ordered), _LEVEL), "words.u24": bytes_of_ids.tobytes()}


class Words:
    """The words of one segment, unpacked into memory.

    :param files: file name to contents, as :func:`build_words` made them.
    """

    def __init__(self, files: Mapping[str, bytes | memoryview]) -> None:
        self._words = decompress(files["words.zst"])
        # As a list of words the kernel's would take 400 MB.
        ends = np.flatnonzero(np.frombuffer(self._words, np.uint8) == ord("\n")).astype(np.uint32)
        self._starts = np.concatenate((np.zeros(1, np.uint32), ends + np.uint32(1)))
        ids = np.frombuffer(files["words.u24"], np.uint8).reshape(-1, _ID_BYTES)
        self._ids = np.zeros(len(ids), np.uint32)
        self._ids.view(np.uint8).reshape(-1, 4)[:, :_ID_BYTES] = ids

    def beginning(self, letters: str) -> NDArray[np.uint32]:
        """The token ids, sorted, of the words that begin with these letters and are longer."""
        start = _bytes(letters)
        places = range(len(self._ids))
        first = bisect_left(places, start + b"\0", key=self._word)
        last = bisect_left(places, start + b"\xff", first, key=self._word)
        return np.sort(self._ids[first:last])

    def _word(self, place: int) -> bytes:
        start = int(self._starts[place])
        end = self._words.find(b"\n", start)
        return self._words[start:end] if end >= 0 else self._words[start:]


def _bytes(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogatepass")
